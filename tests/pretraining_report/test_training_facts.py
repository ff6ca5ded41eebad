from datetime import timedelta

import pytest
from tests_pretrainings import CONFIG, RECORD, backpropagation, pretraining

from auglocal_mm.pretraining_report.training_facts import (
    NOT_EXPORTED,
    NOT_FINISHED,
    OTHER_RECORD,
    sentence,
    training_facts,
)
from auglocal_mm.weights.backbone_record import BackboneRecord


def record(**changes: object) -> BackboneRecord:
    return BackboneRecord.model_validate({**RECORD, **changes})


def test_the_facts_are_those_of_the_records():
    assert training_facts(pretraining()) == {
        'method': 'AugLocalHead',
        'network': 'ResNet-34',
        'local modules K': '3',
        'auxiliary networks': 'AugLocalHead(depth=5)',
        'split after': 'stem, layer1.2',
        'initial weights': 'none named in the config',
        'data': 'flowers (ImageFolder)',
        'training images': '1,234',
        'classes': '10',
        'trained for': '2 epochs',
        'batch size': '64',
        'optimizer': 'SGD(lr=0.1, momentum=0.9)',
        'learning rate': 'LinearLR, CosineAnnealingLR',
        'precision': 'float32',
        'settings changed when resumed': 'none',
        'seed': '3',
        'device': 'a GPU, 1 process',
        'training time (h:min:s)': str(timedelta(seconds=3725)),
        'peak memory': '1.50 GiB allocated',
        'versions': 'python 3.11.7, torch 2.11.0',
        'commit': '0123abcd, changed',
        'SHA-256 of backbone.pth': 'feed' * 16,
    }


def test_what_an_older_record_lacks_is_taken_from_the_config_or_missing():
    facts = training_facts(pretraining(record=BackboneRecord(method='AugLocalHead', iteration=20)))
    assert facts['network'] == 'ResNet-34'
    assert (facts['local modules K'], facts['auxiliary networks']) == ('3', 'AugLocalHead(depth=5)')
    assert (facts['data'], facts['classes'], facts['seed']) == ('flowers (ImageFolder)', '10', '7')
    assert {name for name, value in facts.items() if value is None} == {
        *('split after', 'training images', 'device', 'training time (h:min:s)', 'peak memory', 'versions', 'commit'),
        *('initial weights', 'SHA-256 of backbone.pth'),
    }


@pytest.mark.parametrize(
    ('backbone', 'expected'),
    [({'type': 'mmdet.ResNeXt', 'depth': 50}, 'ResNeXt-50'), ({'type': 'package.PlainNetwork'}, 'PlainNetwork')],
)
@pytest.mark.parametrize('recorded', ['', 'unknown'])
def test_a_network_that_the_record_does_not_know_is_that_of_the_config(recorded, backbone, expected):
    run = pretraining(record=record(architecture=recorded), model={**CONFIG['model'], 'backbone': backbone})
    assert training_facts(run)['network'] == expected
    assert sentence(run).startswith(f'{expected}, trained')


def test_backpropagation():
    facts = training_facts(backpropagation())
    assert (facts['method'], facts['local modules K']) == ('BP', '1')
    assert (facts['auxiliary networks'], facts['split after']) == ('none', 'not split')
    said = 'ResNet-34, trained by backpropagation on 1,234 images of flowers (ImageFolder) for 2 epochs.'
    assert sentence(backpropagation()) == said


def test_one_local_module_is_backpropagation():
    run = pretraining(record=record(partition={'num_local_modules': 1, 'split_points': []}))
    assert sentence(run).startswith('ResNet-34, trained by backpropagation on')


def test_weights_of_another_training_are_named():
    run = pretraining(record=record(initial_weights='bp/epoch_90.pth'))
    assert training_facts(run)['initial weights'] == 'bp/epoch_90.pth'
    assert sentence(run).startswith('ResNet-34, trained from bp/epoch_90.pth in 3 local modules')


def test_settings_that_were_changed_are_named():
    run = pretraining(changed=['optim_wrapper.optimizer.lr', 'train_dataloader.batch_size'])
    expected = 'optim_wrapper.optimizer.lr, train_dataloader.batch_size'
    assert training_facts(run)['settings changed when resumed'] == expected


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({'epoch_length': 20.0, 'train_cfg': {'max_epochs': 1}}, '1 epoch'),
        ({'finished': False, 'record': record(iteration=12)}, '2 of 2 epochs'),  # 20 iterations are logged
        ({'train_cfg': {'max_epochs': 8}}, '2 of 8 epochs'),
        ({'train_cfg': {'max_epochs': 8}, 'finished': False, 'record': record(iteration=23)}, '2.3 of 8 epochs'),
        ({'finished': False, 'epoch_length': None}, '20 iterations'),
        ({'train_cfg': {'by_epoch': False, 'max_iters': 90000}, 'epoch_length': None}, '20 of 90,000 iterations'),
    ],
)
def test_how_long(settings, expected):
    assert training_facts(pretraining(**settings))['trained for'] == expected


def test_a_training_that_is_not_finished_is_said_to_be_so():
    run = pretraining(finished=False, train_cfg={'max_epochs': 8})
    assert sentence(run).endswith(
        'for 2 of 8 epochs. The training is not finished: it was stopped, or is still running.'
    )
    assert training_facts(run)['training time (h:min:s)'] == '1:02:05 until iteration 20'


@pytest.mark.parametrize(
    ('epochs', 'has_other', 'expected'),
    [
        (2, False, [NOT_EXPORTED]),
        (2, True, [OTHER_RECORD]),
        (8, True, [NOT_FINISHED, OTHER_RECORD]),
    ],
)
def test_a_training_without_a_record_of_its_backbone_says_so(epochs, has_other, expected):
    run = pretraining(finished=False, train_cfg={'max_epochs': epochs}, has_other_record=has_other)
    assert sentence(run).endswith(f'for 2 of {epochs} epochs. {" ".join(expected)}')


@pytest.mark.parametrize(
    ('wrapper', 'processes', 'parallel', 'expected'),
    [
        ({}, 1, None, '64'),
        ({'accumulative_counts': 4}, 1, None, '64, gradients of 4 batches accumulated'),
        ({}, 8, None, '64 in each process'),
        ({}, 8, 4, '64 on each replica'),
    ],
)
def test_batch_size(wrapper, processes, parallel, expected):
    run = pretraining(optim_wrapper=wrapper, layer_parallel=parallel, record=record(num_processes=processes))
    facts = training_facts(run)
    assert facts['batch size'] == expected
    assert facts['device'] == f'a GPU, {"1 process" if processes == 1 else "8 processes"}'


@pytest.mark.parametrize(
    ('wrapper', 'expected'),
    [
        ({'type': 'auglocal_mm.AmpOptimWrapper', 'dtype': 'float16'}, 'mixed, float16'),
        ({'type': 'AmpOptimWrapper'}, 'mixed, bfloat16'),
    ],
)
def test_mixed_precision(wrapper, expected):
    assert training_facts(pretraining(optim_wrapper=wrapper))['precision'] == expected


def test_the_data_set_inside_of_a_wrapper():
    dataset = {'type': 'RepeatDataset', 'dataset': {'type': 'TorchvisionDataset', 'name': 'CIFAR10', 'data_root': 'd'}}
    facts = training_facts(pretraining(record=BackboneRecord(), train_dataloader={'dataset': dataset}))
    assert facts['data'] == 'CIFAR10 (TorchvisionDataset)'
