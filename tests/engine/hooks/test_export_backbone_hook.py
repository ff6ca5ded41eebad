import json
from pathlib import Path

import torch
from mmengine.runner import Runner


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
