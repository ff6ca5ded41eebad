import os
import shutil
import socket
from pathlib import Path

import pytest
from PIL import Image
from torchvision.datasets import ImageFolder as TorchvisionImageFolder

from auglocal_mm.datasets import ImageFolder, list_images
from auglocal_mm.errors import InputError


def save(path: Path, form: str = 'png') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (8, 8), (200, 100, 50)).save(path, form)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Classes a and b with two images each."""
    for name in ('a/0.png', 'a/1.png', 'b/0.png', 'b/1.png'):
        save(tmp_path / 'images' / name)
    return tmp_path / 'images'


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(list_images, 'print_log', lambda message, **_: lines.append(message))
    return lines


def names(root: Path) -> list[str]:
    return [os.path.relpath(path, root) for path, _ in ImageFolder(str(root)).samples]


FOUR = ['a/0.png', 'a/1.png', 'b/0.png', 'b/1.png']


def test_ordinary_folders_are_listed_as_torchvision_lists_them_without_a_warning(root: Path, logged: list[str]) -> None:
    for name in ('a/x/2.JPEG', 'a/x/y/3.jpg', 'a/x-1/4.PNG', 'a/Z.webp', 'B/0.bmp', 'b/10.tif', 'b/9.tiff', 'b/n.ppm'):
        save(root / name, {'.JPEG': 'jpeg', '.jpg': 'jpeg'}.get(Path(name).suffix, 'png'))
    assert ImageFolder(str(root)).samples == TorchvisionImageFolder(str(root)).samples
    assert logged == []


KINDS = [
    *[
        ('x.jfif', 'jpeg'),
        ('x.jpe', 'jpeg'),
        ('x', 'jpeg'),
        ('.hidden.jpg', 'jpeg'),
        ('x.png', 'tiff'),
        ('x.txt', 'webp'),
    ],
    *[('x.gif', 'gif'), ('x.GIF', 'gif'), ('x.avif', 'avif'), ('x.jp2', 'jpeg2000'), ('n02110185_7.n02110185', 'png')],
]


@pytest.mark.parametrize(('name', 'form'), KINDS)
def test_an_image_is_recognised_by_its_content(root: Path, logged: list[str], name: str, form: str) -> None:
    save(root / 'b' / name, form)
    assert f'b/{name}' in names(root)
    pixels = next(item for item in ImageFolder(str(root)) if item['data_samples'] == 1)['inputs']
    assert pixels.float().mean(dim=(1, 2)).tolist() == pytest.approx([200, 100, 50], abs=3)
    assert logged == []


def test_other_files_are_counted_in_one_line(root: Path, logged: list[str]) -> None:
    texts = ('a/a_boxes.txt', 'b/Thumbs.db', 'b/.DS_Store', 'b/._0.png', 'b/empty', 'classes.txt')
    for name in texts:
        (root / name).write_bytes(b'\0\5\x16\7' if '._' in name else b'' if name.endswith('empty') else b'P1 BM GIF')
    for name in ('.ipynb_checkpoints', '__MACOSX', 'a/@eaDir/0.png', 'b/.thumbnails'):
        save(root / name / '0.png')
    save(root / 'loose.png')
    assert names(root) == FOUR
    (line,) = logged
    for words in ('6 files', '4 hidden folders', '1 images', 'loose.png'):
        assert words in line


def test_pipes_and_sockets_are_not_opened(root: Path, logged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / 'a/x.jpg')
    os.mkfifo(root / 'a/y')
    monkeypatch.chdir(root / 'b')  # names of sockets must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind('s.png')
        assert names(root) == FOUR
    assert '3 pipes, sockets or devices (a/' in logged[0]


@pytest.mark.parametrize('target', ['.', '..', '../..', '/', '{root}', '{root}/a', '../b'])
def test_links_to_folders_that_are_read_anyway_add_nothing(root: Path, logged: list[str], target: str) -> None:
    (root / 'a/link').symlink_to(target.format(root=root))
    (root / 'a/deep').mkdir()
    (root / 'a/deep/up').symlink_to('..')
    assert names(root) == FOUR
    assert 'a/link' in logged[0]


def test_circular_links_add_nothing(root: Path, logged: list[str]) -> None:
    (root / 'a/to_b').symlink_to('../b')
    (root / 'b/to_a').symlink_to('../a')
    (root / 'b/self').symlink_to('self')
    assert names(root) == FOUR
    assert '/self)' in logged[0]
    assert '4 images' in logged[0]


def test_a_folder_wins_over_the_links_to_it(root: Path) -> None:
    save(root / 'b/deep/2.png')
    (root / 'a/link').symlink_to('../b/deep')
    (root / 'b/again').symlink_to('deep')
    assert names(root) == [*FOUR, 'b/deep/2.png']


def test_linked_images_count_once(root: Path, logged: list[str]) -> None:
    (root / 'a/2.png').symlink_to('0.png')
    (root / 'a/3.png').symlink_to('../b/0.png')
    for name in ('4', '5'):
        (root / f'b/{name}.png').symlink_to(save(root.parent / 'store/0.png'))
    assert names(root) == [*FOUR, 'b/4.png']
    assert '3 images' in logged[0] and '(a/2.png)' in logged[0]


def test_data_sets_made_of_links_are_listed_without_a_warning(root: Path, logged: list[str]) -> None:
    linked = root.parent / 'linked'
    (linked / 'b').mkdir(parents=True)
    (linked / 'a').symlink_to(root / 'a')
    for name in ('0.png', '1.png'):
        (linked / 'b' / name).symlink_to(root / 'b' / name)
    os.link(root / 'b/0.png', root / 'a/9.png')  # as deduplication tools do
    assert ImageFolder(str(linked)).samples == TorchvisionImageFolder(str(linked)).samples
    assert logged == []


def test_one_image_in_two_classes_is_refused(root: Path) -> None:
    for name in ('a/2.png', 'b/3.png'):
        (root / name).symlink_to(save(root.parent / 'store/0.png'))
    with pytest.raises(InputError, match=rf'{root}/b/3\.png\b.*\bclass\b'):
        ImageFolder(str(root))


def test_a_class_that_is_a_link_to_another_is_refused(root: Path) -> None:
    shutil.rmtree(root / 'b')
    (root / 'b').symlink_to('a')
    with pytest.raises(InputError, match=rf'{root}\b.*\bb\b.*JPEG'):
        ImageFolder(str(root))


@pytest.mark.parametrize('target', ['gone.png', 'x.png'])
def test_a_broken_link_to_an_image_is_refused(root: Path, target: str) -> None:
    (root / 'a/x.png').symlink_to(target)
    with pytest.raises(InputError, match=rf'link {root}/a/x\.png\b'):
        ImageFolder(str(root))


def test_a_folder_that_cannot_be_read_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(root / 'b/locked/2.png')
    read = os.scandir

    def scan(path: str):
        if str(path).endswith('locked'):
            raise PermissionError(13, 'Permission denied', path)
        return read(path)

    monkeypatch.setattr(os, 'scandir', scan)
    with pytest.raises(InputError, match=rf'{root}/b/locked\b.*Permission denied'):
        ImageFolder(str(root))
