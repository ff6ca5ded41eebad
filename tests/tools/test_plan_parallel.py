"""The planner for several devices as a user starts it, and what it writes as a user trains it."""

import json
import re
import sys

import pytest
from mmengine.config import Config
from tests_groups import train
from tests_support import REPOSITORY, write

from auglocal_mm.errors import InputError

sys.path.insert(0, str(REPOSITORY / 'tools/analysis_tools'))

import plan_parallel

pytestmark = pytest.mark.usefixtures('costs_measured_once')


def plan(config, out, *arguments) -> dict:
    plan_parallel.main.__wrapped__([str(config), '--out', str(out), '--max-depth', '2', *arguments])
    return json.loads((out / 'plan.json').read_text())


def test_two_processes_train_the_plan_as_it_stands(tiny_config, tmp_path, capsys):
    config = write(tiny_config(**{'model.image_size': 32}), tmp_path / 'tiny.py')
    data = plan(config, tmp_path / 'out', '--devices', '2', '--batch-size', '8')
    names = [each['name'] for each in data['predictions']]
    assert len(names) == 5 and all(name in capsys.readouterr().out for name in names[:1])
    assert min(each['seconds'] for each in data['predictions']) > 0
    (snippet,) = (tmp_path / 'out').glob('*_parallel.py')
    planned = Config.fromfile(snippet)
    planned.work_dir = str(tmp_path / 'work')
    weights = train(planned, 2)['state_dict']
    assert sum(len(stage) for stage in data['stages']) - 1 == len(
        {name.split('.')[1] for name in weights if name.startswith('auxiliary_heads')}
    )


def test_a_given_speed_needs_no_measurement_and_scales_all_times(tiny_config, tmp_path, monkeypatch):
    monkeypatch.delattr(plan_parallel, 'time_costs')
    config = write(tiny_config(**{'model.image_size': 32}), tmp_path / 'tiny.py')
    links = ('--bandwidth', '100Tbit', '--latency', '0us', '--heads', 'DGLHead')
    one, ten = (
        plan(config, tmp_path / 'out', '--devices', '3', '--tflops', speed, *links) for speed in ('0.001', '0.01')
    )
    for slow, fast in zip(one['predictions'][:3], ten['predictions'][:3], strict=True):
        assert slow['seconds'] == pytest.approx(10 * fast['seconds'], rel=0.01)
    assert one['config']['model']['auxiliary_heads']['type'] == 'DGLHead'


def test_the_report_names_single_layers_once_and_writes_out_large_numbers(tiny_config, tmp_path):
    config = write(tiny_config(**{'model.image_size': 32}), tmp_path / 'tiny.py')
    plan(config, tmp_path / 'out', '--devices', '2', '--tflops', '10', '--bandwidth', '100Tbit', '--latency', '0us')
    report = (tmp_path / 'out' / 'plan.md').read_text()
    assert 'stem' in report and not re.search(r'(\S+) to \1\b', report)
    assert re.search(r'\d,\d{3} \|', report) and 'e+' not in report


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--devices', '1'), '--devices is 1'),
        (('--devices', '9'), '--devices is 9.* 7 local layers'),
        (('--devices', '2', '--device-memory', '0.3MiB'), '0.3 MiB.*--device-memory'),
        (('--devices', '2', '--bandwidth', 'fast'), '--bandwidth'),
        (('--devices', '2', '--tflops', '0'), '--tflops'),
        (('--devices', '2', '--tflops', 'nan'), '--tflops is nan'),
        (('--devices', '2', '--tflops', 'inf'), '--tflops is inf'),
        (('--devices', '2', '--device-memory', ''), "--device-memory is ''"),
        (('--devices', '2', '--min-depth', '40', '--max-depth', '40'), '--min-depth is 40.* 7,'),
        (('--devices', '2', '--out', __file__), f'--out is {__file__}'),
    ],
)
def test_what_cannot_be_planned_is_refused(tiny_config, tmp_path, arguments, words):
    config = write(tiny_config(**{'model.image_size': 32}), tmp_path / 'tiny.py')
    speed = () if '--tflops' in arguments else ('--tflops', '1')
    with pytest.raises(InputError, match=words):
        plan_parallel.main.__wrapped__([str(config), '--out', str(tmp_path), '--max-depth', '2', *arguments, *speed])
