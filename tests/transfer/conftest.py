"""Fake work_dirs with the files, names and lines that MMEngine's Runner writes."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests_coco import SIZES, detect, scenes, write_scenes

from auglocal_mm.transfer.evaluation_record import EvaluationRecord, Evaluations, write_evaluations
from auglocal_mm.transfer.recorded_matches import write_matches

CONFIG = """\
launcher = 'none'
load_from = None
model = dict(
    backbone=dict(
        depth=34,
        init_cfg=dict(checkpoint='{checkpoint}', prefix='backbone.', type='Pretrained'),
        type='ResNet'),
    type='MaskRCNN')
optim_wrapper = dict(optimizer=dict(lr=0.02, type='SGD'), type='OptimWrapper')
randomness = dict(seed={seed})
resume = False
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(scale=(1333, 800), type='Resize'),
]
work_dir = '{work_dir}'
"""


def _validation(step: int, box: float = 0.3, mask: float = 0.2, **more: float) -> dict[str, Any]:
    """One line of a validation; AP50 is AP + 0.2, AP75 is AP + 0.1, the sizes AP - 0.1, AP and AP + 0.1."""
    offsets = {'mAP': 0.0, 'mAP_50': 0.2, 'mAP_75': 0.1, 'mAP_s': -0.1, 'mAP_m': 0.0, 'mAP_l': 0.1}
    metrics = {
        f'coco/{kind}_{item}': round(value + offset, 3)
        for kind, value in (('bbox', box), ('segm', mask))
        for item, offset in offsets.items()
    }
    return metrics | {f'coco/{key}': value for key, value in more.items()} | {'data_time': 0.1, 'step': step}


@pytest.fixture
def validation() -> Callable[..., dict[str, Any]]:
    return _validation


@pytest.fixture
def config_text() -> str:
    """A dumped config, with ``checkpoint``, ``seed`` and ``work_dir`` left to ``str.format_map``."""
    return CONFIG


@pytest.fixture
def make_work_dir(tmp_path: Path) -> Callable[..., Path]:
    """Writes ``tmp_path/name`` from the validations of each timestamp, as one training with resumes, or several."""

    def make(
        name: str,
        logs: Mapping[str, list[dict[str, Any]]] | None = None,
        config: str = CONFIG,
        checkpoint: str = 'backbone.pth',
        seed: int | None = None,
        resume: bool = True,
    ) -> Path:
        work_dir = tmp_path / name
        another = len(list(tmp_path.iterdir()))
        text = config.format(checkpoint=checkpoint, seed=another if seed is None else seed, work_dir=work_dir)
        for index, (timestamp, lines) in enumerate((logs or {'20250101_000000': [_validation(12)]}).items()):
            folder = work_dir / timestamp / 'vis_data'
            folder.mkdir(parents=True)
            train = {'lr': 0.02, 'data_time': 0.1, 'loss': 1.0, 'time': 0.2, 'epoch': 1, 'iter': 50, 'step': 50}
            logged = ''.join(json.dumps(line) + '\n' for line in [train, *lines])
            (folder / 'scalars.json').write_text(logged)
            (folder / f'{timestamp}.json').write_text(logged)
            resumed = text.replace('load_from = None', "load_from = 'epoch_1.pth'").replace(
                'resume = False', 'resume = True'
            )
            (folder / 'config.py').write_text(resumed if index and resume else text)
        (work_dir / 'mask-rcnn.py').write_text(text)
        (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_12.pth'))
        return work_dir

    return make


@pytest.fixture
def add_test_run() -> Callable[..., Path]:
    """Writes what ``tools/test.py`` adds to a work_dir, and returns its JSON."""

    def add(work_dir: Path, timestamp: str, metrics: Mapping[str, Any], load_from: str | None) -> Path:
        folder = work_dir / timestamp / 'vis_data'
        folder.mkdir(parents=True)
        config = CONFIG.format(checkpoint='backbone.pth', seed=0, work_dir=work_dir)
        config = config.replace('load_from = None', f'load_from = {load_from!r}')
        (folder / 'config.py').write_text(config)
        path = work_dir / timestamp / f'{timestamp}.json'
        path.write_text(json.dumps({key: value for key, value in metrics.items() if key != 'step'}))
        return path

    return add


def _dataset(work_dir: Path) -> dict[str, Any]:
    """Of the images that ``write_scenes`` writes."""
    return {'data_root': str(work_dir), 'ann_file': 'annotations.json', 'data_prefix': {'img': 'images/'}}


@pytest.fixture
def make_evaluated(tmp_path: Path) -> Callable[..., Path]:
    """Writes a work_dir with an evaluation of fixed detections on three images, as the metric and the hook record it."""

    def make(
        name: str,
        shift: float = 0.0,
        change: Callable[[dict[str, Any]], None] = lambda content: None,
        recorded: bool = True,
        **settings: Any,
    ) -> Path:
        """Boxes are shifted by so many pixels, scores lowered, annotations changed; without ``recorded`` no matches are kept."""
        work_dir, content = tmp_path / name, scenes()
        work_dir.mkdir()
        change(content)
        metric = detect(write_scenes(work_dir, content), classwise=False, **settings)
        for _, found in metric.results:
            found['bboxes'] = found['bboxes'] + shift
            found['scores'] = found['scores'] - shift / 100
        metrics = metric.evaluate(len(SIZES))
        record = EvaluationRecord(
            training=None,
            epoch=12,
            iteration=None,
            checkpoint=None,
            metrics=dict(metrics),
            class_ap={},
            matches=write_matches(work_dir, metric.matches if recorded else {}),
            settings={'val_dataloader': {'dataset': _dataset(work_dir)}},
        )
        write_evaluations(work_dir, Evaluations(validation=record, test=None))
        return work_dir

    return make
