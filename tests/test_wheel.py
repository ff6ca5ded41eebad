"""The wheel, installed where there is no checkout: MMDetection without an import of ours, every command, every config."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest
from tests_support import REPOSITORY
from tests_training import write_images

SOURCES = ('auglocal_mm', 'configs', 'tools', 'setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'model-index.yml')
NETWORK = 'auglocal/resnet34_auglocal-d5_1xb256-200e_in1k.py'
DETECTOR = 'bp/benchmarks/mask-rcnn_r34-bp_fpn_8xb2-1x-adamw_coco.py'
LOADERS = ('train_dataloader', 'val_dataloader')
TINY = [
    'model.backbone.depth=18',
    'model.backbone.base_channels=8',
    'model.head.num_classes=3',
    'model.image_size=32',
    'model.auxiliary_heads.depth=2',
    'train_cfg.max_epochs=1',
    'val_evaluator.topk=[1]',
    'test_evaluator.topk=[1]',
    *(f'{loader}.dataset.transforms.0.size=32' for loader in LOADERS),
    *(f'{loader}.batch_size=6' for loader in LOADERS),
    *(
        f'{loader}.{key}'
        for loader in (*LOADERS, 'test_dataloader')
        for key in ('num_workers=0', 'persistent_workers=False')
    ),
]
# One process for everything: the imports take most of the time.
CHILD = """
import json, sys, warnings
import setuptools  # has distutils, which MMEngine imports; where setuptools is installed, Python finds it by itself
warnings.simplefilter('ignore')
import mmdet.models
from mmcv.utils import collect_env
from mmdet.apis import DetInferencer
from mmdet.registry import MODELS
from mmengine.runner import runner
from yapf.yapflib import yapf_api

print('compiler', collect_env()['MMCV Compiler'], file=sys.stderr)
runner.collect_env, yapf_api.FormatCode = dict, lambda code, **_: (code, True)  # seconds, and no part of this
from mmengine.hub import get_config
import auglocal_mm.registry
from auglocal_mm.__main__ import COMMANDS, main

found = dict(package=auglocal_mm.__file__, ops=sys.modules['mmcv._ext'].__file__, helps=[])
found['mask_rcnn'] = 'MaskRCNN' in MODELS
found['config'] = get_config(f'auglocal_mm::{sys.argv[1]}').filename
found['detector'] = get_config(f'auglocal_mm::{sys.argv[2]}').model.type
for command in json.loads(sys.argv[3]):
    main(command)
for command in COMMANDS:
    try:
        main([command, '--help'])
    except SystemExit as end:
        found['helps'].append(end.code)
json.dump(found, open('found.json', 'w'))
"""


@pytest.fixture(scope='module')
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the wheel, and the libraries of this one."""
    folder = tmp_path_factory.mktemp('wheel')
    (folder / 'source').mkdir()
    for name in SOURCES:
        if (REPOSITORY / name).is_dir():
            copytree(REPOSITORY / name, folder / 'source' / name, symlinks=True, ignore=ignore_patterns('__pycache__'))
        else:
            copy(REPOSITORY / name, folder / 'source')
    venv.create(folder / 'venv', symlinks=True)
    (packages,) = (folder / 'venv' / 'lib').glob('python*/site-packages')
    # Only a path, whose own .pth files, such as that of an editable install, are not read.
    (packages / 'libraries.pth').write_text(sysconfig.get_path('purelib'))
    pip('wheel', '--no-build-isolation', '--wheel-dir', folder, folder / 'source')
    pip('install', '--target', packages, *folder.glob('*.whl'))
    return folder / 'venv' / 'bin' / 'python'


def pip(command: str, *arguments: str | Path) -> None:
    options = ('--quiet', '--no-deps', '--no-index', '--no-compile', '--disable-pip-version-check')
    taken = options if command == 'install' else tuple(each for each in options if each != '--no-compile')
    done = subprocess.run([sys.executable, '-m', 'pip', command, *taken, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(python: Path, code: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    outside = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    return subprocess.run(
        [python, '-c', code, *arguments],
        cwd=cwd,
        env={**outside, 'OMP_NUM_THREADS': '1', **environment},
        capture_output=True,
        text=True,
    )


def test_every_command_runs_without_a_checkout(python, tmp_path):
    images = write_images(tmp_path / 'images')
    checkpoint, tiny = 'run/epoch_1.pth', ['--cfg-options', *TINY]
    commands = [
        ['train', NETWORK, '--work-dir', 'run', *tiny],
        ['test', f'configs/{NETWORK}', checkpoint, '--work-dir', 'tested', *tiny],
        ['plan', NETWORK, '--max-depth', '2', '--out', 'plan', *tiny],
        ['flops', f'plan/{Path(NETWORK).stem}_planned.py', '--out', 'flops'],  # which inherits from the packaged config
        ['cka', NETWORK, checkpoint, NETWORK, checkpoint, '--out', 'cka', *tiny],
        ['probe', NETWORK, checkpoint, '--images', '12', '--out', 'probe', *tiny],
        ['curves', 'run=run', '--out', 'curves'],
        ['report', 'run', '--out', 'report'],
        ['export', checkpoint, 'exported.pth'],
    ]
    done = run(python, CHILD, NETWORK, DETECTOR, json.dumps(commands), cwd=tmp_path, IMAGENET=str(images))
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / 'found.json').read_text())
    (package,) = python.parents[1].glob('lib/python*/site-packages/auglocal_mm')
    assert found['package'] == str(package / '__init__.py')
    assert found['ops'] == str(package / 'ops' / 'mmcv_ext.py')
    assert found['mask_rcnn']
    assert 'compiler n/a' in done.stderr
    assert found['config'] == str(package / '.mim' / 'configs' / NETWORK)
    assert found['detector'] == 'MaskRCNN'
    assert set(found['helps']) == {0}
    assert (tmp_path / 'run' / 'backbone.pth').read_bytes() == (tmp_path / 'exported.pth').read_bytes()
    assert 'accuracy/top1' in done.stdout + done.stderr
    for report in ('flops', 'cka', 'probe', 'plan', 'curves'):
        assert list((tmp_path / report).glob('*.md'))
    assert (tmp_path / 'report' / 'pretraining.html').is_file()


def test_the_wheel_has_what_the_checkout_has(python):
    (packaged,) = python.parents[1].glob('lib/python*/site-packages/auglocal_mm/.mim')
    for folder in ('configs', 'tools'):
        here, there = (
            {path.relative_to(place): path.read_bytes() for path in place.rglob('*.*') if path.suffix != '.pyc'}
            for place in (REPOSITORY / folder, packaged / folder)
        )
        assert here == there
    for name in ('page.jinja', 'page.css'):
        assert (packaged.parent / 'html' / name).read_bytes() == (
            REPOSITORY / 'auglocal_mm' / 'html' / name
        ).read_bytes()
    assert (packaged / 'model-index.yml').read_bytes() == (REPOSITORY / 'model-index.yml').read_bytes()
