"""The studies list every cell of the paper, with its figures, and every cell builds."""

import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tests_support import REPOSITORY, assert_error, tool

from auglocal_mm.errors import InputError
from auglocal_mm.registry import MODELS
from auglocal_mm.studies import read_study, run_config

sys.path.insert(0, str(REPOSITORY / 'projects/paper_tables'))

from cifar10_jpeg import unpack

pytestmark = pytest.mark.usefixtures('shapes_alone', 'layers_copied_once')
PROJECT = 'projects/paper_tables'
FILES = sorted((REPOSITORY / PROJECT / 'studies').glob('*.py'))
BUILT: set[str] = set()
"""The configs of models that have been built already."""
METRICS = ('accuracy/top1', 'accuracy/top5')


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_every_run_of_a_study_builds(path):
    """Of runs that differ in the depth d alone, the deepest, and each model once for all studies."""
    study = read_study(path)
    deepest: dict[str, tuple[int, Config]] = {}
    for run in study.runs:
        config = run_config(run, seed=1, extra={})
        assert config.randomness.seed == 1
        heads = config.model.get('auxiliary_heads') or {}
        partition = config.model.get('partition') or {}
        without = {'auxiliary_heads': {**heads, 'depth': 0}, 'partition': {**partition, 'last_module_layers': 0}}
        depth, others = heads.get('depth', 2), str({**config.model, **without})
        assert depth >= 2
        if depth >= deepest.get(others, (0,))[0]:
            deepest[others] = depth, config.model
    for _, model in deepest.values():
        if str(model) not in BUILT:
            BUILT.add(str(model))
            build(model)
    assert {metric for run in study.runs for metric in run.paper} <= set(study.metrics)


def build(model: Config) -> None:
    init_default_scope('auglocal_mm')
    # torchvision's RegNet computes its widths with tensors, which must have data.
    with torch.device('cpu' if 'regnet' in str(model) else 'meta'):
        assert len(MODELS.build(model).layers) > 8


def test_all_tables_of_the_paper_are_studied():
    studied = {study.name: study for study in map(read_study, FILES)}
    cells = {name: len(study.runs) for name, study in studied.items()}
    small = 6 * 9 + 3 * 7  # two ResNets on three data sets, VGG19 with three depths
    assert cells == {
        'small_images': small,
        'generalisation': 15,
        'imagenet': 7,
        'selection': 40,
        'pyramid': 25,
        'infopro_loss': 8,
        'cifar10_short': 21,
    }


D2_TO_D9 = [f'd={depth}' for depth in range(2, 10)]
METHODS = ['BP', 'PredSim', 'InfoPro', 'DGL', *D2_TO_D9[:5]]
GROWING = ['BP', *D2_TO_D9[:4]]  # depths that the paper does not name
VGG19 = ['BP', 'PredSim', 'DGL', *D2_TO_D9[:3]]
PRINTED = {  # top-1 in arXiv 2402.17318, row by row, typed from the tables and not from the studies
    'small_images': {
        'ResNet-32 CIFAR-10': (METHODS, '93.73 79.29 87.26 86.30 91.12 92.26 93.08 93.38 93.47'),
        'ResNet-32 SVHN': (METHODS, '97.01 92.02 93.30 95.14 95.86 96.43 96.79 96.87 96.85'),
        'ResNet-32 STL-10': (METHODS, '80.80 70.67 70.85 73.13 78.58 79.79 80.65 80.73 80.95'),
        'ResNet-110 CIFAR-10': (METHODS, '94.61 74.95 86.95 85.69 90.98 92.62 93.22 93.75 93.96'),
        'ResNet-110 SVHN': (METHODS, '97.10 89.90 92.26 95.12 95.92 96.45 96.74 96.85 96.96'),
        'ResNet-110 STL-10': (METHODS, '80.41 68.91 70.61 72.27 78.29 79.30 80.77 80.20 80.40'),
        'VGG19 CIFAR-10': (VGG19, '93.68 86.49 92.48 93.16 93.46 93.69'),
        'VGG19 SVHN': (VGG19, '96.79 94.07 96.63 96.48 96.65 96.64'),
    },
    'generalisation': {
        'mobilenet-v2': (GROWING, '94.89 92.16 93.94 94.43 94.52'),
        'efficientnet-b0': (GROWING, '93.52 92.70 92.84 93.03 93.13'),
        'regnetx-400mf': (GROWING, '95.70 94.42 94.72 94.96 95.09'),
    },
    'imagenet': {
        'VGG13': (['BP', 'AugLocal', 'DGL'], '71.59/90.37 70.92/90.13 67.32/87.81'),
        'ResNet-34': (['BP', 'AugLocal'], '74.28/91.76 73.95/91.70'),
        'ResNet-101': (['BP', 'AugLocal'], '77.34/93.71 76.70/93.29'),
    },
    'selection': {
        'uniform': (D2_TO_D9, '90.98 92.62 93.22 93.75 93.96 94.03 94.01 94.30'),
        'sequential': (D2_TO_D9, '82.19 85.34 86.88 88.52 89.49 90.44 91.15 91.85'),
        'repetitive': (D2_TO_D9, '82.24 85.16 86.47 87.64 88.59 89.30 89.85 90.79'),
        '1x1 convolutions': (D2_TO_D9, '80.61 87.34 88.40 89.29 88.82 89.55 89.16 89.05'),
        '3x3 convolutions': (D2_TO_D9, '83.03 85.82 87.84 89.19 90.01 90.73 91.11 91.50'),
    },
    'infopro_loss': {'AugLocal + InfoPro': (D2_TO_D9, '91.59 92.75 93.71 94.11 94.02 94.17 94.29 94.08')},
    'pyramid': {},
}


@pytest.mark.parametrize('name', PRINTED)
def test_the_figures_of_the_paper(name):
    expected = {}
    for row, (columns, figures) in PRINTED[name].items():
        for column, figure in zip(columns, figures.split(), strict=True):
            expected[row, column] = dict(zip(METRICS, map(float, figure.split('/')), strict=False))
    study = read_study(REPOSITORY / PROJECT / f'studies/{name}.py')
    assert {(run.row, run.column): dict(run.paper) for run in study.runs if run.paper} == expected


def test_the_short_study_quotes_the_paper_beside_every_schedule():
    columns, figures = PRINTED['small_images']['ResNet-32 CIFAR-10']
    printed = dict(zip(columns, map(float, figures.split()), strict=True))
    for run in read_study(REPOSITORY / PROJECT / 'studies/cifar10_short.py').runs:
        assert run.paper == {'accuracy/top1': printed[run.column]}, run.name


def test_unpacking_keeps_images_and_labels(tmp_path):
    import io

    import numpy as np
    from PIL import Image

    pictures, bodies = [], []
    for value in range(4):
        buffer = io.BytesIO()
        Image.fromarray(np.full((8, 8, 3), 60 * value, np.uint8)).save(buffer, format='JPEG')
        pictures.append(buffer.getvalue())
    header = pictures[0][:2]
    bodies = [picture[2:] for picture in pictures]
    arrays = dict(
        header=np.frombuffer(header, np.uint8),
        body=np.frombuffer(b''.join(bodies), np.uint8),
        offsets=np.cumsum([0, *map(len, bodies)]),
        labels=np.array([1, 0, 1, 1]),
        classes=np.array(['cat', 'dog']),
    )
    for split in ('train', 'test'):
        np.savez(tmp_path / f'cifar10_jpeg_{split}.npz', **arrays)
    done = tool(f'{PROJECT}/cifar10_jpeg.py', str(tmp_path), str(tmp_path / 'out'), '--train-images', '3')
    assert done.returncode == 0, done.stderr
    names = sorted(str(path.relative_to(tmp_path / 'out')) for path in (tmp_path / 'out').rglob('*.jpg'))
    assert names == [
        *('test/cat/00001.jpg', 'test/dog/00000.jpg', 'test/dog/00002.jpg', 'test/dog/00003.jpg'),
        *('train/cat/00001.jpg', 'train/dog/00000.jpg', 'train/dog/00002.jpg'),
    ]
    assert (tmp_path / 'out/test/dog/00003.jpg').read_bytes() == pictures[3]
    assert_error(
        tool(f'{PROJECT}/cifar10_jpeg.py', str(tmp_path / 'no'), str(tmp_path / 'x')), 'no/cifar10_jpeg_train.npz'
    )
    for wrong in (
        {'labels': np.array([1, 0, 1, 2])},
        {'body': arrays['body'][:-1]},
        {'offsets': arrays['offsets'][1:]},
    ):
        np.savez(tmp_path / 'damaged.npz', **{**arrays, **wrong})
        with pytest.raises(InputError, match=r'damaged\.npz.*\b(offsets|labels)\b'):
            unpack(tmp_path / 'damaged.npz', tmp_path / 'damaged')
    (tmp_path / 'damaged.npz').write_bytes((tmp_path / 'damaged.npz').read_bytes()[:200])
    with pytest.raises(InputError, match=r'damaged\.npz.*\.npz\b'):
        unpack(tmp_path / 'damaged.npz', tmp_path / 'damaged')
    assert not (tmp_path / 'damaged').exists()


def test_options_of_a_study_are_not_consumed_by_the_first_run():
    study = read_study(REPOSITORY / PROJECT / 'studies/cifar10_short.py')
    types = [run_config(run, 0, {}).train_dataloader.dataset.to_dict() for run in study.runs]
    assert all(each == types[0] and 'name' not in each for each in types)
    assert isinstance(run_config(study.runs[0], 0, {}), Config)
