import shutil
from types import SimpleNamespace

import pytest
from mmdet.datasets import MultiImageMixDataset
from mmdet.evaluation import CocoMetric as MMDetCocoMetric
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from PIL import Image
from tests_coco import read, scenes, write_scenes
from torch.utils.data import DataLoader

from auglocal_mm.engine.hooks import data_check_hook
from auglocal_mm.engine.hooks.data_check_hook import check_training_data
from auglocal_mm.errors import InputError
from auglocal_mm.evaluation import CocoMetric


def test_validation_data_with_other_classes_are_refused(tiny_config, image_folder):
    shutil.rmtree(image_folder / 'val' / 'dog')
    with pytest.raises(InputError, match=r'\b3\b.*validation.*\b2\b.*\bdog\b'):
        Runner.from_cfg(tiny_config('bp')).train()


def test_less_than_a_batch_is_refused(tiny_config):
    with pytest.raises(InputError, match=r'\b24\b.*\b1\b.*\b25\b.*train_dataloader\.batch_size'):
        Runner.from_cfg(tiny_config('bp', **{'train_dataloader.batch_size': 25})).train()


@pytest.mark.parametrize(('batches', 'words'), [(1, '8 of 24 training images, with 1 of 3 classes'), (3, '')])
def test_classes_that_num_batch_per_epoch_leaves_out_are_told(tiny_config, monkeypatch, batches, words):
    said = []
    monkeypatch.setattr(data_check_hook, 'print_log', lambda message, **_: said.append(message))
    Runner.from_cfg(tiny_config('bp', **{'train_dataloader.num_batch_per_epoch': batches})).train()
    assert len(said) == bool(words) and words in ''.join(said)


def test_validation_data_with_more_classes_are_refused(tiny_config, image_folder):
    shutil.copytree(image_folder / 'val' / 'dog', image_folder / 'val' / 'ant')
    with pytest.raises(InputError, match=r'\b3\b.*validation.*\b4\b.*\bant\b'):
        Runner.from_cfg(tiny_config('bp')).train()


def test_test_data_must_have_the_models_classes(tiny_config, image_folder):
    shutil.rmtree(image_folder / 'val' / 'dog')
    with pytest.raises(InputError, match=r'test.*\b2\b.*num_classes.*\b3\b.*model\.head'):
        Runner.from_cfg(tiny_config('bp')).test()


def test_test_data_must_have_the_classes_that_the_checkpoint_was_trained_on(tiny_config, image_folder):
    config = tiny_config('bp', **{'train_cfg.max_epochs': 1})
    Runner.from_cfg(config).train()
    shutil.move(image_folder / 'val' / 'cat', image_folder / 'val' / 'fox')
    with pytest.raises(InputError, match=r'\b3\b.*test.*\b3\b.*\bcat\b'):
        Runner.from_cfg(tiny_config('bp', load_from=f'{config.work_dir}/epoch_1.pth')).test()


WRAPPERS = {
    'bare': lambda dataset: dataset,
    'repeated': lambda dataset: RepeatDataset(dataset, times=2),
    'joined': lambda dataset: ConcatDataset([dataset, dataset]),
    'balanced': lambda dataset: ClassBalancedDataset(dataset, oversample_thr=0.5),
    'mixed': lambda dataset: MultiImageMixDataset(dataset, pipeline=[]),
}


def check(dataset, judged=None, annotations=None, num_classes=2):
    """The checks of a detector with so many classes."""
    model = SimpleNamespace(roi_head=SimpleNamespace(bbox_head=SimpleNamespace(num_classes=num_classes)))
    validation = judged and (judged, Evaluator(CocoMetric(ann_file=annotations)))
    check_training_data(DataLoader(dataset), model, validation)


@pytest.mark.parametrize('wrap', WRAPPERS.values(), ids=WRAPPERS)
def test_data_in_wrappers_are_checked(wrap, tmp_path):
    path = write_scenes(tmp_path, scenes())
    check(wrap(read(path)), read(path), path)
    with pytest.raises(InputError, match=r'\b2\b.*num_classes.*\b3\b.*model\.roi_head\.bbox_head'):
        check(wrap(read(path)), num_classes=3)
    (tmp_path / 'images' / '2.png').unlink()
    with pytest.raises(InputError, match=r'\b1 of 3\b.*2\.png'):
        check(wrap(read(path)))


@pytest.mark.parametrize('wrap', [WRAPPERS['bare'], WRAPPERS['joined']])
def test_sizes_in_the_annotations_must_be_those_of_the_images(wrap, tmp_path):
    path = write_scenes(tmp_path, scenes())
    Image.new('RGB', (60, 80)).save(tmp_path / 'images' / '1.png')
    with pytest.raises(InputError, match=r'1\.png.*\b60\b.*\b80\b.*width=80.*height=60'):
        check(wrap(read(path)))


def test_images_that_lie_are_taken_upright(tmp_path):
    path = write_scenes(tmp_path, scenes())
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (60, 80)).save(tmp_path / 'images' / '1.png', exif=exif)
    check(read(path))


def test_parts_of_joined_data_must_have_the_same_classes(tmp_path):
    path = write_scenes(tmp_path, scenes())
    parts = [read(path), read(path, metainfo=dict(classes=('cat', 'dog')))]
    with pytest.raises(InputError, match=r'\b2\b.*other training.*\b2\b.*order'):
        check(Joined(parts))


class Joined(list):
    """As MMDetection's ``ConcatDataset``, which takes data sets of different classes."""

    @property
    def datasets(self):
        return [*self]


@pytest.mark.parametrize('wrap', [WRAPPERS['repeated'], WRAPPERS['joined']])
def test_an_image_is_evaluated_once(wrap, tmp_path):
    path = write_scenes(tmp_path, scenes())
    with pytest.raises(InputError, match=r'\b1\b.*1\.png.*80 x 60'):
        check(read(path), wrap(read(path)), path)


def test_validation_by_another_file_is_refused(tmp_path):
    path = write_scenes(tmp_path, scenes())
    content = scenes()
    content['images'][0]['file_name'] = 'other.png'
    with pytest.raises(InputError, match=r'other\.json.*\b1\b.*1\.png'):
        check(read(path), read(path), write_scenes(tmp_path, content, 'other.json'))


def test_a_metric_of_mmdetection_must_have_the_order_of_the_classes(tmp_path):
    content = scenes()
    path = write_scenes(tmp_path, content)
    dataset, model = read(path), SimpleNamespace()
    with pytest.raises(InputError, match=r"\['cat', 'dog'\].*\['dog', 'cat'\].*auglocal_mm\.CocoMetric"):
        check_training_data(DataLoader(dataset), model, (dataset, Evaluator(MMDetCocoMetric(path))))
    check_training_data(DataLoader(dataset), model, (dataset, Evaluator(MMDetCocoMetric())))
    content['categories'].reverse()
    path = write_scenes(tmp_path, content)
    check_training_data(DataLoader(dataset), model, (dataset, Evaluator(MMDetCocoMetric(path))))


def test_skipped_images_of_all_parts_are_counted(monkeypatch):
    said = []
    monkeypatch.setattr(data_check_hook, 'print_log', lambda message, **_: said.append(message))
    parts = Joined(SimpleNamespace(num_skipped=number) for number in (2, 3))
    data_check_hook.DataCheckHook().after_train_epoch(SimpleNamespace(train_dataloader=SimpleNamespace(dataset=parts)))
    (message,) = said
    assert '5' in message


def test_classifiers_train_on_wrapped_data(tiny_config, image_folder):
    config = tiny_config('bp', **{'train_cfg.max_epochs': 1})
    inner = config.train_dataloader.dataset
    config.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=inner)
    config.val_dataloader.dataset = dict(type='ConcatDataset', datasets=[config.val_dataloader.dataset])
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 6
    wrapped = runner.train_dataloader.dataset
    first, again = wrapped[3]['inputs'], wrapped[27]['inputs']
    assert not first.equal(again), 'augmented anew'
    config.model.head.num_classes = 4
    config.experiment_name += '_4'
    with pytest.raises(InputError, match=r'\b3\b.*num_classes.*\b4\b'):
        Runner.from_cfg(config).train()
