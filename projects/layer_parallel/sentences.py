"""What the simulated trainings say, in ten sentences whose numbers are those of the results."""

from typing import Any

from records import Row, Simulation

DGL = dict(method='layer-parallel', scheme='coarse', heads='DGL')
DATA, PIPELINE = dict(method='data-parallel BP'), dict(method='pipelined BP')


def sentences(simulation: Simulation) -> str:
    """A numbered list in Markdown."""
    find = _Finder(simulation)
    parts = [_four_devices, _bandwidth, _many_devices, _layer_by_layer, _slowness]
    texts = [text for part in parts for text in part(find)]
    return '\n'.join(f'{number}. {text}' for number, text in enumerate(texts, start=1))


class _Finder:
    """Rows of the assumed GPU at 25 Gbit/s, unless other values are given."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def __call__(self, network: str, devices: int, values: dict[str, Any], **others: Any) -> Row:
        defaults = dict(device='assumed GPU', bandwidth=25)
        return self.simulation.one(**{**defaults, 'network': network, 'devices': devices, **values, **others})


def _four_devices(find: _Finder) -> list[str]:
    local, data = find('ResNet-101', 4, DGL), find('ResNet-101', 4, DATA)
    thread = find('ResNet-101', 4, DGL, device='measured thread')
    return [
        f'On four devices at 25 Gbit/s, ResNet-101 in four coarse modules with DGL heads trains {local.one_replica:.2f} times as '
        f'fast as BP on one device on the assumed GPU, and {thread.one_replica:.2f} times on the measured thread.',
        f'Data-parallel BP on the same four devices gives {data.speedup:.2f}x on the assumed GPU.',
        f'The fullest device of the best layout, {_layout(local)}, has {local.gradients / 1e6:.0f} MB of gradients; '
        f'under data-parallel BP every device has {data.gradients / 1e6:.0f} MB.',
    ]


def _bandwidth(find: _Finder) -> list[str]:
    slow = [find('ResNet-101', 4, each, bandwidth=1).speedup for each in (DGL, DATA)]
    fast = [find('ResNet-101', 4, each, bandwidth=400).speedup for each in (DGL, DATA)]
    return [
        f'From 400 to 1 Gbit/s, the speed-up of layer-parallel training on four devices falls from {fast[0]:.2f}x to '
        f'{slow[0]:.2f}x, and that of data-parallel BP from {fast[1]:.2f}x to {slow[1]:.2f}x.'
    ]


def _many_devices(find: _Finder) -> list[str]:
    local, data, pipeline = (find('ResNet-101', 64, each) for each in (DGL, DATA, PIPELINE))
    sixteen = find('ResNet-101', 16, DGL)
    return [
        f'Many stages are not the best use of many devices: 16 devices as 16 stages give {sixteen.one_replica:.2f}x, and as '
        f'{_layout(sixteen)} {sixteen.speedup:.2f}x.',
        f'On 64 devices, the best layer-parallel layout, {_layout(local)}, gives {local.speedup:.2f}x, data-parallel BP '
        f'{data.speedup:.2f}x and pipelined BP {pipeline.speedup:.2f}x.',
    ]


def _layer_by_layer(find: _Finder) -> list[str]:
    values = dict(scheme='layer by layer', heads='AugLocal d=5')
    alone = find('ResNet-34', 1, dict(method='sequential', **values), bandwidth=0)
    four, sixteen = (find('ResNet-34', count, dict(method='layer-parallel', **values)) for count in (4, 16))
    heavy, light = (find('ResNet-34', 4, {**DGL, 'heads': heads}) for heads in ('InfoPro', 'DGL'))
    return [
        f'Layer by layer, ResNet-34 with heads of d=5 trains at {alone.speedup:.2f}x the speed of BP on one device, '
        f'{four.speedup:.2f}x on four and {sixteen.speedup:.2f}x on 16.',
        f'Light in FLOPs is not light in time: InfoPro enlarges all channels to the size of the image, and ResNet-34 in coarse '
        f'modules on four devices gives {heavy.speedup:.2f}x with InfoPro and {light.speedup:.2f}x with DGL.',
    ]


def _slowness(find: _Finder) -> list[str]:
    jitter = [_share(find, each, jitter=0.2) for each in (DGL, PIPELINE, DATA)]
    straggler = [_share(find, each, straggler=2.0) for each in (DGL, PIPELINE, DATA)]
    return [
        f'A jitter of 20% leaves {jitter[0]} of the speed of layer-parallel training on 16 devices, {jitter[1]} of that of '
        f'pipelined BP and {jitter[2]} of that of data-parallel BP.',
        f'A device that takes twice as long leaves {straggler[0]}, {straggler[1]} and {straggler[2]}: no cut changes.',
    ]


def _share(find: _Finder, values: dict[str, Any], **others: float) -> str:
    slow, nominal = find('ResNet-101', 16, values, **others), find('ResNet-101', 16, values)
    return f'{slow.rate / nominal.rate:.0%}'


def _layout(row: Row) -> str:
    """Replicas and stages."""
    return f'{row.devices // row.stages} x {row.stages}'
