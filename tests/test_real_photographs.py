"""The public commands on real photographs, where AUGLOCAL_TEST_DATA names the folder that holds them."""

import fnmatch
import json
import os
import zipfile
from itertools import groupby, islice
from pathlib import Path

import pytest
from tests_support import REPOSITORY, tool

DATA = os.environ.get('AUGLOCAL_TEST_DATA')
CONFIGS = REPOSITORY / 'projects/small_transfer/configs'
WIDTHS = (
    *('neck.out_channels', 'rpn_head.in_channels', 'rpn_head.feat_channels'),
    *(
        'roi_head.bbox_roi_extractor.out_channels',
        'roi_head.bbox_head.in_channels',
        'roi_head.bbox_head.fc_out_channels',
    ),
    *(
        'roi_head.mask_roi_extractor.out_channels',
        'roi_head.mask_head.in_channels',
        'roi_head.mask_head.conv_out_channels',
    ),
)
pytestmark = pytest.mark.skipif(
    DATA is None, reason='AUGLOCAL_TEST_DATA does not name a folder with tiny_imagenet10.zip and coco_small/'
)


def run(*arguments: str, **environment: str) -> str:
    done = tool(*arguments, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_pretraining_transfer_and_comparison(tmp_path):
    assert DATA is not None
    with zipfile.ZipFile(Path(DATA) / 'tiny_imagenet10.zip') as archive:
        names = sorted(archive.namelist())
        for pattern, images in (('tiny_imagenet10/train/*/*.*', 80), ('tiny_imagenet10/val/*/*.*', 10)):
            classes = groupby(fnmatch.filter(names, pattern), os.path.dirname)
            archive.extractall(tmp_path, [name for _, each in classes for name in islice(each, images)])
    environment = {
        'TINY_IMAGENET': str(tmp_path / 'tiny_imagenet10'),
        'COCO_SMALL': str(Path(DATA) / 'coco_small'),
    }
    annotations = json.loads(Path(DATA, 'coco_small/annotations/instances_val_super12.json').read_text())
    annotations['images'] = annotations['images'][:2]
    kept = {image['id'] for image in annotations['images']}
    annotations['annotations'] = [each for each in annotations['annotations'] if each['image_id'] in kept]
    judged = tmp_path / 'two_images.json'
    judged.write_text(json.dumps(annotations))
    narrow = [
        'model.backbone.depth=18',
        'model.backbone.base_channels=16',
        'train_cfg.max_epochs=2',
        'train_dataloader.batch_size=20',
        'optim_wrapper.optimizer.lr=0.05',
    ]
    groups = []
    for method, heads in (('bp', []), ('auglocal-d5', ['model.auxiliary_heads.depth=2'])):
        work_dir = tmp_path / method
        config = str(CONFIGS / f'resnet34_{method}_tiny-imagenet10-64px.py')
        run('tools/train.py', config, '--work-dir', str(work_dir), '--cfg-options', *narrow, *heads, **environment)
        description = json.loads((work_dir / 'backbone.json').read_text())
        assert description['accuracy']['accuracy/top1'] > 20, 'ten classes: chance is 10 %'
        detector = tmp_path / f'detector_{method}'
        options = [
            f'model.backbone.init_cfg.checkpoint={work_dir}/backbone.pth',
            'model.backbone.depth=18',
            'model.backbone.base_channels=16',
            'model.neck.in_channels=[16,32,64,128]',
            *(f'model.{key}=32' for key in WIDTHS),
            'model.train_cfg.rpn_proposal.nms_pre=100',
            'model.train_cfg.rcnn.sampler.num=32',
            'model.test_cfg.rpn.nms_pre=50',
            'model.test_cfg.rpn.max_per_img=50',
            'train_dataloader.dataset.indices=4',
            f'val_dataloader.dataset.ann_file={judged}',
            f'val_evaluator.ann_file={judged}',
            'train_cfg.max_epochs=1',
            'train_cfg.val_interval=1',
        ]
        config = str(CONFIGS / 'mask-rcnn_r34_coco-small.py')
        log = run('tools/train.py', config, '--work-dir', str(detector), '--cfg-options', *options, **environment)
        assert '0 missing' in log
        groups.append(f'{method}={detector}')
    log = run('tools/analysis_tools/compare_transfer.py', *groups, '--out', str(tmp_path / 'comparison'))
    assert 'None: the configs agree' in log
    assert json.loads((tmp_path / 'comparison' / 'comparison.json').read_text())
