"""What a config can be planned with, where its batch is small."""

import pytest
from mmengine.registry import init_default_scope
from tests_training import stages

from auglocal_mm.planning.costs import candidates, layer_seconds
from auglocal_mm.planning.costs.candidates import candidate_costs, time_costs


@pytest.fixture(autouse=True)
def less_work(monkeypatch, costs_measured_once) -> None:
    monkeypatch.setattr(layer_seconds, 'OTHER_DATA', 1)
    monkeypatch.setattr(candidates, 'ROUNDS', 1)
    init_default_scope('auglocal_mm')


@pytest.mark.parametrize('batch_size', [8, 6])
def test_heads_of_a_share_read_whole_images(tiny_config, batch_size):
    """A quarter of six images is two."""
    settings = {'model.image_size': 32, 'train_dataloader.batch_size': batch_size}
    found = []
    for share in (0.25, 1.0):
        config = tiny_config(**stages(2), **settings, **{'model.auxiliary_heads.batch_share': share})
        (costs,) = candidate_costs(config, [2], False, ['AugLocalHead'])
        found.append([layer.internal for layer in costs.heads[0, 2]])
    assert found[0] == pytest.approx([2 / batch_size * internal for internal in found[1]])


@pytest.mark.parametrize(('share', 'kinds'), [(0.25, ['AugLocalHead']), (1.0, ['DGLHead'])])
def test_heads_of_a_single_image_are_timed_on_more(tiny_config, share, kinds):
    """Maps of the last stage are 1x1, where a BatchNorm refuses a single image."""
    settings = {'model.image_size': 32, 'model.backbone.base_channels': 2, 'model.auxiliary_heads.batch_share': share}
    config = tiny_config(**stages(4), **settings)
    timed = time_costs(config, candidate_costs(config, [2], False, kinds), 1, False)
    assert [costs.kind for costs in timed] == kinds
    assert all(sum(layer.forward for layer in head) > 0 for costs in timed for head in costs.heads.values())
