import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from PIL import Image

from auglocal_mm.datasets import LoadImageFromFile, read_image
from auglocal_mm.datasets.image_size import image_size
from auglocal_mm.errors import InputError


@pytest.fixture
def photograph(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    path = tmp_path / 'photograph.jpg'
    Image.fromarray(pixels).save(path, quality=80)
    return path


@pytest.mark.parametrize(('suffix', 'orientation'), [('.jpg', 1), ('.jpg', 6), ('.png', 8), ('.webp', 6), ('.tiff', 8)])
def test_equals_mmcv(photograph, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation  # of the camera
    with Image.open(photograph) as image:
        photograph = photograph.with_suffix(suffix)
        image.load()
        image.save(photograph, exif=exif, **({'lossless': True} if suffix == '.webp' else {}))
    ours, theirs = (
        load().transform({'img_path': str(photograph)}) for load in (LoadImageFromFile, MMCVLoadImageFromFile)
    )
    assert ours.keys() == theirs.keys()
    assert np.array_equal(ours['img'], theirs['img'])
    assert (ours['img_shape'], ours['ori_shape']) == (theirs['img_shape'], theirs['ori_shape'])
    assert image_size(str(photograph)) == ours['ori_shape'], 'from the header alone'


def test_an_image_of_another_size_than_annotated_is_refused(photograph):
    load = LoadImageFromFile().transform
    assert load({'img_path': str(photograph), 'height': 48, 'width': 64})['img'].shape == (48, 64, 3)
    with pytest.raises(InputError, match=r'photograph\.jpg\b.*\b64\b.*\b48\b.*width=48\b.*height=64\b'):
        load({'img_path': str(photograph), 'height': 64, 'width': 48})


@pytest.mark.parametrize('upright', [False, True])
def test_pillow_rotates_images_as_torchvision_does(photograph, monkeypatch, upright):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = photograph.with_suffix('.png')
    with Image.open(photograph) as image:
        image.save(path, exif=exif)
    expected = read_image.read_image(str(path), upright)
    monkeypatch.setattr(read_image, '_TORCHVISION', ())
    found = read_image.read_image(str(path), upright)
    assert found.shape == ((3, 64, 48) if upright else (3, 48, 64))
    assert torch.equal(found, expected)


def test_a_grey_image_gets_three_channels(tmp_path):
    Image.new('L', (5, 4), 7).save(tmp_path / 'grey.png')
    image = LoadImageFromFile().transform({'img_path': str(tmp_path / 'grey.png')})['img']
    assert image.shape == (4, 5, 3)
    assert (image == 7).all()


@pytest.mark.parametrize('kept', [0, 10, 1500])
def test_a_truncated_image_is_named_or_left_out(photograph, kept):
    photograph.write_bytes(photograph.read_bytes()[:kept])
    with pytest.raises(InputError, match=r'photograph\.jpg\b.*skip_corrupt'):
        LoadImageFromFile().transform({'img_path': str(photograph)})
    with pytest.warns(UserWarning, match=r'photograph\.jpg '):
        assert LoadImageFromFile(skip_corrupt=True).transform({'img_path': str(photograph)}) is None
