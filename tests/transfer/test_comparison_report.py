import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auglocal_mm.transfer.comparison import Comparison, compare
from auglocal_mm.transfer.comparison_report import MAX_SETTINGS, label, to_json, to_markdown

MakeWorkDir = Callable[..., Path]
Validation = Callable[..., dict[str, Any]]


@pytest.fixture
def comparison(tmp_path: Path, make_work_dir: MakeWorkDir, validation: Validation) -> Comparison:
    """BP with box AP 40.0 and 42.0 over two seeds, AugLocal with 41.5, without small objects, from a known backbone."""
    record = {'method': 'auglocal', 'accuracy': {'accuracy/top1': 73.14}}
    (tmp_path / 'auglocal.json').write_text(json.dumps(record))
    lines = [validation(12, 0.415, 0.3, bbox_mAP_s=-1.0)]
    return compare(
        {
            'BP': [make_work_dir(f'bp{seed}', {'t': [validation(12, box)]}) for seed, box in enumerate((0.40, 0.42))],
            'Aug|Local': [make_work_dir('auglocal', {'t': lines}, checkpoint=str(tmp_path / 'auglocal.pth'))],
        }
    )


def rows(markdown: str, name: str) -> list[list[str]]:
    """The cells after the name, in each table row of that name."""
    cells = [[cell.strip() for cell in line.split(' | ')] for line in markdown.splitlines() if line.startswith('| ')]
    return [[cell.strip('| ') for cell in row[1:]] for row in cells if row[0] == f'| {name}']


def test_label() -> None:
    assert [label(metric) for metric in ('bbox_mAP', 'segm_mAP_50', 'segm_mAP_s')] == [
        'box AP',
        'mask AP50',
        'mask APs',
    ]


def test_tables(comparison: Comparison) -> None:
    markdown = to_markdown(comparison)
    assert rows(markdown, 'BP')[0] == [
        *('n/a', 'n/a', '2 (1 backbone)', '12'),
        *('41.0 ± 1.4', '61.0 ± 1.4', '51.0 ± 1.4', '20.0 ± 0.0', '40.0 ± 0.0', '30.0 ± 0.0'),
    ]
    headline, difference, sizes, size_difference = rows(markdown, r'Aug\|Local')
    assert len(rows(markdown, 'BP')) == 2  # the control has no difference to itself
    assert headline == ['auglocal', '73.14', '1', '12', '41.5', '61.5', '51.5', '30.0', '50.0', '40.0']
    assert difference == ['+0.5', '+0.5', '+0.5', '+10.0', '+10.0', '+10.0']
    assert sizes == ['n/a', '41.5', '51.5', '20.0', '30.0', '40.0']
    assert size_difference == ['n/a', '+0.5', '+0.5', '+10.0', '+10.0', '+10.0']


def test_negative_and_vanishing_differences(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    groups = {
        'BP': [make_work_dir('bp', {'t': [validation(12, 0.4, 0.3)]})],
        'AugLocal': [make_work_dir('auglocal', {'t': [validation(12, 0.388, 0.3)]})],
    }
    assert rows(to_markdown(compare(groups)), 'AugLocal')[1] == ['−1.2', '−1.2', '−1.2', '0.0', '0.0', '0.0']


def test_top1_is_over_backbones_not_over_detectors(tmp_path: Path, make_work_dir: MakeWorkDir) -> None:
    """Three detectors from two backbones: (70 + 74) / 2 = 72, and the root of (4 + 4) / 1 is 2.83."""
    for name, top1 in (('a', 70.0), ('b', 74.0)):
        (tmp_path / f'{name}.json').write_text(json.dumps({'method': 'bp', 'accuracy': {'accuracy/top1': top1}}))
    checkpoints = [str(tmp_path / name) for name in ('a.pth', 'a.pth', 'b.pth')]
    bp = [make_work_dir(f'bp{seed}', checkpoint=checkpoint) for seed, checkpoint in enumerate(checkpoints)]
    markdown = to_markdown(compare({'BP': bp, 'AugLocal': [make_work_dir('auglocal')]}))
    assert rows(markdown, 'BP')[0][:3] == ['bp', '72.00 ± 2.83', '3 (2 backbones)']


def test_title_and_origin_of_each_run(comparison: Comparison) -> None:
    markdown = to_markdown(comparison, 'ResNet-34')
    assert markdown.startswith('# ResNet-34\n')
    for runs in comparison.groups.values():
        for run in runs:
            assert f'epoch 12 in `{run.evaluation.source}`, backbone `{run.pretraining.checkpoint}`' in markdown


def test_a_backbone_that_was_not_trained_from_scratch_is_said_to_be_so(
    tmp_path: Path, make_work_dir: MakeWorkDir
) -> None:
    (tmp_path / 'a.json').write_text(json.dumps({'method': 'AugLocalHead', 'initial_weights': 'bp/epoch_90.pth'}))
    runs = {'BP': [make_work_dir('bp')], 'AugLocal': [make_work_dir('a', checkpoint=str(tmp_path / 'a.pth'))]}
    assert f'backbone `{tmp_path / "a.pth"}`, which was trained from `bp/epoch_90.pth`' in to_markdown(compare(runs))


def test_says_that_no_setting_differs(comparison: Comparison) -> None:
    assert '## Settings that differ\n\nNone: ' in to_markdown(comparison)


def test_settings_that_differ_are_capped(make_work_dir: MakeWorkDir, config_text: str) -> None:
    many = ''.join(f'option_{index:02} = {"x" * 100!r}\n' for index in range(MAX_SETTINGS + 3))
    other = make_work_dir('auglocal', config=config_text + many)
    comparison = compare({'BP': [make_work_dir('bp')], 'AugLocal': [other]})
    markdown = to_markdown(comparison)
    assert rows(markdown, '`option_00`') == [['(not set)', 'x' * 57 + '...']]
    assert markdown.count('| `option_') == MAX_SETTINGS
    assert '... and 3 more, all in the JSON.' in markdown
    settings = to_json(comparison)['settings_that_differ']
    assert len(settings) == MAX_SETTINGS + 3
    assert settings['option_22'][str(other)] == 'x' * 100


def test_json_contains_everything(comparison: Comparison) -> None:
    report = json.loads(json.dumps(to_json(comparison, 'ResNet-34'), allow_nan=False))
    assert (report['title'], report['control'], list(report['names'])) == ('ResNet-34', 'BP', ['BP', 'Aug|Local'])
    control, other = report['names'].values()
    assert (control['n'], control['backbones'], other['backbones']) == (2, 1, 1)
    assert control['metrics']['bbox_mAP'] == {'mean': 41.0, 'std': pytest.approx(2**0.5), 'n': 2}
    assert [run['metrics']['bbox_mAP'] for run in control['runs']] == [40.0, 42.0]
    assert other['difference_to_control']['bbox_mAP'] == 0.5
    assert other['metrics']['bbox_mAP_s']['mean'] is None
    run, read = other['runs'][0], comparison.groups['Aug|Local'][0]
    assert (run['evaluation'], run['epoch']) == ('validation', 12)
    assert (run['work_dir'], run['source']) == (str(read.work_dir), str(read.evaluation.source))
    assert run['pretraining']['record']['method'] == 'auglocal'
    assert report['settings_that_differ'] == {}
