import copy
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from auglocal_mm.datasets import decoded_images
from auglocal_mm.datasets.decoded_images import DecodedImages, available_memory
from auglocal_mm.datasets.read_image import MAX_PIXELS, read_image
from auglocal_mm.errors import InputError


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Images of different sizes and formats, the third of them corrupt."""
    rng = np.random.default_rng(0)
    for index, suffix in enumerate(('png', 'jpg', 'png', 'bmp', 'webp')):
        pixels = rng.integers(0, 256, (9 + index, 20 - index, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'{index}.{suffix}')
    corrupt = tmp_path / '2.png'
    corrupt.write_bytes(corrupt.read_bytes()[:-300])
    return sorted(map(str, tmp_path.iterdir()))


@pytest.mark.parametrize('chunk', [2, 2048])
def test_images_of_all_sizes_equal_those_read_from_their_files(
    paths: list[str], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(decoded_images, '_CHUNK', chunk)
    decoded = DecodedImages(paths, True, MAX_PIXELS)
    assert decoded[2] is None
    for index in (0, 1, 3, 4):
        expected = read_image(paths[index])
        assert torch.equal(decoded[index], expected)
        assert decoded[index].stride() == expected.stride()  # on which the speed of transforms depends


def test_copies_and_changes_of_an_image_leave_the_stored_one_as_it_is(paths: list[str]) -> None:
    decoded = DecodedImages(paths, True, MAX_PIXELS)
    decoded[0].zero_()
    assert torch.equal(copy.deepcopy(decoded)[0], read_image(paths[0]))
    assert copy.deepcopy(decoded)._pixels.is_shared()


def test_corrupt_image_and_one_that_is_too_large_are_refused_at_once(paths: list[str]) -> None:
    with pytest.raises(InputError, match=rf'{paths[2]}\b.*skip_corrupt'):
        DecodedImages(paths, False, MAX_PIXELS)
    with pytest.raises(InputError, match=rf'{paths[0]}\b.*max_pixels=100\b'):
        DecodedImages(paths[:1], False, 100)


def test_all_threads_decode_under_one_configuration_of_pillow(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    truncated = []

    def read(path: str, max_pixels: int) -> torch.Tensor:
        truncated.append(ImageFile.LOAD_TRUNCATED_IMAGES)
        return read_image(path, max_pixels=max_pixels)

    monkeypatch.setattr(ImageFile, 'LOAD_TRUNCATED_IMAGES', True)  # as another library may leave it
    monkeypatch.setattr(decoded_images, 'read_image', read)
    DecodedImages(paths, True, MAX_PIXELS)
    assert truncated[-len(paths) :] == [False] * len(paths)
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_images_that_do_not_fit_are_refused_before_they_are_decoded(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [paths[0]] * 1000 + [paths[2]] * 1000  # the corrupt ones need no memory
    needed = 1000 * read_image(paths[0]).nbytes
    monkeypatch.setattr(decoded_images, 'ThreadPoolExecutor', None)
    monkeypatch.setattr(decoded_images, 'available_memory', lambda: needed // 2)
    with pytest.raises(InputError, match=rf'in_memory is True\b.*{needed / 1e9:.3g} GB.*{needed / 2e9:.3g} GB.*False'):
        DecodedImages(many, True, MAX_PIXELS)


def test_available_memory_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    physical = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    assert physical / 1000 < available_memory() <= physical / 2
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=len(path)))
    assert available_memory() == len('/dev/shm')
