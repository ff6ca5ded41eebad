import io
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from auglocal_mm.datasets import ImageFolder, LoadImageFromFile, read_image
from auglocal_mm.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
RAMP = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48) * 40  # 16 bits, up to 61,400


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / 'image')


def read(path: str, **options: object) -> np.ndarray:
    image = read_image.read_image(path, **options)
    assert image.dtype == torch.uint8
    return image.permute(1, 2, 0).numpy()


def transparent(mode: str) -> Image.Image:
    image = Image.fromarray(PIXELS).convert(mode[:-1])
    image.putalpha(Image.fromarray(PIXELS[..., 0]))
    return image


@pytest.mark.parametrize('suffix', ['.png', '.tiff', '.pgm', '.jp2'])
def test_the_upper_eight_of_sixteen_bits_are_kept(path: str, suffix: str) -> None:
    cv2.imwrite(path + suffix, RAMP)
    assert np.array_equal(read(path + suffix), np.dstack([RAMP >> 8] * 3))


@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
def test_sixteen_bits_of_three_channels_too(path: str, suffix: str) -> None:
    cv2.imwrite(path + suffix, PIXELS[..., ::-1].astype(np.uint16) * 256 + 77)
    assert np.array_equal(read(path + suffix), PIXELS)


@pytest.mark.parametrize('pixels', [np.float32(RAMP) / RAMP.max(), np.int32(RAMP) * 1000])
def test_pixels_of_unknown_range_are_refused(path: str, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path, 'tiff')
    with pytest.raises(InputError, match=rf'{path}\b.*\b32 bits\b'):
        read(path)


@pytest.mark.parametrize(
    ('image', 'form'),
    [
        (transparent('RGBA'), 'png'),
        (transparent('RGBA'), 'webp'),
        (transparent('RGBA'), 'tiff'),
        (transparent('LA'), 'png'),
    ],
)
def test_transparency_is_dropped(path: str, image: Image.Image, form: str) -> None:
    image.save(path, form, **({'lossless': True, 'exact': True} if form == 'webp' else {}))
    assert np.array_equal(read(path), np.asarray(image)[..., [0, 1, 2] if image.mode == 'RGBA' else [0, 0, 0]])


@pytest.mark.parametrize('form', ['png', 'gif'])
@pytest.mark.parametrize('transparency', [None, 3])
def test_palettes_give_their_colours(path: str, form: str, transparency: int | None) -> None:
    palette = Image.fromarray(PIXELS).quantize(32)
    palette.save(path, form, transparency=transparency)
    assert np.array_equal(read(path), np.asarray(palette.convert('RGB')))


@pytest.mark.parametrize('adobe', ['inverted CMYK', 'YCCK', 'no marker'])
def test_both_readers_convert_jpegs_of_four_channels_alike(
    path: str, monkeypatch: pytest.MonkeyPatch, adobe: str
) -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert('CMYK').save(file, 'jpeg', quality=95)
    data = bytearray(file.getvalue())
    marker = data.index(b'Adobe')
    if adobe == 'YCCK':
        data[marker + 11] = 2
    elif adobe == 'no marker':
        del data[marker - 4 : marker + 12]
    Path(path).write_bytes(data)
    found = read(path)
    if adobe == 'inverted CMYK':
        assert np.abs(found.astype(int) - PIXELS).mean() < 8
    monkeypatch.setattr(read_image, '_TORCHVISION', ())
    assert np.array_equal(read(path), found)


@pytest.mark.parametrize('form', ['gif', 'webp', 'png', 'tiff'])
def test_the_first_of_several_frames_is_read(path: str, form: str) -> None:
    frames = [Image.new('RGB', (8, 8), (value,) * 3) for value in (10, 100, 200)]
    frames[0].save(path, form, save_all=True, append_images=frames[1:])
    assert (read(path, upright=True) == 10).all()


@pytest.mark.parametrize('orientation', range(10))
@pytest.mark.parametrize('form', ['jpeg', 'png', 'webp'])
def test_both_readers_rotate_alike(path: str, monkeypatch: pytest.MonkeyPatch, form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(path, form, exif=exif)
    found = read(path, upright=True)
    assert found.shape == ((48, 32, 3) if 5 <= orientation <= 8 and form != 'webp' else (32, 48, 3))
    monkeypatch.setattr(read_image, '_TORCHVISION', ())
    assert np.array_equal(read(path, upright=True), found)


@pytest.mark.parametrize('form', ['jpeg', 'png', 'webp', 'gif', 'tiff'])
def test_an_image_that_is_too_large_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    path = tmp_path / 'a' / 'image.png'
    path.parent.mkdir()
    Image.fromarray(PIXELS).save(path, form)
    exact, less = 32 * 48, 32 * 48 - 1
    assert ImageFolder(str(tmp_path), max_pixels=exact)[0]['inputs'].shape == (3, 32, 48)
    assert LoadImageFromFile(max_pixels=exact).transform({'img_path': str(path)})['img'].shape == (32, 48, 3)
    monkeypatch.setattr(read_image, 'decode_image', None)
    monkeypatch.setattr(ImageFile.ImageFile, 'load', None)
    with pytest.raises(InputError, match=f'48 x 32 pixels.*max_pixels={less}'):
        ImageFolder(str(tmp_path), max_pixels=less)[0]
    with pytest.warns(UserWarning, match=f'48 x 32 pixels.*max_pixels={less}'):
        assert LoadImageFromFile(skip_corrupt=True, max_pixels=less).transform({'img_path': str(path)}) is None


def test_the_limit_is_pillows_and_can_be_raised(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new('1', (20000, 9000)).save(path, 'png')
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(InputError, match=r'20000 x 9000 pixels.*max_pixels=178956970'):
        read(path)
    monkeypatch.setattr(read_image, 'decode_image', lambda *_, **__: torch.zeros(3, 1, 1, dtype=torch.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert read(path, max_pixels=20000 * 9000).shape == (1, 1, 3)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize('content', [b'', b'text', b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n'])
def test_other_files_are_refused(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(InputError, match=rf'{path}\b.*JPEG, PNG'):
        read(path)


def test_a_missing_file_is_named(path: str) -> None:
    with pytest.raises(InputError, match=rf'No such file.*{path}'):
        read(path)


@pytest.mark.parametrize('form', ['jpeg', 'png', 'webp', 'gif', 'bmp', 'tiff', 'ppm', 'avif', 'jpeg2000'])
def test_a_truncated_image_is_refused(path: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(path, form)
    Path(path).write_bytes(Path(path).read_bytes()[:-40])
    monkeypatch.setattr(ImageFile, 'LOAD_TRUNCATED_IMAGES', True)  # as another library may leave it
    with pytest.raises(InputError, match=rf'{path}\b.*skip_corrupt'):
        read(path)
