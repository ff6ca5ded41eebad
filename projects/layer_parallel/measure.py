"""Measures the local layers and heads of ResNets on one thread, and writes ``results/module_seconds.json``.

Needs no data and no GPU. Blocks that networks have in common are timed once.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.registry import init_default_scope
from module_seconds import PATH, Layer, Measurement, Network, Part
from torch import nn

from auglocal_mm.benchmark.summary import machine
from auglocal_mm.files.atomic import write_json
from auglocal_mm.hardware import keep_freed_memory
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.models import ImageClassifier
from auglocal_mm.planning.costs.layer_seconds import PassSeconds, PassTimer, build_head, measure_seconds

IMAGE_SIZE = 224
FLOAT = 4  # bytes
HEADS: dict[str, dict[str, Any]] = {
    'DGL': dict(type='DGLHead'),
    'AugLocal d=2': dict(type='AugLocalHead', depth=2),
    'AugLocal d=4': dict(type='AugLocalHead', depth=4),
    'AugLocal d=5': dict(type='AugLocalHead', depth=5),
    'InfoPro': dict(type='InfoProHead'),
}
# The weights of DGL's perceptron are read once in a batch; InfoPro enlarges all channels to the size of the image.
BATCH_SIZES = {'DGL': 8, 'AugLocal d=2': 4, 'AugLocal d=4': 4, 'AugLocal d=5': 4, 'InfoPro': 2}
COMMON = ('DGL', 'AugLocal d=2', 'InfoPro')
NETWORKS = {  # depth of the ResNet, kinds of heads; the paper trains ResNet-34 with d=5 and ResNet-101 with d=4
    'ResNet-34': (34, (*COMMON, 'AugLocal d=5')),
    'ResNet-50': (50, COMMON),
    'ResNet-101': (101, (*COMMON, 'AugLocal d=4')),
    'ResNet-152': (152, COMMON),
}


def build(depth: int) -> ImageClassifier:
    """A ResNet for ImageNet."""
    backbone = dict(type='mmdet.ResNet', depth=depth, out_indices=(3,), frozen_stages=-1, norm_eval=False)
    return ImageClassifier(backbone, dict(type='LinearHead', num_classes=1000), image_size=IMAGE_SIZE)


def measure_network(model: ImageClassifier, kinds: Sequence[str], timer: PassTimer) -> Network:
    """The parts of one network, its layers in batches of the first kind."""
    seconds = {
        kind: measure_seconds(model, IMAGE_SIZE, BATCH_SIZES[kind], {kind: HEADS[kind]}, timer=timer) for kind in kinds
    }
    first = seconds[kinds[0]]
    layers = [
        Layer(
            **_part(first.layers[index], first.batch_size, layer),
            name=layer.name,
            start_backward=first.starts[index].backward / first.batch_size,
            output=FLOAT * math.prod(model.shapes[index].size),
        )
        for index, layer in enumerate(model.layers)
    ]
    heads = {
        kind: [
            Part(**_part(each.heads[index, kind], each.batch_size, _unmeasured_head(model, index, HEADS[kind])))
            for index in range(len(layers) - 1)
        ]
        for kind, each in seconds.items()
    }
    return Network(layers=layers, classifier=_part(first.classifier, first.batch_size, model.head), heads=heads)


def _unmeasured_head(model: ImageClassifier, index: int, config: Mapping[str, Any]) -> nn.Module:
    with torch.device('meta'):
        return build_head(model, model.layers, index, config)


def _part(seconds: PassSeconds, batch_size: int, module: nn.Module) -> dict[str, Any]:
    return {
        'forward': seconds.forward / batch_size,
        'backward': seconds.backward / batch_size,
        'parameters': sum(parameter.numel() for parameter in module.parameters()),
    }


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=2, help='how often each part is timed')
    options = parser.parse_args(arguments)
    init_default_scope('auglocal_mm')
    torch.set_num_threads(1)
    keep_freed_memory()  # as training on a CPU does
    timer = PassTimer(torch.device('cpu'), amp=False, rounds=options.rounds)
    measurement = Measurement(
        machine=machine('cpu'), image_size=IMAGE_SIZE, rounds=options.rounds, batch_sizes=BATCH_SIZES, networks={}
    )
    for name, (depth, kinds) in NETWORKS.items():
        measurement.networks[name] = measure_network(build(depth), kinds, timer)
        write_json(PATH, measurement.model_dump())
        print(f'wrote {name} to {PATH}', flush=True)


if __name__ == '__main__':
    main()
