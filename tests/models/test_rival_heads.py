"""The methods that AugLocal is compared with, against their formulas in float64."""

import math

import pytest
import torch
from tests_models import cifar_resnet, classifier
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.errors import InputError
from auglocal_mm.local.state import State, Targets
from auglocal_mm.models.auxiliary_heads import dgl_head
from auglocal_mm.models.auxiliary_heads.predsim_head import pooling_kernel, similarity_matrix


def first_head(heads, **settings):
    torch.manual_seed(0)
    return classifier(cifar_resnet(), heads, **settings).double().auxiliary_heads[0]


def features_and_labels(images: int = 6, channels: int = 16, side: int = 32):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(images, channels, side, side, dtype=torch.float64, generator=generator)
    return features, torch.arange(images) % 3


def test_predsim_loss_is_the_formula():
    head = first_head(dict(type='PredSimHead'))
    features, labels = features_and_labels()
    maps = head.similarity(features)
    n = len(labels)
    stds = torch.stack([torch.stack([m.std() for m in image]) for image in maps])  # unbiased, over positions

    def cosine(a, b):
        a, b = a - a.mean(), b - b.mean()
        return (a @ b) / (a.norm() * b.norm())

    classes = torch.eye(10, dtype=torch.float64)[labels]
    squares = [(cosine(stds[i], stds[j]) - cosine(classes[i], classes[j])) ** 2 for i in range(n) for j in range(n)]
    similarity = sum(squares) / n**2
    pooled = functional.avg_pool2d(features, (8, 4)).flatten(1)
    logits = pooled @ head.classifier.weight.T + head.classifier.bias
    cross_entropy = -logits.log_softmax(1)[range(n), labels].mean()
    assert head.loss(State(features), Targets(labels))['loss'].item() == pytest.approx(
        (0.99 * similarity + 0.01 * cross_entropy).item(), rel=1e-6
    )


def test_similarities_keep_float32_precision_under_autocast():
    vectors = torch.randn(5, 7)
    with torch.autocast('cpu', torch.bfloat16):
        found = similarity_matrix(vectors)
    assert found.dtype == torch.float32
    assert torch.equal(found, similarity_matrix(vectors))


def test_the_image_to_reconstruct_keeps_float32_precision_under_autocast(monkeypatch):
    preprocessor = dict(type='ImgDataPreprocessor', mean=[9.0] * 3, std=[7.0] * 3)
    head = classifier(cifar_resnet(), dict(type='InfoProHead'), data_preprocessor=preprocessor)
    decoder, images, given = head.auxiliary_heads[0].decoder, torch.randn(2, 3, 32, 32), []
    monkeypatch.setattr(functional, 'binary_cross_entropy_with_logits', lambda logits, targets: given.append(targets))
    with torch.autocast('cpu', torch.bfloat16):
        decoder.loss(torch.randn(2, 16, 32, 32), images)
    assert torch.equal(given[0], ((images * 7 + 9) / 255).clamp(0, 1))


def test_similarities_of_labels_ignore_scale_and_offset():
    vectors = torch.randn(5, 7, dtype=torch.float64)
    assert torch.allclose(similarity_matrix(vectors), similarity_matrix(3 * vectors + 2))
    assert torch.allclose(similarity_matrix(vectors).diagonal(), torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize(
    ('shape', 'kernel'),
    [
        ((16, 32, 32), (8, 4)),
        ((32, 16, 16), (4, 4)),
        ((64, 8, 8), (4, 2)),
        ((512, 1, 1), (1, 1)),
        ((64, 24, 24), (16, 8)),
    ],
)
def test_predsim_pools_by_powers_of_two_height_first(shape, kernel):
    assert pooling_kernel(*shape, features=512) == kernel
    left = shape[0] * math.ceil(shape[1] / kernel[0]) * math.ceil(shape[2] / kernel[1])
    assert left <= 512


def test_predsim_refuses_what_it_cannot_pool():
    with pytest.raises(InputError, match=r'\b640\b.*\b512\b.*auxiliary_heads\.pooled_features'):
        pooling_kernel(640, 4, 4, 512)
    head = first_head(dict(type='PredSimHead'))
    with pytest.raises(InputError, match=r'\(16, 64, 64\).*model\.image_size'):
        head(torch.zeros(2, 16, 64, 64, dtype=torch.float64))


MEAN, STD = [125.3, 123.0, 113.9], [63.0, 62.1, 66.7]
PREPROCESSOR = dict(type='ImgDataPreprocessor', mean=MEAN, std=STD)
INFOPRO_WEIGHTS = dict(cross_entropy=(0.05, 0.5), reconstruction=(5.0, 0.2))


def stretched(maps: torch.Tensor, side: int) -> torch.Tensor:
    """Bilinear up-sampling in which the corners of the map are those of the image, position by position."""
    positions = torch.linspace(0, maps.shape[-1] - 1, side, dtype=maps.dtype)
    low = positions.floor().long().clamp_max(maps.shape[-1] - 2)
    share = positions - low
    rows = maps[:, :, low] * (1 - share[:, None]) + maps[:, :, low + 1] * share[:, None]
    return rows[..., low] * (1 - share) + rows[..., low + 1] * share


def reconstruction_entropy(decoder, features: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    targets, found = pixels / 255, decoder.layers(stretched(features, pixels.shape[-1])).sigmoid()
    return -(targets * found.log() + (1 - targets) * (1 - found).log()).mean()


def pixels_and_images():
    pixels = torch.rand(6, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 255
    return pixels, (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


@pytest.mark.parametrize(('layer', 'channels', 'side'), [(0, 16, 32), (4, 32, 16)])
def test_infopro_loss_is_the_formula(layer, channels, side):
    heads = dict(type='InfoProHead', loss_weights=INFOPRO_WEIGHTS)
    head = classifier(cifar_resnet(), heads, data_preprocessor=PREPROCESSOR).double().auxiliary_heads[layer]
    features, labels = features_and_labels(channels=channels, side=side)
    pixels, images = pixels_and_images()
    hidden = functional.relu(head.layers(features).mean((2, 3)) @ head.perceptron[0].weight.T + head.perceptron[0].bias)
    logits = hidden @ head.perceptron[2].weight.T + head.perceptron[2].bias
    cross_entropy = -logits.log_softmax(1)[range(6), labels].mean()
    share = layer / 8  # from the first of nine heads to the last
    entropy = reconstruction_entropy(head.decoder, features, pixels)
    expected = (5.0 + share * (0.2 - 5.0)) * entropy + (0.05 + share * (0.5 - 0.05)) * cross_entropy
    assert head.loss(State(features), Targets(labels, images))['loss'].item() == pytest.approx(
        expected.item(), rel=1e-6
    )


def test_auglocal_with_infopros_loss_is_the_formula():
    heads = dict(type='AugLocalInfoProHead', depth=3, loss_weights=dict(cross_entropy=0.3, reconstruction=2.0))
    head = first_head(heads, data_preprocessor=PREPROCESSOR)
    features, labels = features_and_labels()
    pixels, images = pixels_and_images()
    cross_entropy = -head(features).log_softmax(1)[range(6), labels].mean()
    expected = 2.0 * reconstruction_entropy(head.decoder, features, pixels) + 0.3 * cross_entropy
    assert head.loss(State(features), Targets(labels, images))['loss'].item() == pytest.approx(
        expected.item(), rel=1e-6
    )


def test_reconstruction_without_images_is_refused():
    features, labels = features_and_labels()
    with pytest.raises(InputError, match=r'Targets\(labels, images\)'):
        first_head(dict(type='InfoProHead')).loss(State(features), Targets(labels))


def test_dgl_pools_to_a_quarter():
    head = first_head(dict(type='DGLHead'))
    sizes = []
    head.layers.register_forward_hook(lambda _, inputs, __: sizes.append(tuple(inputs[0].shape[2:])))
    head(features_and_labels()[0])
    assert sizes == [(8, 8)]


@pytest.mark.parametrize(('side', 'pooled'), [(8, 2), (14, 4)])
def test_dgl_averages_equal_and_unequal_windows(side, pooled):
    features = torch.randn(2, 3, side, side)
    expected = functional.adaptive_avg_pool2d(features, pooled)
    torch.testing.assert_close(dgl_head._average(features, pooled, pooled), expected)


def test_dgl_is_the_formula():
    head = first_head(dict(type='DGLHead')).eval()  # fresh norms divide by sqrt(1 + eps)
    norm = (1 + 1e-5) ** -0.5
    features, _ = features_and_labels()
    maps = features.unflatten(3, (8, 4)).unflatten(2, (8, 4)).mean(dim=(3, 5))
    for layer in head.layers:
        maps = torch.einsum('oi,nihw->nohw', layer[0].weight[:, :, 0, 0], maps).clamp_min(0) * norm
    vectors = maps.unflatten(3, (2, 4)).unflatten(2, (2, 4)).mean(dim=(3, 5)).flatten(1)
    for layer in head.perceptron[1:3]:
        vectors = (vectors @ layer[0].weight.T).clamp_min(0) * norm
    expected = vectors @ head.perceptron[3].weight.T + head.perceptron[3].bias
    torch.testing.assert_close(head(features), expected)


@pytest.mark.parametrize('kernel_size', [1, 3])
@pytest.mark.parametrize('depth', [2, 4])
def test_convolutions_cost_what_auglocals_layers_cost(kernel_size, depth):
    def cost(heads):
        model = classifier(cifar_resnet(32), heads, 'meta')
        totals = []
        for head, shape in zip(model.auxiliary_heads, model.shapes, strict=False):
            with FlopCounterMode(display=False) as counter:
                head(torch.empty(2, *shape.size, device='meta'))
            totals.append(counter.get_total_flops())
        return totals

    copied = cost(dict(type='AugLocalHead', depth=depth))
    convolutions = cost(dict(type='ConvolutionHead', depth=depth, kernel_size=kernel_size))
    for expected, found in zip(copied, convolutions, strict=True):
        assert 0.95 * expected < found <= expected * 1.0001


def test_convolution_heads_of_other_kernels_are_refused():
    with pytest.raises(InputError, match=r'kernel_size\b.*\b5\b.*\b1\b.*\b3\b'):
        first_head(dict(type='ConvolutionHead', depth=3, kernel_size=5))


def test_man_follows_the_neighbour_and_sends_it_no_gradient():
    torch.manual_seed(0)
    model = classifier(cifar_resnet(), dict(type='MANHead', head=dict(type='InfoProHead'), momentum=0.75))
    head, neighbour = model.auxiliary_heads[0], model.layers[1].module
    images, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
    features = model.layers[0].module(images)
    head.loss(State(features), Targets(labels, images))['loss'].backward()
    assert torch.equal(head.momentum_layer.conv1.weight, neighbour.conv1.weight)
    assert neighbour.conv1.weight.grad is None
    assert head.momentum_layer.conv1.weight.grad is None
    assert head.bias_layer.conv1.weight.grad is not None
    before = head.momentum_layer.conv1.weight.clone()
    with torch.no_grad():
        neighbour.conv1.weight.add_(1.0)
    head.loss(State(features.detach()), Targets(labels, images))
    assert torch.allclose(head.momentum_layer.conv1.weight, before + 0.25)
    assert not any(parameter is other for parameter in head.parameters() for other in neighbour.parameters())


def test_all_parts_of_man_are_compiled():
    head = classifier(cifar_resnet(), dict(type='MANHead', head=dict(type='InfoProHead'))).auxiliary_heads[0]
    head.compile(backend='eager')
    parts = (head.momentum_layer, head.bias_layer, head.head)
    assert all(part._compiled_call_impl is not None for part in parts)


def test_man_before_auglocal_where_no_layer_is_left_to_copy():
    model = classifier(cifar_resnet(), dict(type='MANHead', head=dict(type='AugLocalHead', depth=3)))
    last = model.auxiliary_heads[-1]
    assert len(last.head.layers) == 0
    features, labels = torch.randn(4, *model.shapes[-2].size), torch.arange(4)
    last.loss(State(features), Targets(labels))['loss'].backward()
    assert last.head.classifier.fc.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('given', [{}, {'mean': [10.0] * 3, 'std': [20.0] * 3}])
def test_images_are_reconstructed_as_they_were_before_the_preprocessor(given):
    preprocessor = dict(type='ImgDataPreprocessor', **given)
    head = classifier(cifar_resnet(), dict(type='InfoProHead'), data_preprocessor=preprocessor).auxiliary_heads[0]
    image = torch.full((1, 3, 1, 1), 100.0)
    normalised = (image - given['mean'][0]) / given['std'][0] if given else image
    restored = (normalised * head.decoder.std + head.decoder.mean) / 255
    torch.testing.assert_close(restored, image / 255)
