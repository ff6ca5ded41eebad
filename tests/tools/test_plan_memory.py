"""The planner as a user starts it, and what it writes as a user trains it."""

import json
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tests_support import REPOSITORY, write

sys.path.insert(0, str(REPOSITORY / 'tools/analysis_tools'))

import plan_memory
from tests_training import stages

from auglocal_mm.planning.search import frontier

pytestmark = pytest.mark.usefixtures('costs_measured_once')


@pytest.fixture(autouse=True)
def fewer_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontier, 'SHARES', frontier.SHARES[::4])


def plan(config, out, *arguments, capsys) -> tuple[dict, str]:
    plan_memory.main([config, '--out', str(out), '--max-depth', '3', *arguments])
    return json.loads((out / 'plan.json').read_text()), capsys.readouterr().out


def test_the_chosen_plan_trains_as_it_stands(tiny_config, tmp_path, capsys):
    settings = {'model.image_size': 32, 'model.backbone.depth': 101, 'model.backbone.base_channels': 8}
    base = tiny_config(**stages(4), **settings)
    config = write(base, tmp_path / 'tiny.py')
    arguments = ['--max-depth', '2', '--batch-size', '24', '--budget', '11MiB']
    data, printed = plan(config, tmp_path / 'out', *arguments, capsys=capsys)
    assert 'BP with checkpointing' in printed and '## Chosen: K = ' in printed
    chosen = data['chosen']
    assert chosen['memory']['total'] <= 11 * 2**20 < data['backpropagation']['memory']['total']
    cheaper = [each for each in data['frontier'] if each['cost_per_image'] < chosen['cost_per_image']]
    assert all(each['memory']['total'] > 11 * 2**20 for each in cheaper)
    assert (tmp_path / 'out' / 'plan.png').stat().st_size > 5000
    (snippet,) = (tmp_path / 'out').glob('*_planned.py')
    planned = Config.fromfile(snippet)
    planned.work_dir, planned.experiment_name = str(tmp_path / 'work'), f'planned_{tmp_path.name}'
    runner = Runner.from_cfg(planned)
    runner.train()
    assert runner.iter == 2, 'two epochs of one batch'
    assert len(runner.model.local_modules()) == len(chosen['modules']) > 1
    assert torch.load(tmp_path / 'work' / 'backbone.pth', weights_only=True)


def test_plans_by_time(tiny_config, tmp_path, capsys):
    config = write(tiny_config(**{'model.image_size': 32}), tmp_path / 'tiny.py')
    arguments = ['--batch-size', '8', '--cost', 'time', '--max-depth', '2']
    data, printed = plan(config, tmp_path / 'out', *arguments, capsys=capsys)
    assert data['cost'] == 'nanoseconds'
    assert 'An iteration takes' in printed and '| time |' in printed


def test_plans_have_heads_of_the_kinds_that_are_given(tiny_config, tmp_path, capsys):
    settings = {'model.image_size': 32, 'model.backbone.depth': 101, 'model.backbone.base_channels': 8}
    config = write(tiny_config(**stages(4), **settings), tmp_path / 'tiny.py')
    arguments = ['--max-depth', '2', '--batch-size', '24', '--budget', '11MiB', '--heads', 'AugLocalHead', 'DGLHead']
    data, printed = plan(config, tmp_path / 'out', *arguments, capsys=capsys)
    kinds = {entry['heads'] for entry in data['frontier'] if len(entry['modules']) > 1}
    assert 'DGLHead' in kinds and 'DGLHead' in printed
    light = next(entry for entry in data['frontier'] if entry['heads'] == 'DGLHead')
    assert {module['depth'] for module in light['modules'][:-1]} == {1}


def test_backpropagation_with_checkpointing_is_a_plan_too(tiny_config, tmp_path, capsys):
    config = write(tiny_config(**{'model.image_size': 32}), tmp_path / 'tiny.py')
    data, _ = plan(config, tmp_path / 'out', '--batch-size', '8', '--budget', '1GiB', capsys=capsys)
    assert data['chosen']['description'] == 'BP, 0 layers and the norms of 0 recomputed'
    assert data['config']['model']['auxiliary_heads'] is None
    assert data['config']['custom_hooks'] == []


def test_the_written_config_has_what_the_command_line_changed(tiny_config, tmp_path, capsys):
    """Cuts, so that hooks of local learning are needed beside the one that was there; places in lists; bfloat16."""
    hooks = [dict(type='AugLocalHook'), dict(type='PrimaryEMAHook')]
    kept = dict(selection='sequential', shallow_norm=True, loss_weights=dict(cross_entropy=[0.5, 1.0]))
    heads = dict(_delete_=True, type='AugLocalHead', depth=5, pyramid=0.5, **kept)
    base = tiny_config(**{'model.backbone.depth': 34, 'model.backbone.base_channels': 4, 'custom_hooks': hooks})
    base.merge_from_dict({'model.auxiliary_heads': heads})
    config = write(base, tmp_path / 'tiny.py')
    options = [
        'model.backbone.depth=101',
        'model.backbone.base_channels=8',
        'train_dataloader.dataset.transforms.0.size=32',
    ]
    arguments = [
        '--max-depth',
        '2',
        '--batch-size',
        '64',
        '--image-size',
        '32',
        '--amp',
        '--budget',
        '12MiB',
        '--cfg-options',
    ]
    arguments += options
    data, _ = plan(config, tmp_path / 'out', *arguments, capsys=capsys)
    assert len(data['chosen']['modules']) > 1
    (snippet,) = (tmp_path / 'out').glob('*_planned.py')
    planned = Config.fromfile(snippet)
    assert (planned.model.backbone.depth, planned.model.image_size, planned.train_dataloader.batch_size) == (
        101,
        32,
        64,
    )
    assert planned.model.backbone.type == 'mmdet.ResNet'
    assert planned.train_dataloader.dataset.transforms[0] == dict(type='RandomCrop', size=32, padding=4)
    assert planned.custom_hooks == hooks
    assert set(planned.model.auxiliary_heads) - {'checkpointed'} == {'type', 'depth', *kept}
    assert {key: planned.model.auxiliary_heads[key] for key in kept} == kept
    assert planned.optim_wrapper.type == 'auglocal_mm.AmpOptimWrapper'
    assert 'for a batch of 64 images of 32 pixels' in snippet.read_text()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--batch-size', '0'], 'train_dataloader.batch_size is 0'),
        (['--image-size', '0'], 'image_size is 0'),
        (['--budget', ''], "budget is ''"),
        (['--budget', '8 parsec'], "budget is '8 parsec'"),
        (['--budget', '1KiB'], '0.0 MiB'),
        (['--min-depth', '4'], '--min-depth is 4 and --max-depth 3'),
        (['--min-depth', '40', '--max-depth', '40'], '--min-depth is 40'),
        (
            ['--cfg-options', 'optim_wrapper.optimizer=dict(_delete_=True,type=ASGD)'],
            'optim_wrapper.optimizer.type is ASGD',
        ),
        (['--cfg-options', 'model.partition.chain=[layer9]'], "'layer9'"),
        (
            ['--cfg-options', 'model.auxiliary_heads=dict(_delete_=True,type=InfoProHead)'],
            'model.auxiliary_heads.type is InfoProHead',
        ),
    ],
)
def test_bad_input(arguments, words, tiny_config, tmp_path, capsys):
    config = write(tiny_config(**{'model.image_size': 32}), tmp_path / 'tiny.py')
    with pytest.raises(SystemExit) as stopped:
        plan_memory.main([config, '--out', str(tmp_path / 'out'), '--max-depth', '3', *arguments])
    assert stopped.value.code == 1
    assert words in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / 'out').exists()
