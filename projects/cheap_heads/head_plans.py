"""The planner's cheapest trainings at some shares of the memory of BP, with each kind of head; needs no data and no GPU."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from head_costs import step_cost
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.benchmark.schemes import measure_config, planned_scheme
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.planning.search.plans import backpropagation

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / 'configs/auglocal/resnet34_auglocal-d5_1xb256-200e_in1k.py'
NETWORKS = {'ResNet-34': 34, 'ResNet-101': 101}
HEADS: dict[str, dict[str, Any]] = {
    'as published': {},
    'pooled': {'pooling': 2},
    'half width': {'width': 0.5},
    'pooled, half width': {'pooling': 2, 'width': 0.5},
}
SHARES = (0.4, 0.3, 0.2)
NOTE = (
    'At 224 pixels in float32. Each cell has the number K of local modules, and the activations and the compute of a training '
    'step, recomputation included, relative to BP. The planner chooses split points, depths d = 2 to 5 and what to recompute.'
)


def load(depth: int, heads: Mapping[str, Any]) -> Config:
    """The layer-wise AugLocal config of a ResNet with such heads, of which the plans take the keys."""
    config = Config.fromfile(CONFIG)
    config.merge_from_dict({'model.backbone.depth': depth, 'model.image_size': 224, 'model.auxiliary_heads': heads})
    return config


def plans(
    depth: int, heads: Mapping[str, Any], shares: Sequence[float], max_modules: int | None = None
) -> dict[str, Any]:
    """The cheapest plan within each share of the activations of BP, by share; ``None`` where there is none.

    Args:
        depth: Of the ResNet.
        heads: Keys of ``AugLocalHead``.
        shares: Of the peak activations of BP.
        max_modules: Largest number of local modules; 1 is BP.
    """
    config = load(depth, heads)
    kinds = measure_config(config)
    reference, found = backpropagation(kinds[0]), {}
    for share in shares:
        planned = planned_scheme(config, kinds, share, max_modules).config
        cost = step_cost(planned) if planned is not None else None
        found[str(share)] = cost and {
            'modules': len((planned.model.get('partition') or {}).get('split_points', [])) + 1,
            'activations': cost.activations / reference.activations,
            'compute': 2 * cost.multiply_adds / reference.compute,
        }
    return found


def describe(plan: Mapping[str, Any] | None) -> str:
    """The cell of a plan."""
    return f'K={plan["modules"]}: {plan["activations"]:.2f}x, {plan["compute"]:.2f}x' if plan else 'none'


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each kind of heads of one network."""
    shares = list(next(iter(rows.values())))
    cells = [(name, *(describe(found[share]) for share in shares)) for name, found in rows.items()]
    return markdown_table(('', *(f'at most {float(share):.2f}x' for share in shares)), cells)


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, plans and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=HERE / 'results', help='folder for the tables')
    options = parser.parse_args(arguments)
    init_default_scope('auglocal_mm')
    found: dict[str, dict[str, Any]] = {
        name: {'BP, checkpointed': plans(NETWORKS[name], {}, SHARES, 1)} for name in NETWORKS
    }
    for name, heads in track([(name, heads) for name in NETWORKS for heads in HEADS], description='planning'):
        found[name][heads] = plans(NETWORKS[name], HEADS[heads], SHARES)
    sections = [part for name, rows in found.items() for part in (f'## {name}', table(rows))]
    markdown = '\n\n'.join(['# Plans with cheaper heads', NOTE, *sections]) + '\n'
    write_report(options.out, 'plans', markdown, found, None)


if __name__ == '__main__':
    main()
