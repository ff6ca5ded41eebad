import pytest
import torch
from mmdet.models import ResNet
from safetensors.torch import save_file
from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.weights.checkpoint_file import read_weights
from auglocal_mm.weights.load_weights import is_of_network, load_weights, select_weights


@pytest.fixture(scope='module')
def weights():
    return {name: torch.rand_like(value.float()).to(value.dtype) for name, value in ResNet(18).state_dict().items()}


def loaded(path, state, **given):
    save_file(state, path) if path.suffix == '.safetensors' else torch.save(state, path)
    network = ResNet(18)
    coverage = load_weights(network, read_weights(path), str(path), **given)
    return network.state_dict(), coverage


@pytest.mark.parametrize('start', ['', 'module.', 'backbone.', 'module.backbone.'])
@pytest.mark.parametrize('file', ['w.pth', 'w.safetensors'])
def test_a_backbone_is_found_under_any_of_its_names(weights, tmp_path, start, file):
    state = {f'{start}{name}': value for name, value in weights.items()}
    if 'backbone' in start:
        state[start.replace('backbone.', 'auxiliary_heads.0.fc.weight')] = torch.ones(2)
    found, coverage = loaded(tmp_path / file, state)
    assert all(torch.equal(found[name], weights[name]) for name in found)
    assert (len(coverage.matched), coverage.missing, coverage.unexpected) == (120, [], [])


def test_a_whole_training_checkpoint_gives_its_backbone(weights, tmp_path):
    state = {**{f'backbone.{name}': value for name, value in weights.items()}, 'head.fc.weight': torch.ones(2)}
    found, _ = loaded(tmp_path / 'epoch_3.pth', {'state_dict': state, 'meta': {'epoch': 3}, 'optimizer': {}})
    assert torch.equal(found['layer4.1.conv2.weight'], weights['layer4.1.conv2.weight'])


def test_older_files_count_no_batches(weights, tmp_path):
    state = {name: value for name, value in weights.items() if not name.endswith('num_batches_tracked')}
    found, coverage = loaded(tmp_path / 'old.pth', {**state, 'fc.weight': torch.ones(2)})
    assert torch.equal(found['bn1.running_var'], weights['bn1.running_var'])
    assert (len(coverage.matched), coverage.missing, coverage.unexpected) == (100, [], ['fc.weight'])


@pytest.mark.parametrize('prefix', ['student.', 'student'])
def test_a_prefix_chooses(weights, tmp_path, prefix):
    state = {f'student.{name}': value for name, value in weights.items()}
    state |= {f'teacher.{name}': value * 0 for name, value in weights.items()}
    found, _ = loaded(tmp_path / 'w.pth', state, prefix=prefix)
    assert torch.equal(found['conv1.weight'], weights['conv1.weight'])
    with pytest.raises(InputError, match=r"w\.pth.*0 matched, 100 missing.*'pupil'"):
        loaded(tmp_path / 'w.pth', state, prefix='pupil')


@pytest.mark.parametrize(
    ('value', 'said'),
    [
        (torch.ones(64, 3, 7, 7, dtype=torch.int64), 'int64'),
        (torch.ones(64, 3, 7, 7, dtype=torch.bool), 'bool'),
        (torch.ones(64, 3, 7, 7, dtype=torch.complex64), 'complex64'),
        (torch.full((64, 3, 7, 7), float('nan')), r'\bnan\b'),
        (torch.full((64, 3, 7, 7), float('inf'), dtype=torch.float16), r'\binf\b'),
        (torch.ones(64, 3, 7, 8), ''),
        (torch.ones(1).expand(64, 3, 7, 7), r'\(64, 3, 7, 7\).*expanded'),
        (torch.ones(64, 3, 7, 7).to_sparse(), r'\(64, 3, 7, 7\).*sparse'),
        (5.0, r'\bfloat\b'),
    ],
)
def test_numbers_that_no_network_can_run_with_are_refused(weights, tmp_path, value, said):
    with pytest.raises(InputError, match=rf'w\.pth.*conv1\.weight.*{said}'):
        loaded(tmp_path / 'w.pth', {**weights, 'conv1.weight': value})


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_converted(weights, tmp_path, dtype):
    half = {name: value.to(dtype) if value.is_floating_point() else value for name, value in weights.items()}
    found, _ = loaded(tmp_path / 'w.pth', half)
    assert torch.equal(found['conv1.weight'], weights['conv1.weight'].to(dtype).float())


def test_nothing_is_loaded_from_a_file_that_does_not_fit(weights):
    network = ResNet(18)
    before = network.conv1.weight.clone()
    state = {name: value for name, value in weights.items() if name != 'layer4.1.bn2.bias'}
    with pytest.raises(InputError, match=r'w\.pth.*119 matched, 1 missing, 0 unexpected.*layer4\.1\.bn2\.bias'):
        load_weights(network, state, 'w.pth')
    assert torch.equal(network.conv1.weight, before)


def test_a_whole_model_needs_its_backbone_and_may_have_another_head():
    model = nn.ModuleDict({'backbone': nn.BatchNorm1d(3), 'head': nn.Linear(3, 5)})
    state = {f'backbone.{name}': value + 1 for name, value in nn.BatchNorm1d(3).state_dict().items()}
    coverage = load_weights(model, {**state, 'head.weight': torch.zeros(7, 3), 'old.bias': torch.zeros(1)}, 'a.pth')
    assert (coverage.missing, coverage.unexpected) == (['head.weight', 'head.bias'], ['old.bias'])
    assert torch.equal(model['backbone'].weight, torch.full((3,), 2.0))
    with pytest.raises(InputError, match=r'a\.pth.*missing: backbone\.bias'):
        load_weights(model, {**state, 'backbone.bias': torch.zeros(4)}, 'a.pth')
    with pytest.raises(InputError, match=r'a\.pth.*\b0 matched'):
        load_weights(model, nn.BatchNorm1d(3).state_dict(), 'a.pth')


def test_a_test_needs_all_but_the_auxiliary_heads_and_no_more():
    model = nn.ModuleDict({'head': nn.Linear(2, 3), 'auxiliary_heads': nn.Linear(2, 3)})
    state = model.state_dict()
    kept = {name: value for name, value in state.items() if name.startswith('head.')}
    select_weights(model, {'state_dict': kept}, 'a.pth', is_of_network)
    with pytest.raises(InputError, match=r'a\.pth.*missing: head\.bias'):
        select_weights(model, {'head.weight': state['head.weight']}, 'a.pth', is_of_network)
    with pytest.raises(InputError, match=r'a\.pth.*unexpected: backbone\.layer9'):  # of a deeper network
        select_weights(model, {**kept, 'backbone.layer9': torch.ones(1)}, 'a.pth', is_of_network)
