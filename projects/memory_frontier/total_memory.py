"""The cheapest trainings within a total memory, weights and optimizer included: by local learning, and by BP with checkpointing.

Needs no GPU and no data.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from auglocal_mm.files.atomic import write_json
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.planning.costs.candidates import candidate_costs
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import AUGLOCAL, Plan
from auglocal_mm.planning.search.frontier import Frontier, Training, cheapest_within, find_frontier, memory_of

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / 'configs/auglocal/resnet34_auglocal-d5_1xb256-200e_in1k.py'
DEPTHS = (34, 50, 101)
BATCHES = (32, 128)
SHARES = (0.8, 0.6, 0.5, 0.4, 0.3)
CHEAPER = {'pooling': 2, 'width': 0.5}
"""Heads that compute less than the paper's, see ``projects/cheap_heads``."""


def candidates(depth: int) -> list[NetworkCosts]:
    """A ResNet at 224 pixels with the paper's heads, with cheaper ones, and with those of DGL."""
    config = Config.fromfile(CONFIG)
    config.merge_from_dict({'model.backbone.depth': depth, 'model.image_size': 224})
    kinds = candidate_costs(config, (2, 3), False, (AUGLOCAL, 'DGLHead'))
    config.merge_from_dict({'model.auxiliary_heads': CHEAPER})
    return [*kinds, *candidate_costs(config, (2, 3), False, (AUGLOCAL,))]


def describe(plan: Plan | None, frontier: Frontier) -> dict[str, Any] | None:
    """Number of local modules, compute relative to BP, and millions of parameters of the heads."""
    if plan is None:
        return None
    compute = plan.compute / frontier.reference.compute
    return {'modules': len(plan.modules), 'compute': compute, 'head_parameters': plan.head_parameters}


def rows(depth: int) -> list[dict[str, Any]]:
    """For each batch size and share of the total memory of BP, the cheapest plan, and the cheapest one that is BP."""
    frontier = find_frontier(candidates(depth))
    plain = replace(frontier, candidates=[plan for plan in frontier.candidates if len(plan.modules) == 1])
    found = []
    for batch in BATCHES:
        training = Training(batch, 1)
        total = memory_of(frontier.reference, training).total
        for share in SHARES:
            plans = [cheapest_within(each, share * total, training) for each in (frontier, plain)]
            local, rival = (describe(plan, frontier) for plan in plans)
            row = {'network': f'ResNet-{depth}', 'batch': batch, 'total': total, 'share': share}
            found.append({**row, 'best': local, 'backpropagation': rival})
    return found


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Plans, and writes ``results/total_memory.json``."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    init_default_scope('auglocal_mm')
    found = [row for depth in track(DEPTHS, description='planning') for row in rows(depth)]
    write_json(HERE / 'results/total_memory.json', found)


if __name__ == '__main__':
    main()
