import pytest
import torch
from tests_models import cifar_resnet, classifier

from auglocal_mm.errors import InputError


def trained(rule=None, **settings):
    """Gradients, statistics and saved bytes of one step."""
    torch.manual_seed(0)
    model = classifier(cifar_resnet(), rule, **settings).double()
    torch.manual_seed(1)
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.arange(4)
    saved = {}

    def pack(tensor):
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    features = images
    for module in model.local_modules():
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            features = module.layers(features)
            loss = module.head.loss(features, labels, images)['loss']
        loss.backward()
        features = features.detach()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    return gradients, dict(model.named_buffers()), sum(saved.values())


@pytest.mark.parametrize('rule', [None, dict(type='AugLocalHead', depth=3)], ids=['BP', 'AugLocal'])
@pytest.mark.parametrize('names', ['all', ['layer1.0', 'layer1.1', 'layer3.2']])
def test_gradients_and_statistics_equal_those_without(rule, names):
    plain, checkpointed = trained(rule), trained(rule, checkpointed=names)
    for kind in (0, 1):
        assert plain[kind].keys() == checkpointed[kind].keys()
        assert all(torch.equal(plain[kind][name], checkpointed[kind][name]) for name in plain[kind])
    assert checkpointed[2] < plain[2]


def test_unknown_layers_are_refused():
    with pytest.raises(InputError, match="checkpointed names the local layer 'layer9'"):
        classifier(cifar_resnet(), checkpointed=['layer9'])
