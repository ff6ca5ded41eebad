"""The analyses as a user starts them, on a trained run."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from mmengine.runner import Runner
from tests_support import assert_error, tool, write
from tests_training import tiny_training, write_images

from auglocal_mm.analysis.tables import write_figure


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> tuple[str, str, Path]:
    """Config, checkpoint and work_dir of a short AugLocal training."""
    folder = tmp_path_factory.mktemp('trained')
    config = tiny_training('auglocal', write_images(folder / 'images'), work_dir=str(folder / 'work_dir'))
    Runner.from_cfg(config).train()
    return write(config, folder / 'tiny.py'), f'{config.work_dir}/epoch_2.pth', Path(config.work_dir)


def run(name: str, *arguments: str, out: Path) -> dict:
    done = tool(f'tools/analysis_tools/{name}.py', *arguments, '--out', str(out))
    assert done.returncode == 0, done.stderr[-3000:]
    (data,) = out.glob('*.json')
    assert data.with_suffix('.md').read_text() in done.stdout
    assert data.with_suffix('.png').stat().st_size > 1000
    return json.loads(data.read_text())


def test_cka_of_a_network_with_itself_is_one(trained, tmp_path):
    config, checkpoint, _ = trained
    data = run('compare_cka', config, checkpoint, config, checkpoint, out=tmp_path / 'out')
    assert len(data['cka']) == len(data['layers']) == 7
    assert data['mean_of_equal_layers'] == pytest.approx(1)


def test_cka_gives_each_network_its_own_normalisation(trained, tiny_config, tmp_path):
    config, checkpoint, _ = trained
    dark = {'model.data_preprocessor.mean': [0.0] * 3, 'model.data_preprocessor.std': [25.0] * 3}
    other = write(tiny_config(**dark), tmp_path / 'other.py')
    pairs = ((config, checkpoint, other, checkpoint), (other, checkpoint, config, checkpoint))
    means = [run('compare_cka', *pair, out=tmp_path / str(i))['mean_of_equal_layers'] for i, pair in enumerate(pairs)]
    assert means[0] == pytest.approx(means[1])
    assert means[0] < 0.999


def test_cka_leaves_out_a_last_batch_that_is_too_small(trained, tmp_path):
    config, checkpoint, _ = trained
    options = ('--cfg-options', 'val_dataloader.batch_size=5')
    data = run('compare_cka', config, checkpoint, config, checkpoint, *options, out=tmp_path / 'out')
    assert data['mean_of_equal_layers'] == pytest.approx(1)


@pytest.mark.parametrize(
    ('name', 'options', 'words'),
    [
        ('compare_cka', ('--images', '0'), ('images is 0', '--images')),
        ('compare_cka', ('--images', '3'), ('4 images', 'CKA')),
        ('linear_probe', ('--images', '-1'), ('images is -1', '--images')),
        ('linear_probe', ('--penalty', '-1'), ('penalty', '-1')),
    ],
)
def test_impossible_numbers_are_refused(trained, tmp_path, name, options, words):
    config, checkpoint, _ = trained
    networks = (config, checkpoint) * (2 if name == 'compare_cka' else 1)
    done = tool(f'tools/analysis_tools/{name}.py', *networks, *options, '--out', str(tmp_path / 'out'))
    assert_error(done, *words)
    assert not (tmp_path / 'out').exists()


def test_cka_of_other_image_sizes_is_refused(trained, tiny_config, tmp_path):
    config, checkpoint, _ = trained
    other = write(tiny_config(**{'model.image_size': 64}), tmp_path / 'other.py')
    done = tool(
        'tools/analysis_tools/compare_cka.py', config, checkpoint, other, checkpoint, '--out', str(tmp_path / 'out')
    )
    assert_error(done, '224 pixels', ' 64;')


def test_cka_of_other_depths_is_refused(trained, tiny_config, tmp_path):
    config, checkpoint, _ = trained
    other = tiny_config('bp', work_dir=str(tmp_path / 'other'), **{'model.backbone.depth': 34})
    Runner.from_cfg(other).train()
    path = write(other, tmp_path / 'other.py')
    done = tool(
        'tools/analysis_tools/compare_cka.py',
        config,
        checkpoint,
        path,
        f'{other.work_dir}/epoch_2.pth',
        '--out',
        str(tmp_path),
    )
    assert_error(done, '7 local layers', '14')


def test_linear_probes_of_every_layer(trained, tmp_path):
    config, checkpoint, _ = trained
    data = run('linear_probe', config, checkpoint, out=tmp_path / 'out')
    assert len(data['top1']) == 7
    assert (data['train_images'], data['images']) == (24, 6)
    assert data['top1'][0] > 60  # the classes of the toy images are colours


def test_flops(trained, tmp_path):
    config, *_ = trained
    data = run('get_flops', config, 'configs/bp/resnet32_bp_1xb1024-400e_cifar10.py', out=tmp_path / 'out')
    assert data['tiny']['auxiliary'] > 0
    assert data['resnet32_bp_1xb1024-400e_cifar10']['primary_parameters'] == 466906


def test_curves_of_every_module(trained, tmp_path):
    *_, work_dir = trained
    data = run('plot_curves', f'AugLocal={work_dir}', out=tmp_path / 'out')
    assert len(data['AugLocal']['accuracy/top1']) == 2
    assert len(data['AugLocal']['local/stem/loss']) == 6
    assert (tmp_path / 'out' / 'AugLocal_local_loss.png').is_file()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('compare_cka', 'no.py', 'a', 'no.py', 'b'), ('config', 'no.py')),
        (('linear_probe', 'configs/bp/resnet32_bp_1xb1024-400e_cifar10.py', 'no.pth'), ('checkpoint', 'no.pth')),
        (
            ('get_flops', 'configs/bp/benchmarks/mask-rcnn_r34-bp_fpn_8xb2-1x-adamw_coco.py'),
            ('mask-rcnn_r34-bp_fpn_8xb2-1x-adamw_coco.py', 'classifier'),
        ),
        (('plot_curves', 'BP=nowhere'), ('nowhere', 'scalars.json')),
        (('plot_curves', 'nowhere'), ("'nowhere'", 'NAME=WORK_DIR')),
        (('plot_curves', 'a/b=nowhere'), ("'a/b=nowhere'", 'NAME=WORK_DIR')),
        (
            ('get_flops', 'configs/bp/resnet32_bp_1xb1024-400e_cifar10.py', '--image-size', '0'),
            ('image_size is 0',),
        ),
    ],
)
def test_bad_input(arguments, words, tmp_path):
    name, *rest = arguments
    done = tool(f'tools/analysis_tools/{name}.py', *rest, '--out', str(tmp_path / 'out'))
    assert_error(done, *words)
    assert not (tmp_path / 'out').exists()


def test_two_configs_of_one_name_are_two_rows(tiny_config, tmp_path):
    for folder in ('bp', 'auglocal'):
        (tmp_path / folder).mkdir()
    paths = [write(tiny_config(method), tmp_path / method / 'tiny.py') for method in ('bp', 'auglocal')]
    assert list(run('get_flops', *paths, out=tmp_path / 'out')) == paths


def test_names_with_a_dollar_are_names(tmp_path):
    figure = Figure()
    figure.subplots().set_title('a$b^{$')
    write_figure(tmp_path / 'a.png', figure)
    assert (tmp_path / 'a.png').stat().st_size > 500
