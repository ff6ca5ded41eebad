"""Tables show only what was run, and mark what was run with other settings."""

import json
import sys

from tests_support import REPOSITORY, assert_error, tool

sys.path.insert(0, str(REPOSITORY / 'projects/paper_tables'))

import make_tables

PROJECT = 'projects/paper_tables'


def record(top1: float, **overrides) -> dict:
    return {'accuracy': {'accuracy/top1': top1}, 'overrides': overrides}


def test_cells_of_other_settings_are_marked(tiny_study, tmp_path, capsys):
    rows = {
        'r-bp': {'0': record(10, **{'train_dataloader': {'num_workers': 8}, 'val_dataloader.dataset.data_root': 'x'})},
        'r-d=3': {'0': record(20), '1': record(22, **{'train_cfg.max_epochs': 5, 'train_dataloader.num_workers': 8})},
    }
    (tmp_path / 'tiny.json').write_text(json.dumps(rows))
    make_tables.main([str(tiny_study), '--results', str(tmp_path)])
    printed = capsys.readouterr().out
    assert '| r | 10.00 (12.34) | 21.00 ± 1.41 (n=2) † |' in printed
    assert printed.count('† Run with settings') == 1
    assert 'r-d=3 (train_cfg.max_epochs=5).' in printed
    written = json.loads((tmp_path / 'tiny_table.json').read_text())
    assert written['r-d=3']['overrides'] == {'train_cfg.max_epochs': 5}


def test_a_result_without_the_metric_is_refused(tiny_study, tmp_path):
    (tmp_path / 'tiny.json').write_text(json.dumps({'r-bp': {'3': {'accuracy': {'accuracy/top5': 99.0}}}}))
    done = tool(f'{PROJECT}/make_tables.py', str(tiny_study), '--results', str(tmp_path))
    assert_error(done, 'r-bp, seed 3', 'accuracy/top1')


def test_a_result_of_other_options_is_refused(tiny_study, tmp_path):
    old = {**record(10), 'options': {'train_cfg.max_epochs': 7, 'val_dataloader.dataset.data_root': 'x'}}
    (tmp_path / 'tiny.json').write_text(json.dumps({'r-bp': {'2': old}}))
    done = tool(f'{PROJECT}/make_tables.py', str(tiny_study), '--results', str(tmp_path))
    assert_error(done, 'r-bp, seed 2', 'train_cfg.max_epochs')
