"""The functions behind the analysis tools, as a notebook calls them."""

import pytest
import torch
from tests_models import cifar_resnet, classifier

from auglocal_mm.analysis import layer_cka, probe_layers
from auglocal_mm.errors import InputError


def batches(*sizes: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    labels = [torch.arange(size) % 10 for size in sizes]
    # The class is the brightness.
    noise = [torch.randint(0, 20, (size, 3, 32, 32), generator=generator) for size in sizes]
    return [((23 * label[:, None, None, None] + n).byte(), label) for label, n in zip(labels, noise, strict=True)]


def network(depth: int = 20):
    torch.manual_seed(depth)
    model = classifier(cifar_resnet(depth), data_preprocessor=dict(type='ImgDataPreprocessor')).eval()
    model.init_weights()
    return model


def test_cka_of_networks_of_any_depth():
    model = network()
    equal = layer_cka(model, model, batches(8, 3, 8))
    assert torch.allclose(equal.diagonal(), torch.ones(10, dtype=torch.float64))
    assert layer_cka(model, network(32), batches(8)).shape == (10, 16)
    with pytest.raises(InputError, match=r'\b4\b.*CKA'):
        layer_cka(model, model, batches(3))


def test_cka_of_a_network_that_diverged_is_refused():
    model = network()
    model.backbone.layer2[0].conv1.weight.data.fill_(float('nan'))
    with pytest.raises(InputError, match=r'CKA.*finite'):
        layer_cka(network(), model, batches(8))


def test_probes_say_what_they_are_fitted_and_measured_on():
    probed = probe_layers(network(), batches(30, 30), batches(20))
    assert (probed.fitted_on, probed.measured_on, len(probed.top1)) == (60, 20, 10)
    assert probed.top1[0] > 50, 'chance is 10'
