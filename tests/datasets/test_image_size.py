import pytest
from PIL import Image

from auglocal_mm.datasets.image_size import EXIF_ORIENTATION, check_size, image_size
from auglocal_mm.errors import InputError


@pytest.mark.parametrize(
    ('form', 'orientation', 'size'),
    [
        ('jpeg', 1, (20, 30)),
        ('jpeg', 4, (20, 30)),
        ('jpeg', 5, (30, 20)),
        ('png', 6, (30, 20)),
        ('webp', 6, (20, 30)),  # which is not rotated when it is read
        ('tiff', 8, (30, 20)),
    ],
)
def test_height_and_width_are_those_of_the_upright_image(tmp_path, form, orientation, size):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    Image.new('RGB', (30, 20)).save(tmp_path / 'a', form, exif=exif)
    assert image_size(str(tmp_path / 'a')) == size


@pytest.mark.parametrize('content', [b'', b'text', b'\x89PNG\r\n\x1a\n'])
def test_the_size_of_a_damaged_image_is_unknown(tmp_path, content):
    (tmp_path / 'a').write_bytes(content)
    assert image_size(str(tmp_path / 'a')) is None


def test_another_size_than_that_of_the_annotations_is_refused():
    check_size('a.jpg', [20, 30], (20, 30), 'b.json')
    with pytest.raises(InputError, match=r'\ba\.jpg\b.*\b30\b.*\b20\b.*width=20\b.*height=30\b.*\bb\.json\b'):
        check_size('a.jpg', (20, 30), (30, 20), 'b.json')
