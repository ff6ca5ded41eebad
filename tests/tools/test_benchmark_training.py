"""The benchmark as a user starts it."""

import json
import sys
from pathlib import Path

import pytest
import torch
from tests_support import REPOSITORY, assert_error, tool, write

sys.path.insert(0, str(REPOSITORY / 'tools/analysis_tools'))

import benchmark_training
from benchmark_training import loader_speed

from auglocal_mm.benchmark import schemes
from auglocal_mm.benchmark.measurement import Measurement

NAMES = [
    'BP',
    'BP checkpointed',
    'BP, updated in backward',
    'AugLocal as released',
    'AugLocal',
    'AugLocal, norms recomputed',
    'AugLocal checkpointed',
]

pytestmark = pytest.mark.usefixtures('costs_measured_once')


@pytest.fixture
def config(tiny_config, tmp_path) -> str:
    return write(tiny_config(**{'model.image_size': 32}), tmp_path / 'tiny.py')


def test_the_tool_writes_all_it_measured(config, tmp_path, capfd):
    """Here, in this process: those of the schemes are forked from one that has the imports already."""
    out = tmp_path / 'out'
    arguments = ['--device', 'cpu', '--batch-size', '4', '--iterations', '1', '--rounds', '1']
    arguments += ['--plans', '0.001', '--loader', '--out', str(out)]
    benchmark_training.main([config, *arguments])
    printed = capfd.readouterr().out
    data = json.loads((out / 'benchmark.json').read_text())
    (entry,) = data['configs']
    assert (entry['config'], entry['batch_size'], entry['image_size'], entry['dtype']) == (config, 4, 32, 'float32')
    assert data['machine']['processor'] and data['machine']['cores'] >= 1
    found = {scheme['name']: scheme for scheme in entry['schemes']}
    assert list(found) == [*NAMES, 'plan 0.00x']
    assert [scheme['possible'] for scheme in found.values()] == [True] * 7 + [False]
    assert all(len(found[name]['times_ms']) == len(found[name]['times_ms'][0]) == 1 for name in NAMES)
    assert all(found[name]['peak_resident'] > 2**26 for name in NAMES)
    assert found['AugLocal']['gradients'] == 0
    assert found['AugLocal as released']['activations'] > found['AugLocal']['activations']
    assert found['BP']['flops'] < found['AugLocal']['flops']
    assert 'rival' in found['AugLocal'] and 'rival' not in found['BP checkpointed']
    assert entry['loader_images_per_second'] > 0
    text = (out / 'benchmark.md').read_text()
    assert text in printed
    assert f'AugLocal takes {entry["auglocal_to_released"]["median"]:.2f}x the time of AugLocal as released' in text
    assert '| plan 0.00x | not possible |' in text and 'The data loader alone gives' in text
    assert (out / 'benchmark.png').stat().st_size > 5000
    assert 'init_weights' not in printed  # MMEngine lists every weight


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Names of the schemes in the order in which they are measured; nothing is."""
    names: list[str] = []

    def measure(scheme, iterations, device):
        optimizer, size = scheme.config.optim_wrapper, scheme.config.model.image_size
        names.append(f'{scheme.name} {optimizer.type} {size} {scheme.config.train_dataloader.batch_size} {iterations}')
        predicted = scheme.prediction.seconds(device) if scheme.prediction else None
        return Measurement(4, [1.0], predicted, *[100] * 12)

    monkeypatch.setattr(benchmark_training, 'measure_alone', measure)
    return names


def test_predicted_times_are_compared_with_those_of_an_iteration(config, tmp_path, calls, monkeypatch):
    monkeypatch.setattr(schemes, 'DEPTHS', [2])
    arguments = ['--cost', 'time', '--plans', '1', '--rounds', '1', '--only', 'plan', 'AugLocal']
    arguments += ['--out', str(tmp_path / 'out')]
    benchmark_training.main([config, *arguments])
    entry = json.loads((tmp_path / 'out' / 'benchmark.json').read_text())['configs'][0]
    predicted = {scheme['name']: scheme['predicted_ms'][0] for scheme in entry['schemes'] if 'predicted_ms' in scheme}
    planned_bp = {'BP, plan 1.00x'}  # only if the times of today favour several modules
    assert predicted.keys() - planned_bp == {'BP', 'plan 1.00x'} and min(predicted.values()) > 0
    text = (tmp_path / 'out' / 'benchmark.md').read_text()
    assert f'| {predicted["BP"]:.1f} ({predicted["BP"] / 1000 - 1:+.0%}) |' in text


def test_times_of_backpropagation_are_predicted_without_plans(config, tmp_path, calls, monkeypatch):
    monkeypatch.setattr(schemes, 'DEPTHS', [2])
    out = tmp_path / 'out'
    benchmark_training.main([config, '--cost', 'time', '--plans', '--rounds', '1', '--only', 'BP', '--out', str(out)])
    reference, *others = json.loads((out / 'benchmark.json').read_text())['configs'][0]['schemes']
    assert reference['predicted_ms'][0] > 0 and not any('predicted_ms' in scheme for scheme in others)


def test_rounds_go_through_all_schemes_in_turn(config, tmp_path, calls):
    other = write_copy(config, tmp_path)
    arguments = ['--rounds', '2', '--iterations', '7', '--plans', '--out', str(tmp_path / 'out')]
    benchmark_training.main([config, other, *arguments])
    expected = [f'{name} OptimWrapper 32 8 7' for name in NAMES]
    assert calls == expected * 4
    data = json.loads((tmp_path / 'out' / 'benchmark.json').read_text())
    assert [entry['config'] for entry in data['configs']] == [config, other]
    assert all(len(scheme['times_ms']) == 2 for entry in data['configs'] for scheme in entry['schemes'])


def write_copy(config: str, folder: Path) -> str:
    path = folder / 'other.py'
    path.write_text(Path(config).read_text())
    return str(path)


def test_options_reach_every_scheme(config, tmp_path, calls, monkeypatch):
    monkeypatch.setattr(schemes, 'DEPTHS', (2, 3))  # fewer heads to measure
    arguments = ['--amp', '--image-size', '48', '--batch-size', '3', '--rounds', '1', '--plans', '0.9']
    benchmark_training.main([config, *arguments, '--out', str(tmp_path / 'out')])
    expected = [f'{name} auglocal_mm.AmpOptimWrapper 48 3 5' for name in [*NAMES, 'plan 0.90x']]
    expected[3] = 'AugLocal as released OptimWrapper 48 3 5'  # in float32, as it was
    assert calls == expected
    assert json.loads((tmp_path / 'out' / 'benchmark.json').read_text())['configs'][0]['dtype'] == 'bfloat16'


def test_a_scheme_that_fails_is_not_tried_again(config, tmp_path, calls, monkeypatch):
    inner = benchmark_training.measure_alone

    def measure(scheme, *arguments):
        found = inner(scheme, *arguments)
        return 'too large' if scheme.name == 'BP' else found

    monkeypatch.setattr(benchmark_training, 'measure_alone', measure)
    benchmark_training.main([config, '--rounds', '2', '--plans', '--out', str(tmp_path / 'out')])
    assert [name.split(' OptimWrapper')[0] for name in calls] == [*NAMES, *NAMES[1:]]
    (entry,) = json.loads((tmp_path / 'out' / 'benchmark.json').read_text())['configs']
    assert entry['schemes'][0] == {'name': 'BP', 'note': 'too large', 'possible': False}


def test_loader_speed_leaves_the_first_batch_out(tiny_config, monkeypatch):
    times = iter([10.0, 12.0])
    monkeypatch.setattr(benchmark_training.time, 'perf_counter', lambda: next(times))
    assert loader_speed(tiny_config()) == (24 - 8) / 2.0


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--batch-size', '0'], '--batch-size is 0'),
        (['--image-size', '0'], '--image-size is 0'),
        (['--iterations', '0'], '--iterations is 0'),
        (['--rounds', '-1'], '--rounds is -1'),
        (['--plans', '0.5', '0'], '--plans has 0;'),
        (['--plans', '1.5'], '--plans has 1.5;'),
        (['--plans', 'nan'], '--plans has nan;'),
        (['--plans', '--only', 'InfoPro'], "--only has 'InfoPro'"),
        (
            ['--cfg-options', 'model.auxiliary_heads=dict(_delete_=True,type=DGLHead)'],
            'DGLHead in model.auxiliary_heads',
        ),
        (['--loader', '--cfg-options', 'train_dataloader.dataset.data_root=nowhere'], 'nowhere'),
        (['--loader', '--batch-size', '24'], '24 images'),
    ],
)
def test_bad_input(arguments, words, config, tmp_path, capsys, calls):
    with pytest.raises(SystemExit) as stopped:
        benchmark_training.main([config, '--out', str(tmp_path / 'out'), *arguments])
    assert stopped.value.code == 1
    assert words in capsys.readouterr().err.strip().splitlines()[-1]
    assert not calls and not (tmp_path / 'out').exists()


def test_no_gpu(config, tmp_path, capsys, calls, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(SystemExit):
        benchmark_training.main([config, '--device', 'cuda', '--out', str(tmp_path / 'out')])
    assert '--device is cuda' in capsys.readouterr().err
    assert not calls and not (tmp_path / 'out').exists()


def test_out_that_is_a_file(config, capsys, calls):
    with pytest.raises(SystemExit):
        benchmark_training.main([config, '--out', f'{config}/out'])
    assert f'--out is {config}/out' in capsys.readouterr().err
    assert not calls


def test_a_config_of_backpropagation(tmp_path):
    config = 'configs/bp/resnet32_bp_1xb1024-400e_cifar10.py'
    done = tool('tools/analysis_tools/benchmark_training.py', config, '--out', str(tmp_path / 'out'))
    assert_error(done, config, 'no auxiliary heads', 'configs/auglocal')
    assert not (tmp_path / 'out').exists()
