"""What every local learning method has in common: the same initial network, isolation, losses that fall, published sizes."""

import re

import pytest
import torch
from tests_models import cifar_resnet, classifier, head_sizes

from auglocal_mm.errors import InputError
from auglocal_mm.local.isolation import isolation_errors
from auglocal_mm.local.state import State, Targets
from auglocal_mm.local.step import local_step

METHODS = {
    'AugLocal': dict(type='AugLocalHead', depth=3),
    'AugLocal, sequential': dict(type='AugLocalHead', depth=3, selection='sequential'),
    'AugLocal, repetitive': dict(type='AugLocalHead', depth=3, selection='repetitive'),
    'AugLocal, shallow norm': dict(type='AugLocalHead', depth=2, shallow_norm=True),
    'AugLocal + InfoPro': dict(
        type='AugLocalInfoProHead', depth=3, loss_weights=dict(reconstruction=(1.0, 0.1), cross_entropy=(0.1, 1.0))
    ),
    'DGL': dict(type='DGLHead'),
    'PredSim': dict(type='PredSimHead'),
    'InfoPro': dict(type='InfoProHead', loss_weights=dict(reconstruction=(5.0, 0.2), cross_entropy=(0.05, 0.5))),
    '1x1 convolutions': dict(type='ConvolutionHead', depth=3, kernel_size=1),
    '3x3 convolutions': dict(type='ConvolutionHead', depth=3),
    'MAN': dict(type='MANHead', head=dict(type='InfoProHead')),
}

SIDE = 16


def batch(images: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(images, 3, SIDE, SIDE, generator=generator), torch.arange(images) % 10


@pytest.mark.parametrize('heads', METHODS.values(), ids=METHODS)
def test_every_parameter_of_every_module_learns_from_its_own_loss_alone(heads):
    model = classifier(cifar_resnet(), heads, image_size=SIDE)
    model.init_weights()
    model.double()
    images, labels = batch(4)
    errors = isolation_errors(model.local_modules(), images.double(), labels)
    assert len(errors) == 10
    assert max(errors) < 1e-9
    local_step(model.local_modules(), images.double(), labels, lambda _, loss: loss.backward())
    assert not [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize('heads', METHODS.values(), ids=METHODS)
def test_every_method_starts_from_the_same_primary_network(heads):
    starts = []
    for config in (None, heads):
        torch.manual_seed(3)
        model = classifier(cifar_resnet(), config)
        model.init_weights()
        starts.append({k: v for k, v in model.state_dict().items() if not k.startswith('auxiliary_heads')})
    assert starts[0].keys() == starts[1].keys()
    assert all(torch.equal(starts[0][name], starts[1][name]) for name in starts[0])


@pytest.mark.parametrize('heads', METHODS.values(), ids=METHODS)
def test_the_loss_falls(heads):
    torch.manual_seed(0)
    model = classifier(cifar_resnet(), heads, image_size=SIDE)
    model.init_weights()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    images, labels = batch(10)
    sums = []
    for _ in range(7):
        results = local_step(model.local_modules(), images, labels, lambda _, loss: loss.backward())
        optimizer.step()
        optimizer.zero_grad()
        sums.append(sum(float(result['loss']) for result in results))
    assert sums[-1] < 0.9 * sums[0]


def test_published_sizes_on_the_small_resnet():
    trimmed = dict(partition=dict(last_module_layers=6))
    model = classifier(cifar_resnet(32), dict(type='AugLocalHead', depth=6, pyramid=0.5), 'meta', **trimmed)
    assert head_sizes(model) == [*[170122] * 3, *[165450] * 3, 169482, *[150922] * 2, 206346]
    assert [len(head.selected) for head in model.auxiliary_heads] == [5, 5, 5, 4, 4, 4, 4, 3, 3, 3]
    for name, sizes in (
        ('DGLHead', (9962, 37834, 147338)),
        ('PredSimHead', (2304 + 5130, 9216 + 5130, 36864 + 5130)),
        ('InfoProHead', (2091 + 10186, 3819 + 28170, 7275 + 46602)),
    ):
        found = head_sizes(classifier(cifar_resnet(32), dict(type=name), 'meta'))
        for size, index in zip(sizes, (0, 6, 11), strict=True):
            assert found[index] == size


def test_published_sizes_on_vgg13():
    vgg = dict(type='TorchvisionBackbone', name='vgg13_bn')
    imagenet = dict(head=dict(type='VGGHead', num_classes=1000), image_size=224)
    heads = dict(type='AugLocalHead', depth=3, downsampling='max_pool', classifier=dict(type='PooledPerceptronHead'))
    assert head_sizes(classifier(vgg, heads, 'meta', **imagenet)) == [
        *[2369768] * 2,
        *[3992552] * 2,
        *[4582376] * 2,
        *[5762024] * 2,
        3401192,
    ]
    dgl = head_sizes(classifier(vgg, dict(type='DGLHead'), 'meta', **imagenet))
    assert dgl == [*[401768] * 2, *[1089256] * 2, *[3324392] * 2, *[11235304] * 3]


def test_loss_weights_go_linearly_from_the_first_module_to_the_last():
    model = classifier(cifar_resnet(32), METHODS['InfoPro'], 'meta')
    weights = [head.weights['reconstruction'] for head in model.auxiliary_heads]
    assert weights[0] == 5.0
    assert weights[-1] == pytest.approx(0.2)
    assert weights[7] == pytest.approx(2.6)


def test_a_single_weight_applies_to_all_modules():
    heads = dict(type='AugLocalHead', depth=3, loss_weights=dict(cross_entropy=0.5))
    model = classifier(cifar_resnet(), heads)
    images, labels = batch()
    plain = classifier(cifar_resnet(), dict(type='AugLocalHead', depth=3))
    plain.load_state_dict(model.state_dict())
    losses = []
    for module in (each.local_modules()[0] for each in (model, plain)):
        losses.append(module.loss(module(State(images)), Targets(labels))['loss'])
    assert losses[0].item() == pytest.approx(0.5 * losses[1].item())


def test_a_weight_of_a_term_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match=r'loss_weights.*AugLocalHead.*similarity.*cross_entropy'):
        classifier(cifar_resnet(), dict(type='AugLocalHead', depth=3, loss_weights=dict(similarity=1.0)))


@pytest.mark.parametrize('key', ['downsampling', 'selection'])
def test_unknown_conventions_are_refused(key):
    with pytest.raises(InputError, match=f"{key}.*'sideways'"):
        classifier(cifar_resnet(), {'type': 'AugLocalHead', 'depth': 3, key: 'sideways'})


@pytest.mark.parametrize('weight', [(1, 2, 3), 'high', (1, 'high'), (1, -1)])
def test_a_weight_is_one_number_or_two(weight):
    with pytest.raises(InputError, match=rf'loss_weights\.cross_entropy\b.*{re.escape(repr(weight))}'):
        classifier(cifar_resnet(), dict(type='AugLocalHead', depth=3, loss_weights=dict(cross_entropy=weight)))


def test_loss_weights_of_man_belong_to_its_inner_head():
    inner = dict(type='InfoProHead', loss_weights=dict(reconstruction=2.0))
    model = classifier(cifar_resnet(), dict(type='MANHead', head=inner))
    assert model.auxiliary_heads[0].head.weights == dict(cross_entropy=1.0, reconstruction=2.0)
    with pytest.raises(InputError, match=r'MANHead.*loss_weights.*auxiliary_heads\.head'):
        classifier(cifar_resnet(), dict(type='MANHead', head=inner, loss_weights=dict(reconstruction=2.0)))


def test_misspelt_keys_of_the_partition_are_refused():
    with pytest.raises(InputError, match=r"partition.*'last_module_layer'.*\blast_module_layers\b"):
        classifier(cifar_resnet(), METHODS['AugLocal'], partition=dict(last_module_layer=3))


def test_the_old_name_of_a_key_of_the_partition_is_refused_with_the_new_one():
    with pytest.raises(InputError, match=r'model\.partition\.cut_points.*model\.partition\.split_points'):
        classifier(cifar_resnet(), METHODS['AugLocal'], partition=dict(cut_points=[1]))


@pytest.mark.parametrize('momentum', [-5, 1.5, 'abc'])
def test_impossible_momenta_of_man_are_refused(momentum):
    heads = dict(type='MANHead', head=dict(type='DGLHead'), momentum=momentum)
    with pytest.raises(InputError, match=rf'momentum\b.*{momentum!r}.*\b0\b.*\b1\b'):
        classifier(cifar_resnet(), heads)
