import pytest
import torch
import torchvision
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from tests_models import classifier
from tests_training import stages
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from auglocal_mm.errors import InputError
from auglocal_mm.models import ImageClassifier
from auglocal_mm.models.classifiers import is_classifier
from auglocal_mm.registry import MODELS
from auglocal_mm.weights.backbone_file import backbone_weights


def build(config):
    init_default_scope('auglocal_mm')
    set_random_seed(3)
    model = MODELS.build(config.model)
    model.init_weights()
    return model


def primary(model) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if not name.startswith('auxiliary_heads.')}


def test_the_primary_network_starts_the_same_with_every_depth(tiny_config):
    reference = primary(build(tiny_config('bp')))
    for depth in (2, 4):
        state = primary(build(tiny_config(**{'model.auxiliary_heads.depth': depth})))
        assert state.keys() == reference.keys()
        assert all(torch.equal(state[name], reference[name]) for name in reference)


def test_auxiliary_heads_are_unused_in_validation(tiny_config):
    model = build(tiny_config()).eval()

    def fail(*_):
        raise AssertionError('an auxiliary head ran')

    for head in model.auxiliary_heads:
        head.register_forward_hook(fail)
    predictions = model(torch.randn(2, 3, 32, 32), torch.tensor([0, 2]), mode='predict')
    assert [p['gt_label'] for p in predictions] == [0, 2]
    assert torch.allclose(predictions[0]['pred_scores'].sum(), torch.tensor(1.0))


@pytest.mark.parametrize('depth', [18, 50])
def test_validation_equals_torchvision_and_mmdet_with_the_exported_weights(tiny_config, depth):
    overrides = {**stages(4), 'model.backbone.depth': depth, 'model.backbone.base_channels': 64}
    config = tiny_config(**overrides)
    model = build(config).double()
    images = torch.randn(4, 3, 64, 64, dtype=torch.float64)
    model.train()
    model(images)  # updates the running statistics
    model.eval()
    weights = backbone_weights(model.state_dict())
    exported = torchvision.models.get_model(f'resnet{depth}', num_classes=3).double().eval()
    exported.load_state_dict(weights, strict=True)
    torch.testing.assert_close(exported(images), model(images), rtol=1e-10, atol=1e-12)
    detector_backbone = MODELS.build(dict(type='mmdet.ResNet', depth=depth)).double()
    detector_backbone.load_state_dict({k: v for k, v in weights.items() if not k.startswith('fc.')}, strict=True)
    detector_backbone.eval()  # returns None in MMDetection
    detector_backbone.to(memory_format=torch.channels_last)  # as the classifier, for equality to the last bit
    assert torch.equal(detector_backbone(images)[-1], model.backbone(images)[-1])


def test_heads_without_a_hook_refuse_to_train(tiny_config):
    with pytest.raises(InputError, match=r'model\.auxiliary_heads.*AugLocalHook'):
        build(tiny_config()).train_step({}, None)


@pytest.mark.parametrize(
    'backbone', [dict(type='CIFARResNet', depth=20), dict(type='TorchvisionBackbone', name='vgg11_bn')]
)
def test_norms_replaced_after_construction_are_the_ones_that_run(backbone):
    """As MMEngine's ``sync_bn`` replaces them."""
    model = classifier(backbone, dict(type='DGLHead'), checkpointed='norms')
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model).train()
    running = [*model._chain, *(module.layers for module in model.local_modules())]
    norms = [each for part in running for each in part.modules() if isinstance(each, _BatchNorm)]
    assert len(norms) == 2 * sum(isinstance(each, _BatchNorm) for each in model.backbone.modules())
    assert all(isinstance(norm, nn.SyncBatchNorm) for norm in norms)
    seen = []
    for norm in model.backbone.modules():
        if isinstance(norm, nn.SyncBatchNorm):
            norm.register_forward_hook(lambda norm, *_: seen.append(norm))
    model.eval().backbone(torch.zeros(1, 3, 32, 32))
    assert len(seen) == len(norms) // 2


def test_a_partition_without_heads_is_refused(tiny_config):
    with pytest.raises(InputError, match=r'model\.partition.*num_local_modules.*model\.auxiliary_heads'):
        build(tiny_config('bp', **{'model.partition': dict(num_local_modules=3)}))


def test_the_layout_changes_no_number_and_leaves_no_trace_in_the_backbone(tiny_config):
    models = [build(tiny_config(**{'model.channels_last': last})).double().eval() for last in (False, True)]
    states = [model.state_dict() for model in models]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])  # the same seed, the same start
    assert [m.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last) for m in models] == [False, True]
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(models[0](images), models[1](images), rtol=1e-10, atol=1e-12)
    assert all(weight.is_contiguous() for weight in backbone_weights(models[1].state_dict()).values())


class Described(ImageClassifier):
    """A subclass, as a project has it."""


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('ImageClassifier', True),
        ('auglocal_mm.ImageClassifier', True),
        (Described, True),
        ('mmdet.RetinaNet', False),
        (None, False),
    ],
)
def test_a_classifier_is_known_by_its_class(kind, expected):
    assert is_classifier(dict(type=kind)) is expected
