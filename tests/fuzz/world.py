"""The clean files: images, their annotations, and a classifier trained on some."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image

from fuzz.oracle import triangle
from fuzz.page_targets import make_compared
from fuzz.targets import REPOSITORY, tool
from fuzz.tensor_mutations import load, saved

SIZE = (64, 48)
NAMES = ('cat', 'dog', 'emu')
CATEGORY_IDS = (1, 3, 7)
BOXES = ((4, 6, 24, 40), (30, 8, 60, 30), (10, 10, 50, 44))


def make_world(root: Path) -> None:
    """Fills ``root``; takes some seconds."""
    make_images(root / 'images')
    make_coco(root / 'coco')
    for name, settings in (('train', {}), ('start', START)):
        classifier_config(root, settings).dump(str(root / f'{name}.py'))
    (root / 'detector.py').write_text(
        DETECTOR.format(base=f'{REPOSITORY}/configs/_base_/benchmarks/coco.py', root=root)
    )
    options = ['--cfg-options', 'train_cfg.max_epochs=1']
    train = tool('tools/train.py').main
    train([str(root / 'train.py'), '--work-dir', str(root / 'trained'), *options])
    # Another training, which none of the readings is about.
    other = load((root / 'trained/epoch_1.pth').read_bytes())
    other['state_dict']['backbone.conv1.weight'] += 1
    (root / 'other').mkdir()
    for epoch in (1, 2):
        (root / f'other/epoch_{epoch}.pth').write_bytes(saved(other))
    # MMEngine keeps visualizers by name: that of the readings, which are copies of this process, must be another.
    train([str(root / 'detector.py'), '--work-dir', str(root / 'oracle'), '--cfg-options', 'visualizer.name=world'])
    # What draws takes long the first time.
    tool('tools/analysis_tools/plot_curves.py').main([f'BP={root / "trained"}', '--out', str(root / 'curves')])
    tool('tools/analysis_tools/report_pretraining.py').main([str(root / 'trained'), '--out', str(root / 'page.html')])
    make_compared(root / 'compared')
    tool('tools/analysis_tools/compare_transfer.py')


def make_images(root: Path) -> None:
    """train/ with three classes of eight, val/ with three of two."""
    generator = np.random.default_rng(0)
    for split, number in (('train', 8), ('val', 2)):
        for label, name in enumerate(NAMES):
            (root / split / name).mkdir(parents=True)
            for index in range(number):
                pixels = generator.integers(0, 160, (32, 32, 3), dtype=np.uint8)
                pixels[..., label] += 95
                Image.fromarray(pixels).save(root / split / name / f'{index}.png')


def make_coco(root: Path) -> None:
    """COCO's folders with four images each, and ``predictions.json`` that do not agree with all annotations."""
    predictions, generator = {}, np.random.default_rng(1)
    for split in ('train', 'val'):
        (root / f'{split}2017').mkdir(parents=True)
        for number in range(4):
            pixels = generator.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f'{split}2017' / image_name(number))
    for number in range(4):
        predictions[image_name(number)] = [
            {'box': [x1 + number, y1, x2, y2 - 2 * label], 'label': label, 'score': 0.9 - 0.1 * label - 0.05 * number}
            for label, (x1, y1, x2, y2) in enumerate(BOXES)
            if (number + label) % 4
        ]
    (root / 'predictions.json').write_text(json.dumps(predictions))
    (root / 'annotations').mkdir()
    for split in ('train', 'val'):
        (root / f'annotations/instances_{split}2017.json').write_text(json.dumps(annotations()))


def image_name(number: int) -> str:
    return f'{number:012}.jpg'


def annotations() -> dict[str, Any]:
    """Four images with three objects each, the last of them a crowd."""
    images = [
        {'id': 10 + 3 * i, 'file_name': image_name(i), 'width': SIZE[0], 'height': SIZE[1], 'license': 3}
        for i in range(4)
    ]
    instances = [
        {
            'id': 100 + 10 * i + label,
            'image_id': image['id'],
            'category_id': CATEGORY_IDS[label],
            'bbox': [x1, y1, x2 - x1, y2 - y1],
            'area': (x2 - x1) * (y2 - y1) / 2,
            'iscrowd': 0,
            'segmentation': [triangle([x1, y1, x2, y2])],
        }
        for i, image in enumerate(images)
        for label, (x1, y1, x2, y2) in enumerate(BOXES)
    ]
    # Four columns of the image, from the second on.
    counts = [SIZE[1], 4 * SIZE[1], (SIZE[0] - 5) * SIZE[1]]
    crowd = {'iscrowd': 1, 'bbox': [1, 0, 4, SIZE[1]], 'area': 4 * SIZE[1]}
    instances[-1] |= {**crowd, 'segmentation': {'counts': counts, 'size': [SIZE[1], SIZE[0]]}}
    categories = [
        {'id': id, 'name': name, 'supercategory': 'animal'} for id, name in zip(CATEGORY_IDS, NAMES, strict=True)
    ]
    return {'info': {'year': 2017}, 'images': images, 'annotations': instances, 'categories': categories}


START = {
    # With neither steps nor new statistics a training writes the backbone that it was given.
    'optim_wrapper.optimizer.lr': 0.0,
    'model.backbone.norm_cfg': dict(type='BN', momentum=0.0),
    'train_cfg.max_epochs': 1,
}


def classifier_config(root: Path, settings: dict[str, Any]) -> Config:
    """Two epochs of a narrow ResNet-18 on the images."""
    config = Config.fromfile(REPOSITORY / 'configs/bp/resnet34_bp_1xb256-200e_in1k.py')
    values: dict[str, Any] = {
        'model.backbone.depth': 18,
        'model.backbone.base_channels': 8,
        'model.head.num_classes': len(NAMES),
        'train_cfg.max_epochs': 2,
        'param_scheduler.T_max': 2,
        'optim_wrapper.optimizer.lr': 0.01,
        'env_cfg.dist_cfg.backend': 'gloo',
        'env_cfg.cudnn_benchmark': False,
        'log_level': 'WARNING',
    }
    for loader in ('train_dataloader', 'val_dataloader'):
        values |= {f'{loader}.batch_size': 8, f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False}
        values |= {f'{loader}.dataset.data_root': str(root / 'images'), f'{loader}.dataset.transforms': []}
    config.merge_from_dict(values)
    config.merge_from_dict(settings)
    config.custom_imports.imports = [*config.custom_imports.imports, 'fuzz.scores']
    config.val_evaluator = [dict(type='Accuracy', topk=(1,)), dict(type='Scores')]
    config.test_dataloader, config.test_evaluator = config.val_dataloader, config.val_evaluator
    return config


DETECTOR = """\
_base_ = {base!r}
custom_imports = dict(imports=['auglocal_mm', 'fuzz.oracle'], allow_failed_imports=False)
root = '{root}/coco'
classes = ('cat', 'dog', 'emu')
model = dict(
    _delete_=True,
    type='Oracle',
    predictions=root + '/predictions.json',
    data_preprocessor=dict(type='DetDataPreprocessor', pad_mask=True),
)
load_image = dict(type='auglocal_mm.LoadImageFromFile')
load_annotations = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
train_pack = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))
test_pack = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
train_pipeline = [load_image, load_annotations, train_pack]
test_pipeline = [load_image, dict(type='Resize', scale_factor=1.0), load_annotations, test_pack]
workers = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    **workers,
    dataset=dict(data_root=root, metainfo=dict(classes=classes), pipeline=train_pipeline, filter_cfg=dict(min_size=0)),
)
val_dataloader = dict(
    **workers,
    dataset=dict(data_root=root, metainfo=dict(classes=classes), pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=root + '/annotations/instances_val2017.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=1)
log_level = 'WARNING'
"""
