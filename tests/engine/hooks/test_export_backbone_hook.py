import json
from pathlib import Path

import torch
from mmengine.runner import Runner
from tests_support import call


def described(config) -> dict:
    return json.loads((Path(config.work_dir) / 'backbone.json').read_text())


def test_an_accuracy_is_that_of_its_own_weights(tiny_config):
    config = tiny_config('bp')
    runner = Runner.from_cfg(config)
    runner.train()
    measured = runner.val_loop.run()
    assert described(config)['accuracy'] == measured
    assert described(config)['epoch'] == 2
    # Written before the validation of its epoch, the accuracy that was known was that of the one before.
    saved = torch.load(f'{config.work_dir}/epoch_2.pth', weights_only=False)['meta']
    assert saved['epoch'] == 2 and saved['auglocal_mm']['accuracy'] == {}


def test_a_run_that_was_stopped_before_its_last_validation_makes_up_for_it(tiny_config):
    config = tiny_config('bp')
    Runner.from_cfg(config).train()
    expected = described(config)
    (Path(config.work_dir) / 'backbone.json').unlink()
    Runner.from_cfg(tiny_config('bp', load_from=f'{config.work_dir}/epoch_2.pth', resume=True)).train()
    assert described(config)['accuracy'] == expected['accuracy'] != {}


def test_the_description_says_how_to_train_it_again(tiny_config, tmp_path):
    config = tiny_config('auglocal', **{'model.partition': {'num_local_modules': 3}})
    Runner.from_cfg(config).train()
    found = described(config)
    assert found['partition'] == {'num_local_modules': 3, 'split_points': ['layer1.0', 'layer2.0']}
    assert found['auxiliary_heads'] == {'type': 'AugLocalHead', 'depth': 3}
    folder = Path(config.train_dataloader.dataset.data_root).name
    assert found['datasets'] == [{'type': 'ImageFolder', 'folder': folder, 'num_images': 24}]
    assert (found['seed'], found['num_processes']) == (0, 1)
    assert found['versions']['torch'] == torch.__version__.split('+')[0]
    # From the last checkpoint, the same description can be written.
    call('tools/model_converters/export_backbone.py', f'{config.work_dir}/epoch_2.pth', str(tmp_path / 'again.pth'))
    again = json.loads((tmp_path / 'again.json').read_text())
    assert found.pop('num_validation_images') == 6 and again['accuracy'] == {}  # it is written before it is validated
    later = ('accuracy', 'training_seconds', 'peak_memory')
    assert {**found, **{key: again[key] for key in later}} == again
    assert again['training_seconds'] <= found['training_seconds']
    # With its split points and heads, the network is the same.
    model = {'model.partition': {'split_points': found['partition']['split_points']}}
    model['model.auxiliary_heads'] = found['auxiliary_heads']
    repeated = tiny_config('auglocal', work_dir=str(tmp_path / 'repeated'), **model)
    Runner.from_cfg(repeated).train()
    assert described(repeated)['sha256'] == found['sha256']


def test_bp_is_one_module_without_heads(tiny_config):
    config = tiny_config('bp', **{'train_cfg.max_epochs': 1})
    Runner.from_cfg(config).train()
    assert described(config)['partition'] == {'num_local_modules': 1, 'split_points': []}
    assert described(config)['architecture'] == 'ResNet'  # of three stages, which has no depth of a plain one
    assert 'auxiliary_heads' not in described(config)


def test_the_description_says_what_the_training_started_from(tiny_config, tmp_path):
    config = tiny_config('bp', **{'train_cfg.max_epochs': 1})
    Runner.from_cfg(config).train()
    assert described(config)['initial_weights'] == ''
    source = f'{config.work_dir}/epoch_1.pth'
    local = tiny_config('auglocal', load_from=source, work_dir=str(tmp_path / 'local'))
    Runner.from_cfg(local).train()
    # A resumed run starts from its own checkpoint, but the training does not.
    resumed = {'load_from': f'{local.work_dir}/epoch_1.pth', 'resume': True}
    Runner.from_cfg(tiny_config('auglocal', work_dir=local.work_dir, **resumed)).train()
    assert described(local)['initial_weights'] == f'{Path(config.work_dir).name}/epoch_1.pth'
