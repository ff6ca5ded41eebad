"""The published sizes of auxiliary networks, with biases, for 1000 classes."""

import pytest
import torch
from mmengine.registry import init_default_scope
from tests_models import cifar_resnet, classifier

from auglocal_mm.errors import InputError
from auglocal_mm.local.state import State
from auglocal_mm.registry import MODELS


def heads(resnet: int, depth: int, **options):
    init_default_scope('auglocal_mm')
    config = dict(
        type='ImageClassifier',
        backbone=dict(type='mmdet.ResNet', depth=resnet, out_indices=(3,)),
        head=dict(type='LinearHead', num_classes=1000),
        auxiliary_heads=dict(type='AugLocalHead', depth=depth, **options),
    )
    with torch.device('meta'):
        return MODELS.build(config).auxiliary_heads


def sizes(*arguments, **options) -> list[int]:
    return [sum(p.numel() for p in head.parameters()) for head in heads(*arguments, **options)]


def test_resnet34_each_head():
    assert sizes(34, 5) == [
        *[6515944] * 4,
        6581224,
        7466472,
        *[11006440] * 2,
        *[11268072] * 3,
        *[14808040] * 2,
        13627368,
        9954280,
        5233640,
    ]


@pytest.mark.parametrize(
    ('resnet', 'depth', 'options', 'total'),
    [
        (34, 5, {}, 154359936),
        (34, 2, {}, 62518912),
        (101, 5, {}, 406928616),
        (101, 4, {'pyramid': 0.5}, 333237480),
    ],
)
def test_sums(resnet, depth, options, total):
    assert sum(sizes(resnet, depth, **options)) == total


def test_rounding_does_not_change_the_heads_of_resnet34():
    assert sizes(34, 5, rounding='half_up') == sizes(34, 5)


def test_selection_reaches_the_network():
    assert heads(18, 3, selection='sequential')[1].selected == [3, 4]
    assert heads(18, 3, selection='repetitive')[1].selected == [2, 2]


def test_a_shallow_head_for_small_images_normalises_what_it_classifies():
    config = dict(type='AugLocalHead', pyramid=1.0, shallow_norm=True)
    deep, *_, shallow = classifier(cifar_resnet(), {**config, 'depth': 3}).double().auxiliary_heads
    assert [len(deep.layers), len(shallow.layers)] == [2, 1]
    assert not list(deep.classifier.norm.parameters())
    features = torch.randn(6, 64, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    vectors = shallow.layers(features).mean(dim=(2, 3))
    normalised = (vectors - vectors.mean(dim=0)) / (vectors.var(dim=0, correction=0) + 1e-5).sqrt()
    expected = normalised @ shallow.classifier.fc.weight.T + shallow.classifier.fc.bias
    torch.testing.assert_close(shallow(features), expected)


@pytest.mark.parametrize('depth', [0, 1, 10, 2.5, 'five'])
def test_impossible_depths_are_refused(depth):
    with pytest.raises(InputError, match=rf'auxiliary_heads\.depth\b.*{depth!r}.*\b2\b.*\b9\b'):
        heads(18, depth)


@pytest.mark.parametrize('decay', [-0.1, 1.1, 'half'])
def test_impossible_pyramids_are_refused(decay):
    with pytest.raises(InputError, match=rf'pyramid\b.*{decay!r}'):
        heads(18, 3, pyramid=decay)


@pytest.mark.parametrize('resnet', [18, 50])
def test_every_head_takes_the_output_of_its_module(tiny_config, resnet):
    config = tiny_config(**{'model.backbone.depth': resnet})
    init_default_scope('auglocal_mm')
    model = MODELS.build(config.model)
    state = State(torch.zeros(2, 3, 64, 64))
    for module in model.local_modules():
        state = module(state)
        assert module.head(state.features).shape == (2, 3)
