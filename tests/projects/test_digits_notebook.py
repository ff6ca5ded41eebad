"""The notebook on digits: its code in miniature, and what its committed outputs show."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import REPOSITORY

from auglocal_mm.analysis import load_classifier
from auglocal_mm.weights.checkpoint_file import read_weights

NOTEBOOK = REPOSITORY / 'projects/digits_demo/local_learning.ipynb'
MAGIC = '%matplotlib inline\n'  # without it, Jupyter prints figures as text
CODE = [cell for cell in json.loads(NOTEBOOK.read_text())['cells'] if cell['cell_type'] == 'code']


@pytest.fixture(scope='module')
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that all cells define, on 150 scans, in two epochs of a very narrow network."""
    names: dict[str, Any] = {'__name__': 'notebook'}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(NOTEBOOK.parent)
        for index, cell in enumerate(CODE):
            code = ''.join(cell['source']).removeprefix(MAGIC)
            exec(compile(code, f'{NOTEBOOK.name}[{index}]', 'exec'), names)
            if index == 0:
                names.update(EPOCHS=2, WIDTH=4, SCANS=150, OUT=tmp_path_factory.mktemp('notebook'))
    return names


def test_every_layer_is_a_module_whose_loss_falls(ran):
    assert [module.name for module in ran['modules']] == [layer.name for layer in ran['model'].layers]
    assert len(ran['modules']) == 9
    assert all(points[-1][1] < points[0][1] for points in ran['losses'].values())


def test_the_methods_differ_in_the_heads_and_the_hook(ran):
    local, bp = (ran[name].to_dict() for name in ('local', 'bp'))
    assert local.pop('custom_hooks') == [dict(type='AugLocalHook')]
    assert local['model'].pop('auxiliary_heads') == dict(type='AugLocalHead', depth=2)
    del local['model']['checkpointed']
    for key in ('work_dir', 'experiment_name'):
        assert local.pop(key) != bp.pop(key)
    assert local == bp


@torch.no_grad()
def test_the_export_is_the_network_that_was_compared(ran):
    assert (ran['coverage'].missing, ran['record']['partition']['num_local_modules']) == ([], 9)
    assert ran['record']['datasets'] == [{'type': 'Digits', 'num_images': 120}]
    trained = load_classifier(ran['local'], f'{ran["local"].work_dir}/epoch_2.pth')
    exported = read_weights(Path(ran['OUT'], 'auglocal', 'backbone.pth'))
    weights = trained.backbone.state_dict()
    assert all(torch.equal(exported[name], value) for name, value in weights.items())
    assert all(len(points) == 9 for points in ran['probes'].values())


def test_jupyter_shows_the_figures():
    assert ''.join(CODE[0]['source']).startswith(MAGIC)


def printed(pattern: str) -> list[Any]:
    """What the pattern finds in the committed texts."""
    outputs = [output for cell in CODE for output in cell['outputs'] if output['output_type'] == 'stream']
    return [found for output in outputs for found in re.findall(pattern, ''.join(output['text']))]


def test_the_committed_outputs_show_what_the_text_claims():
    assert not [output for cell in CODE for output in cell['outputs'] if output['output_type'] == 'error']
    assert len([output for cell in CODE for output in cell['outputs'] if 'image/png' in output.get('data', {})]) == 2
    stem, *later = [(float(first), float(last)) for first, last in printed(r'(\S+) -> (\S+)')]
    assert len(later) == 8 and all(last < first for first, last in (stem, *later))
    assert all(last < stem[1] for _, last in later)
    local, bp = [[float(number) for number in found.split()] for found in printed(r'probes (.+)')]
    assert local[0] > bp[0] and local[1] > bp[1]
    assert [float(found) > 95 for found in printed(r'top-1 (\S+)')] == [True, True]
