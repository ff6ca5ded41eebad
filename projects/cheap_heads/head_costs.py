"""Compute, memory and parameters of layer-wise training with each kind of head; needs no data and no GPU."""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from pydantic import BaseModel
from rich.progress import track
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.files.json_file import Count, Positive, read_json
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.local.step import in_turn, local_step
from auglocal_mm.models import ImageClassifier
from auglocal_mm.planning.costs.activation_meter import ActivationMeter
from auglocal_mm.registry import MODELS
from auglocal_mm.studies import read_study, run_config

HERE = Path(__file__).parent
IMAGES = 4
LAYERWISE = {'model.checkpointed': [dict(norms='stem')]}
"""What the configs for ImageNet recompute in local learning."""
IMAGENET = {'model.image_size': 224, 'model.head.num_classes': 1000}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {  # study, settings
    'ResNet-32, 32 px': ('cifar10', {'model.image_size': 32}),
    'ResNet-34, 64 px': ('tiny_imagenet', {'model.image_size': 64}),
    'ResNet-34, 224 px': ('tiny_imagenet', IMAGENET),
    'ResNet-101, 224 px': ('tiny_imagenet', {**IMAGENET, 'model.backbone.depth': 101}),
}
DEPTHS = {'ResNet-101, 224 px': 4}
"""Depths d of heads, where another network has others than that of the study."""
NOTE = (
    'Of a training step in float32, for one image: multiply-adds of convolutions and linear layers in forward and backward, and '
    'the peak of the activations, the image included, both relative to BP of the same network. Parameters are those of all '
    'auxiliary networks, in millions. In turn, each module is trained in every second step, and the compute is the mean.'
)


class Cost(BaseModel):
    """One network under one training.

    Attributes:
        multiply_adds: Of a training step, for one image.
        activations: Peak bytes, for one image.
        parameters: Of the primary network.
        auxiliary_parameters: Of all auxiliary networks.
    """

    multiply_adds: Positive
    activations: Positive
    parameters: Count
    auxiliary_parameters: int


def step_cost(config: Config) -> Cost:
    """The cost of the steps that train every local module once, from tensors without data."""
    with torch.device('meta'):
        model = MODELS.build(config.model)
        images = torch.empty(IMAGES, 3, config.model.image_size, config.model.image_size)
        labels = torch.empty(IMAGES, dtype=torch.long)
    every = max((hook.get('update_every', 1) for hook in config.get('custom_hooks', [])), default=1)
    flops, peaks = [], []
    for iteration in range(every):
        step = partial(_step, model, images, labels, iteration, every)
        with FlopCounterMode(display=False) as counter:
            step()
        with ActivationMeter() as meter:
            meter.follow(images)
            step()
        flops.append(counter.get_total_flops())
        peaks.append(meter.peak)
    auxiliary = _size(model.auxiliary_heads) if model.auxiliary_heads is not None else 0
    return Cost(
        multiply_adds=sum(flops) / every / 2 / IMAGES,
        activations=max(peaks) / IMAGES,
        parameters=_size(model) - auxiliary,
        auxiliary_parameters=auxiliary,
    )


def _step(model: ImageClassifier, images: torch.Tensor, labels: torch.Tensor, iteration: int, every: int) -> None:
    def update(index: int, loss: torch.Tensor) -> None:
        loss.backward()
        model.zero_grad()

    due = partial(in_turn, iteration=iteration, update_every=every)
    local_step(model.local_modules(), images, labels, update, is_due=due)


def _size(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def configs_of(network: str) -> dict[str, Config]:
    """The trainings of a network by name: those of one row of its study."""
    study, settings = read_study(HERE / f'{NETWORKS[network][0]}.py'), NETWORKS[network][1]
    configs = {}
    for run in study.runs:
        config = run_config(run, 0, settings)
        heads, name = config.model.get('auxiliary_heads') or {}, run.column
        if heads and settings['model.image_size'] == 224:
            config.merge_from_dict(LAYERWISE)
        if network in DEPTHS and 'depth' in heads:
            name = name.replace(f'd={heads.depth}', f'd={DEPTHS[network]}')
            heads.depth = DEPTHS[network]
        configs[name] = config
    return configs


def table(costs: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each training of one network, relative to the first, which is BP."""
    base = costs['BP']
    rows = [
        (
            name,
            f'{cost["multiply_adds"] / base["multiply_adds"]:.2f}x',
            f'{cost["activations"] / base["activations"]:.2f}x',
            f'{cost["auxiliary_parameters"] / 1e6:.1f}',
        )
        for name, cost in costs.items()
    ]
    return markdown_table(('', 'compute', 'activations', 'auxiliary M parameters'), rows)


def read_costs(folder: Path) -> dict[str, dict[str, Any]]:
    """The costs of a folder, by network and training.

    Raises:
        InputError: There are none, or they are damaged.
    """
    costs = read_json(folder / 'costs.json', dict[str, dict[str, Cost]], 'write it again with head_costs.py')
    return {network: {name: cost.model_dump() for name, cost in rows.items()} for network, rows in costs.items()}


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, counts and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=HERE / 'results', help='folder for the tables')
    options = parser.parse_args(arguments)
    init_default_scope('auglocal_mm')
    costs = {
        network: {name: step_cost(config).model_dump() for name, config in configs_of(network).items()}
        for network in track(NETWORKS, description='counting')
    }
    sections = [part for network, rows in costs.items() for part in (f'## {network}', table(rows))]
    markdown = '\n\n'.join(['# Costs of layer-wise training', NOTE, *sections]) + '\n'
    write_report(options.out, 'costs', markdown, costs, None)


if __name__ == '__main__':
    main()
