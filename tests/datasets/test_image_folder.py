import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner
from PIL import Image, ImageFile
from torch.utils.data import DataLoader

from auglocal_mm.datasets import ImageFolder, collate_images
from auglocal_mm.errors import InputError

CROP = [{'type': 'RandomResizedCrop', 'size': 8}, {'type': 'RandomHorizontalFlip'}]


def save(path: Path, mode: str = 'RGB', size: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(str(path))).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of four images; the last of the first class lies deeper."""
    for name in ('b/0.png', 'b/1.png', 'b/2.png', 'b/3.png', 'a/0.png', 'a/1.JPEG', 'a/2.jpg', 'a/deep/3.PNG'):
        save(tmp_path / 'train' / name)
    return tmp_path


def corrupt(root: Path, name: str = 'train/a/1.JPEG') -> Path:
    """Cuts the end off an image."""
    path = root / name
    save(path, size=64)
    path.write_bytes(path.read_bytes()[:-500])
    return path


def build_dataloader(root: Path, num_workers: int, **options: object) -> DataLoader:
    config = {
        'dataset': {'type': 'ImageFolder', 'data_root': str(root), 'split': 'train', 'transforms': CROP, **options},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'collate_fn': {'type': 'collate_images'},
        'batch_size': 3,
        'num_workers': num_workers,
        'persistent_workers': num_workers > 0,
    }
    with DefaultScope.overwrite_default_scope('auglocal_mm'):
        return Runner.build_dataloader(config, seed=0)


def epoch_inputs(loader: DataLoader, epoch: int, seed: int = 3) -> torch.Tensor:
    loader.dataset.set_epoch(seed, epoch)
    return torch.cat([batch['inputs'] for batch in loader])


def test_finds_classes_and_images(root: Path) -> None:
    dataset = DATASETS.build({'type': 'auglocal_mm.ImageFolder', 'data_root': str(root / 'train')})
    assert dataset.metainfo == {'classes': ('a', 'b')}
    assert len(dataset) == 8
    assert dataset.labels == [0, 0, 0, 0, 1, 1, 1, 1]
    assert [Path(path).name for path, _ in dataset.samples[:4]] == ['0.png', '1.JPEG', '2.jpg', '3.PNG']


def test_item_is_the_image_itself(root: Path) -> None:
    item = ImageFolder(str(root), 'train')[4]
    expected = np.asarray(Image.open(root / 'train/b/0.png')).transpose(2, 0, 1)
    assert type(item['inputs']) is torch.Tensor
    assert np.array_equal(item['inputs'].numpy(), expected)
    assert item['data_samples'] == 1


@pytest.mark.parametrize(
    ('mode', 'suffix'),
    [
        ('L', 'png'),
        ('P', 'png'),
        ('RGBA', 'png'),
        ('LA', 'png'),
        ('CMYK', 'jpg'),
        ('L', 'jpg'),
        ('RGB', 'bmp'),
    ],
)
def test_every_mode_becomes_rgb_as_pillow_has_it(tmp_path: Path, mode: str, suffix: str) -> None:
    save(tmp_path / 'a' / f'0.{suffix}', mode)
    inputs = ImageFolder(str(tmp_path))[0]['inputs']
    assert inputs.dtype == torch.uint8
    assert inputs.shape == (3, 16, 16)
    with Image.open(tmp_path / 'a' / f'0.{suffix}') as image:
        assert np.array_equal(inputs.numpy(), np.asarray(image.convert('RGB')).transpose(2, 0, 1))


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    (tmp_path / 'a').mkdir()
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(tmp_path / 'a' / '0.png')
    inputs = ImageFolder(str(tmp_path))[0]['inputs']
    assert (inputs.dtype, inputs.shape) == (torch.uint8, (3, 4, 4))


def test_items_do_not_depend_on_workers_and_change_each_epoch(root: Path) -> None:
    alone, workers = build_dataloader(root, 0), build_dataloader(root, 2)
    first = epoch_inputs(workers, 0)
    assert torch.equal(first, epoch_inputs(alone, 0))
    second = epoch_inputs(workers, 1)
    assert torch.equal(second, epoch_inputs(alone, 1))
    assert not any(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert torch.equal(epoch_inputs(workers, 0), first)
    assert not torch.equal(epoch_inputs(workers, 0, seed=4), first)


def test_each_index_is_augmented_differently(root: Path) -> None:
    dataset = ImageFolder(str(root), 'train', CROP)
    for path, _ in dataset.samples[1:]:
        Path(path).write_bytes(Path(dataset.samples[0][0]).read_bytes())
    assert len({item['inputs'].numpy().tobytes() for item in dataset}) == 8


def test_global_random_state_is_neither_used_nor_changed(root: Path) -> None:
    dataset = ImageFolder(str(root), 'train', CROP)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = dataset[0]['inputs']
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(dataset[0]['inputs'], first)


def test_index_counts_from_the_end_too(root: Path) -> None:
    dataset = ImageFolder(str(root), 'train', CROP)
    assert torch.equal(dataset[-1]['inputs'], dataset[7]['inputs'])
    with pytest.raises(IndexError):
        dataset[8]


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda dataset: pickle.loads(pickle.dumps(dataset))])
def test_copies_reach_persistent_workers(root: Path, duplicate: Callable[[ImageFolder], ImageFolder]) -> None:
    dataset = duplicate(ImageFolder(str(root), 'train', CROP))
    loader = DataLoader(dataset, 4, num_workers=1, persistent_workers=True, collate_fn=collate_images)
    assert not torch.equal(epoch_inputs(loader, 0), epoch_inputs(loader, 1))


def test_corrupt_image_is_an_error_that_names_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = corrupt(root)
    monkeypatch.setattr(ImageFile, 'LOAD_TRUNCATED_IMAGES', True)  # as another library may leave it
    dataset = ImageFolder(str(root), 'train')
    with pytest.raises(InputError, match=rf'{path}\b.*truncated.*skip_corrupt'):
        dataset[1]


def test_file_that_is_not_an_image_is_an_error_too(root: Path) -> None:
    (root / 'train/a/0.png').write_text('not an image')
    with pytest.raises(InputError, match=rf'{root}/train/a/0\.png\b.*JPEG'):
        ImageFolder(str(root), 'train')[0]


def test_corrupt_image_can_be_skipped(root: Path) -> None:
    path = corrupt(root)
    dataset = ImageFolder(str(root), 'train', skip_corrupt=True)
    with pytest.warns(UserWarning, match=f'{path} ') as caught:
        assert dataset[1] is None
        assert dataset[1] is None
    assert len(caught) == 1
    assert dataset[0] is not None
    assert dataset.num_skipped == 1


def test_items_in_memory_equal_those_of_the_files_which_are_not_read_again(root: Path) -> None:
    expected = epoch_inputs(build_dataloader(root, 0), 1)
    loaders = [build_dataloader(root, workers, in_memory=True) for workers in (0, 2)]
    for path, _ in loaders[0].dataset.samples:
        Path(path).unlink()
    for loader in loaders:
        assert torch.equal(epoch_inputs(loader, 1), expected)


def test_corrupt_image_is_refused_or_skipped_in_memory_as_otherwise(root: Path) -> None:
    path = corrupt(root)
    with pytest.raises(InputError, match=rf'{path}\b.*truncated.*skip_corrupt'):
        ImageFolder(str(root), 'train', in_memory=True)
    dataset = ImageFolder(str(root), 'train', skip_corrupt=True, in_memory=True)
    with pytest.warns(UserWarning, match=f'{path} ') as caught:
        assert [index for index in (*range(8), 1) if dataset[index] is None] == [1, 1]
    assert len(caught) == dataset.num_skipped == 1


def test_workers_warn_once_and_the_main_process_reads_the_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def note(message: Warning, *_: object) -> None:
        with open(root / 'warnings', 'a') as file:
            print(message, file=file)

    monkeypatch.setattr(warnings, 'showwarning', note)  # the forked workers inherit it
    paths = [corrupt(root), corrupt(root, 'train/b/2.png')]
    dataset = ImageFolder(str(root), 'train', CROP, skip_corrupt=True)
    loader = DataLoader(dataset, 4, num_workers=2, collate_fn=collate_images, multiprocessing_context='fork')
    for _ in range(2):
        assert sum(len(batch['inputs']) for batch in loader) == 6
    noted = sorted((root / 'warnings').read_text().splitlines())
    assert [line.split()[0] for line in noted] == [str(path) for path in paths]
    assert dataset.num_skipped == 2


def test_transforms_must_leave_a_uint8_image(root: Path) -> None:
    for transforms, found in (
        ([{'type': 'Grayscale'}], r'\(1, 16, 16\)'),
        ([{'type': 'FiveCrop', 'size': 4}], 'tuple'),
        ([lambda image: torch.zeros(3, 4, 4)], r'float32 \(3, 4, 4\)'),
    ):
        with pytest.raises(InputError, match=rf'{found}.*{root}/train/a/0\.png\b.*uint8'):
            ImageFolder(str(root), 'train', transforms)[0]


def test_bad_folders_are_refused(root: Path) -> None:
    (root / 'empty').mkdir()
    (root / 'file').write_text('')
    (root / 'train/c').mkdir()
    cases = {'missing': 'exist.*data_root', 'file': 'file.*data_root', 'empty': 'no folders.*data_root'}
    cases |= {'train': r'\bc\b.*JPEG', 'train/a/deep': r'no folders.*imagenet_val\.py'}
    for split, words in cases.items():
        with pytest.raises(InputError, match=rf'{root}/{split}\b.*{words}'):
            ImageFolder(str(root), split)
