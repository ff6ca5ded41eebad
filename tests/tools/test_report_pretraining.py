"""The report of pretrainings as a user writes it, from real trainings, and in a browser."""

import json
import re
from pathlib import Path

import pytest
from mmengine.runner import Runner
from tests_browser import look_on_a_phone, needs_browser
from tests_support import call
from tests_training import tiny_training, write_images

TOOL = 'tools/analysis_tools/report_pretraining.py'


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The work_dirs of a training by BP and of one in seven local modules."""
    folder = tmp_path_factory.mktemp('trained')
    images = write_images(folder / 'images')
    for method in ('bp', 'auglocal'):
        Runner.from_cfg(tiny_training(method, images, work_dir=str(folder / method))).train()
    return {method: folder / method for method in ('bp', 'auglocal')}


@pytest.fixture(scope='module')
def report(trained: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of both."""
    path = tmp_path_factory.mktemp('report') / 'both.html'
    call(TOOL, f'BP={trained["bp"]}', str(trained['auglocal']), '--out', str(path))
    return path


def test_the_page_has_what_was_recorded(trained, report):
    html = report.read_text()
    for method, name in (('bp', 'BP'), ('auglocal', 'auglocal')):
        record = json.loads((trained[method] / 'backbone.json').read_text())
        assert record['sha256'] in html
        assert f'{record["accuracy"]["accuracy/top1"]:.2f}\N{NO-BREAK SPACE}%' in html
        assert f'<h3>{name}</h3>' in html
    (log,) = trained['auglocal'].glob('*/vis_data/scalars.json')
    *_, last = (line for line in map(json.loads, log.read_text().splitlines()) if 'local/stem/loss' in line)
    losses = [value for name, value in last.items() if name.endswith('/loss')]
    assert len(losses) == 7 and all(f'<td>{loss:.4f}</td>' in html for loss in losses)


@needs_browser
def test_the_page_in_a_browser(report, tmp_path):
    seen = look_on_a_phone(report, tmp_path)
    assert 'layer3.1' in seen.text and 'Settings that differ' in seen.text


def test_a_folder_takes_the_page(trained, tmp_path):
    call(TOOL, str(trained['bp']), '--out', str(tmp_path / 'out'))
    html = (tmp_path / 'out' / 'pretraining.html').read_text()
    assert re.search('<h1>(.*)</h1>', html)[1] == 'Pretraining: bp'


@pytest.mark.parametrize(
    ('runs', 'words'),
    [
        (['nowhere'], ('nowhere', 'scalars.json', 'work_dir')),
        (['{bp}', '{bp}'], ('bp', 'twice')),
        (['a={bp}', 'a={auglocal}'], ('name a', 'twice')),
        (['BP={bp}', 'images={bp}/../images'], ('images', 'scalars.json')),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(runs, words, trained, tmp_path, capsys):
    with pytest.raises(SystemExit, match='1'):
        call(TOOL, *(run.format(**trained) for run in runs), '--out', str(tmp_path / 'out'))
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith('error: ') and all(word in error for word in words)
    assert not (tmp_path / 'out').exists()
