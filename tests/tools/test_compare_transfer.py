import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from tests_matches import evaluated, random_scene
from tests_support import tool

from auglocal_mm.evaluation.matches import Matches, collect_matches
from auglocal_mm.evaluation.weighted_statistics import weighted_statistics
from auglocal_mm.transfer.evaluation_record import EvaluationRecord, Evaluations, write_evaluations
from auglocal_mm.transfer.recorded_matches import write_matches

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'compare_transfer.py'


specification = importlib.util.spec_from_file_location('compare_transfer', TOOL)
compare_transfer = importlib.util.module_from_spec(specification)
specification.loader.exec_module(compare_transfer)


def make_work_dir(path: Path, box: float) -> Path:
    vis_data = path / '20250101_000000' / 'vis_data'
    vis_data.mkdir(parents=True)
    line = {f'coco/{kind}_mAP{item}': box for kind in ('bbox', 'segm') for item in ('', '_50', '_75', '_s', '_m', '_l')}
    (vis_data / 'scalars.json').write_text(json.dumps(line | {'step': 12}) + '\n')
    (path / 'mask-rcnn.py').write_text(f'work_dir = {str(path)!r}\n')
    return path


@pytest.fixture
def bp(tmp_path: Path) -> Path:
    return make_work_dir(tmp_path / 'bp', 0.4)


@pytest.fixture
def auglocal(tmp_path: Path) -> Path:
    return make_work_dir(tmp_path / 'auglocal', 0.412)


def test_from_the_repository_root(bp: Path, auglocal: Path, tmp_path: Path) -> None:
    """The whole way, as a user runs it."""
    out = tmp_path / 'report' / 'resnet34'
    command = [TOOL, f'BP={bp}', f'AugLocal={auglocal}', '--out', out, '--title', 'ResNet-34']
    run = tool(*map(str, command))
    assert (run.returncode, run.stderr) == (0, '')
    markdown = (out / 'comparison.md').read_text()
    assert run.stdout.startswith(markdown)
    assert '# ResNet-34' in markdown
    assert '+1.2' in markdown
    report = json.loads((out / 'comparison.json').read_text())
    assert (report['title'], report['control']) == ('ResNet-34', 'BP')
    assert (out / 'comparison.png').read_bytes().startswith(b'\x89PNG')
    assert sorted(path.name for path in out.iterdir()) == ['comparison.json', 'comparison.md', 'comparison.png']
    assert all(str(path) in run.stdout for path in out.iterdir())


def test_paths_with_equals_signs_and_commas(tmp_path: Path, bp: Path) -> None:
    odd = make_work_dir(tmp_path / 'lr=0.1,wd=0', 0.3)
    groups = compare_transfer.parse_groups([f'BP={bp},{bp}2', f'lr 0.1={odd}'])
    assert groups == {'BP': [bp, tmp_path / 'bp2'], 'lr 0.1': [odd]}


@pytest.mark.parametrize(
    ('groups', 'message'),
    [
        (['BP={bp}', '{auglocal}'], "auglocal', expected NAME=WORK_DIR"),
        (['BP={bp}', '={auglocal}'], "auglocal', expected NAME=WORK_DIR"),
        (['BP={bp}', 'AugLocal='], "'AugLocal=', expected NAME=WORK_DIR"),
        (['BP={bp}', 'AugLocal={auglocal},'], "auglocal,', expected NAME=WORK_DIR"),
        (['BP={bp}', 'BP={auglocal}'], 'name BP '),
        (['BP={bp}'], '(BP)'),
        (['BP={bp}', 'AugLocal={bp}/no_such'], 'bp/no_such '),
    ],
)
def test_bad_input_is_one_line_and_status_1(
    groups: list[str], message: str, bp: Path, auglocal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [group.format(bp=bp, auglocal=auglocal) for group in groups]
    with pytest.raises(SystemExit) as stopped:
        compare_transfer.main([*arguments, '--out', str(tmp_path / 'out')])
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    assert message in error
    assert not (tmp_path / 'out').exists()


def test_out_that_is_a_file(bp: Path, auglocal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare_transfer.main([f'BP={bp}', f'AugLocal={auglocal}', '--out', str(bp / 'mask-rcnn.py')])
    assert f'error: cannot write {bp}/mask-rcnn.py' in capsys.readouterr().err


@pytest.mark.parametrize('option', ['--bootstrap=0', '--bootstrap=-5', '--margin=-0.1', '--margin=nan', '--seed=-1'])
def test_options_out_of_range(option: str, bp: Path, auglocal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        compare_transfer.main([f'BP={bp}', f'AugLocal={auglocal}', '--out', str(bp / 'out'), option])
    assert stopped.value.code == 1
    assert f'error: {option.replace("=", " is ")}, expected' in capsys.readouterr().err


def recorded(path: Path, found: dict[str, Matches]) -> Path:
    """A work_dir with this evaluation."""
    path.mkdir()
    values = {
        f'coco/{kind}_mAP': weighted_statistics(each, np.ones((1, len(each.image_ids)), int))[0, 0]
        for kind, each in found.items()
    }
    record = dict(training=None, epoch=1, iteration=1, checkpoint=None, settings={}, metrics=values)
    validation = EvaluationRecord(**record, matches=write_matches(path, found))
    write_evaluations(path, Evaluations(validation=validation, test=None))
    return path


def matches(detections: int, images: int = 12) -> dict[str, Matches]:
    """Of so many detections on each of the images."""
    content, found = random_scene(0, images)
    kept = [each for index, each in enumerate(found) if index % 9 < detections]
    evaluations = {kind: evaluated(content, kept, kind) for kind in ('bbox', 'segm')}
    for each in evaluations.values():
        each.evaluate()
    return {kind: collect_matches(each) for kind, each in evaluations.items()}


def test_intervals_and_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = [f'{name}={recorded(tmp_path / name, matches(number))}' for name, number in (('BP', 6), ('more', 9))]
    options = ['--bootstrap', '50', '--margin', '0.5', '--seed', '3', '--out', str(tmp_path / 'out')]
    compare_transfer.main([*groups, *options])
    assert '## Verdict' in capsys.readouterr().out
    report = json.loads((tmp_path / 'out' / 'comparison.json').read_text())
    assert report['bootstrap'] == {'level': 0.95, 'replicates': 50, 'seed': 3, 'num_images': 12, 'margin': 0.5}
    entry = report['names']['more']
    for metric in ('bbox_mAP', 'segm_mAP'):
        assert entry['intervals'][metric]['difference'] == pytest.approx(entry['difference_to_control'][metric])
        assert entry['verdicts'][metric]['word'] == 'undecided'
        assert entry['verdicts'][metric]['images'] > 12


def test_html_is_written_beside_the_others(
    bp: Path, auglocal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of work_dirs without matches, of which the page says what is missing."""
    out = tmp_path / 'out'
    compare_transfer.main([f'BP={bp}', f'AugLocal={auglocal}', '--out', str(out), '--html', '--title', 'ResNet-34'])
    page = (out / 'comparison.html').read_text()
    assert '<h1>ResNet-34</h1>' in page and '+1.2' in page
    assert 'There is no verdict' in page and 'There are no photographs' in page
    assert f'wrote {out}/comparison.html' in capsys.readouterr().out
    assert len(list(out.iterdir())) == 4


def test_matches_that_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = [f'{name}={recorded(tmp_path / name, matches(6))}' for name in 'ab']
    (missing,) = (tmp_path / 'b').glob('*.npz')
    missing.unlink()
    with pytest.raises(SystemExit):
        compare_transfer.main([*groups, '--out', str(tmp_path / 'out')])
    error = capsys.readouterr().err
    assert str(missing) in error and error.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_one_image_decides_nothing(tmp_path: Path) -> None:
    groups = [
        f'{name}={recorded(tmp_path / name, matches(number, images=1))}' for name, number in (('BP', 9), ('x', 4))
    ]
    compare_transfer.main([*groups, '--out', str(tmp_path / 'out'), '--html'])
    texts = [(tmp_path / 'out' / f'comparison.{kind}').read_text() for kind in ('md', 'html')]
    assert all(
        'the 1 image' in text and 'undecided' in text and 'too few images have objects' in text for text in texts
    )
    assert not any(word in text for text in texts for word in ('better</strong>', 'nan', 'inf ', '1 images'))


@pytest.mark.parametrize('silent', ['BP', 'AugLocal'])
def test_a_detector_without_detections_is_named(
    silent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither pycocotools nor MMDetection has an AP of no detections."""
    work_dirs = {name: recorded(tmp_path / name, {} if name == silent else matches(5)) for name in ('BP', 'AugLocal')}
    with pytest.raises(SystemExit, match='1'):
        compare_transfer.main([*(f'{name}={path}' for name, path in work_dirs.items()), '--out', str(tmp_path / 'out')])
    error = capsys.readouterr().err
    assert f'{work_dirs[silent]}/evaluation.json' in error and 'no predictions' in error and error.count('\n') == 1
    assert not (tmp_path / 'out').exists()
