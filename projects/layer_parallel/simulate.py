"""Simulates training on several devices from the measured times; writes ``results/simulation.json`` and the figures.

Takes a few minutes, and needs neither data nor a GPU.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

from figures import write_figures
from layouts import Cuts
from module_seconds import Network, read_measurement
from rates import Setting, data_parallel_rate, layer_parallel_rate, pipeline_rate
from records import PATH, Row, Simulation, write_simulation
from rich.progress import track
from simulation import Stage

from auglocal_mm.launch.launch import command_line_tool

DEVICES = (2, 4, 8, 16, 32, 64)
BANDWIDTHS = (1, 10, 25, 100, 400)
"""Gbit/s."""
USUAL = 25
"""The bandwidth at which the measured thread, jitter and stragglers are tried."""
SOME = (4, 16)
"""Numbers of devices with which jitter and stragglers are tried."""
SLOWNESS = tuple(product((0.0, 0.05, 0.2), (1.0, 1.5, 2.0)))
"""Jitter, and the factor of the straggler."""
GPU_RATE = 1000.0
"""Images/s at which the assumed GPU trains ResNet-101 by backpropagation: a round number, not a measurement."""
CPU, GPU, MIXED = 'measured thread', 'assumed GPU', 'assumed GPU, features in bfloat16'


class Trainings:
    """All trainings of a network on one kind of device.

    Args:
        name: Of the network.
        parts: Its measured parts.
        device: Name of the device.
        speed: Of the device, in speeds of the measured thread.
    """

    def __init__(self, name: str, parts: Network, device: str, speed: float) -> None:
        self.name, self.parts, self.device, self.speed = name, parts, device, speed
        self.bp = Cuts(parts, 'BP')
        self.layers = [self.bp.stage(index, index) for index in range(len(parts.layers))]

    def row(self, stages: Sequence[Stage], rate: float, **values: Any) -> Row:
        """A training with these stages, and what follows from them."""
        return Row(
            network=self.name,
            rate=rate,
            speedup=rate * self.bp.whole().total / self.speed,
            gradients=max(stage.gradients for stage in stages),
            output=max(stage.output for stage in stages),
            stages=len(stages),
            **values,
        )

    def on_one_device(self) -> Iterator[Row]:
        """Backpropagation, and local learning layer by layer."""
        values = dict(device=self.device, devices=1)
        whole = self.bp.whole()
        yield self.row([whole], self.speed / whole.total, method='BP', **values)
        for heads in self.parts.heads:
            whole = Cuts(self.parts, 'layer by layer', heads).whole()
            values |= dict(method='sequential', scheme='layer by layer', heads=heads)
            yield self.row([whole], self.speed / whole.total, **values)

    def in_parallel(self, devices: int, bandwidth: int, slowness: Sequence[tuple[float, float]]) -> Iterator[Row]:
        """Every method, with the layout that is best without jitter and straggler."""
        nominal = Setting(device=self.device, devices=devices, bandwidth=bandwidth)
        settings = [nominal.model_copy(update=dict(jitter=jitter, straggler=slow)) for jitter, slow in slowness]
        for setting in settings:
            rate = data_parallel_rate(self.layers, setting, self.speed)
            yield self.row([self.bp.whole()], rate, method='data-parallel BP', **setting.model_dump())
        yield from self.best_layout(self.bp, pipeline_rate, nominal, settings, method='pipelined BP')
        for scheme, heads in product(('layer by layer', 'coarse'), self.parts.heads):
            values = dict(method='layer-parallel', scheme=scheme, heads=heads)
            yield from self.best_layout(
                Cuts(self.parts, scheme, heads), layer_parallel_rate, nominal, settings, **values
            )

    def best_layout(
        self,
        cuts: Cuts,
        rate: Callable[[Sequence[Stage], Setting, float], float],
        nominal: Setting,
        settings: Sequence[Setting],
        **values: Any,
    ) -> Iterator[Row]:
        """A row for each of ``settings``, with as many stages in each replica as is fastest in ``nominal``."""
        link = nominal.link
        found = cuts.best(nominal.devices, lambda stage: max(stage.total / self.speed, link.seconds(stage.output)))
        rates = {
            number: rate(stages, nominal, self.speed)
            for number, stages in found.items()
            if nominal.devices % number == 0
        }
        stages = found[max(rates, key=rates.__getitem__)]
        one_replica = rates.get(nominal.devices)
        for setting in settings:
            one = self.row(stages, rate(stages, setting, self.speed), **values, **setting.model_dump())
            one.one_replica = one_replica and one_replica * one.speedup / one.rate if setting == nominal else None
            yield one


def simulate() -> Simulation:
    """All rows, from the measured times."""
    networks = read_measurement().networks
    gpu = GPU_RATE * Cuts(networks['ResNet-101'], 'BP').whole().total
    rows: list[Row] = []
    for name, parts in networks.items():
        thread, assumed = Trainings(name, parts, CPU, 1.0), Trainings(name, parts, GPU, gpu)
        rows += [*thread.on_one_device(), *assumed.on_one_device()]
        for devices in track(DEVICES, description=name):
            rows += thread.in_parallel(devices, USUAL, SLOWNESS[:1])
            for bandwidth in BANDWIDTHS:
                tried = bandwidth == USUAL and devices in SOME
                rows += assumed.in_parallel(devices, bandwidth, SLOWNESS if tried else SLOWNESS[:1])
    mixed = Trainings('ResNet-101', networks['ResNet-101'].with_half_features(), MIXED, gpu)
    rows += mixed.in_parallel(4, USUAL, SLOWNESS[:1])
    return Simulation(gpu_speed=gpu, rows=rows)


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Simulates, and writes data and figures."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    simulation = simulate()
    write_simulation(simulation)
    print(f'wrote {PATH}')
    write_figures(simulation, PATH.parent)


if __name__ == '__main__':
    main()
