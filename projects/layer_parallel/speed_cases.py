"""The networks and local modules that are trained by two processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

CONFIG = Path(__file__).parents[2] / 'configs/auglocal/resnet34_auglocal-d5_1xb256-200e_in1k.py'
BATCH, SIDE = 16, 96
TWICE = 'layer-parallel, twice the batch'
HALF, FULL = 'data-parallel BP, half the batch each', 'data-parallel BP, a batch each'


@dataclass(frozen=True)
class Case:
    """A network with its local modules; ``split_points`` replaces the even partition into ``num_local_modules``.

    The local modules are split such that the slower process is as fast as possible, unless the second one begins at ``begin``.
    """

    name: str
    depth: int
    heads: dict[str, Any]
    num_local_modules: int | None = None
    split_points: Sequence[str] | None = None
    begin: int | None = None


CASES = (
    Case('ResNet-34, d = 5, layer by layer', 34, dict(type='AugLocalHead', depth=5)),
    Case('ResNet-34, d = 5, layer by layer, 10 + 7 modules', 34, dict(type='AugLocalHead', depth=5), begin=10),
    Case('ResNet-34, K = 4, d = 2', 34, dict(type='AugLocalHead', depth=2), 4),
    Case('ResNet-50, K = 4, DGL heads', 50, dict(type='DGLHead'), 4),
    Case('ResNet-50, K = 2, d = 2', 50, dict(type='AugLocalHead', depth=2), 2),
    Case('ResNet-50, K = 2, planned', 50, dict(type='DGLHead'), None, ('layer2.3',)),
)


def config_of(case: Case, local: bool) -> Config:
    """The config of the case, by local learning or BP."""
    config = Config.fromfile(CONFIG)
    config.merge_from_dict({'model.backbone.depth': case.depth, 'model.image_size': SIDE, 'model.checkpointed': []})
    config.model.auxiliary_heads = dict(case.heads) if local else None
    partition = {'num_local_modules': case.num_local_modules, 'split_points': case.split_points}
    config.model.partition = {key: value for key, value in partition.items() if value} if local else None
    return config
