import pytest
from mmengine.config import Config
from tests_coco import CLASSES, WITH_MASKS, scenes, write_scenes

from auglocal_mm.analysis import isolation
from auglocal_mm.errors import InputError

PIPELINE = [dict(type='auglocal_mm.LoadImageFromFile'), *WITH_MASKS, dict(type='mmdet.PackDetInputs', meta_keys=())]


@pytest.fixture
def config(tmp_path):
    """Of a detector: what is trained on has a tiny box, a crowd, an image without objects and one without annotations."""
    content = scenes()
    content['annotations'] = [each for each in content['annotations'] if each['image_id'] != 2]
    content['annotations'][0]['bbox'] = [2, 3, 0.5, 30]
    train, val = write_scenes(tmp_path, content, 'train.json'), write_scenes(tmp_path, scenes(), 'val.json')
    dataset = dict(
        type='auglocal_mm.CocoDataset',
        ann_file=train,
        data_prefix=dict(img=str(tmp_path / 'images')),
        metainfo=dict(classes=CLASSES),
        pipeline=PIPELINE,
    )
    loader = dict(batch_size=2, num_workers=2, persistent_workers=True, timeout=600, prefetch_factor=2, dataset=dataset)
    loader['sampler'] = dict(type='DefaultSampler', shuffle=True)
    return Config(
        dict(
            default_scope='mmdet',
            model=dict(type='mmdet.ResNet', depth=18),
            train_dataloader=loader,
            val_dataloader={**loader, 'dataset': {**dataset, 'ann_file': val, 'test_mode': True}},
            val_evaluator=dict(type='auglocal_mm.CocoMetric', ann_file=val, metric=['bbox', 'segm']),
        )
    )


def rows(printed):
    """The cells of the printed table by what is in the first."""
    cells = [[cell.strip() for cell in line.strip('│┃').replace('┃', '│').split('│')] for line in printed.splitlines()]
    return {line[0]: line[1:] for line in cells if len(line) > 1}


def test_what_a_detector_reads_is_printed(config, capsys):
    isolation.check_run(config)
    printed = capsys.readouterr().out
    table = rows(printed)
    assert table[''] == ['training', 'validation', 'evaluator']
    assert table['images'] == ['3', '3', '3']
    assert table['without objects'] == ['1', '0', '0']
    assert table['crowds'] == ['1', '1', '1']
    assert table['objects'] == ['3', '7', '7']
    assert table['cat'] == ['1', '3', '3'] and table['dog'] == ['2', '4', '4']
    assert 'training: 1 boxes have less than a pixel' in printed
    assert 'All other checks passed' in printed


def test_an_image_counts_as_often_as_it_is_repeated(config, capsys):
    config.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=config.train_dataloader.dataset)
    isolation.check_run(config)
    assert rows(capsys.readouterr().out)['objects'] == ['6', '7', '7']


def test_the_validation_side_is_checked(config, tmp_path):
    content = scenes()
    content['images'].pop()
    content['annotations'] = [each for each in content['annotations'] if each['image_id'] != 3]
    config.val_evaluator.ann_file = write_scenes(tmp_path, content, 'other.json')
    with pytest.raises(InputError, match=r'other\.json.*evaluator.*image 3\b'):
        isolation.check_run(config)
