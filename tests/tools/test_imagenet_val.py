import importlib.util
import os
import re
from pathlib import Path

import pytest
from mmengine.logging import MMLogger
from PIL import Image
from tests_support import tool

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/imagenet_val.py'
NAMES = ['ILSVRC2012_val_00000001', 'ILSVRC2012_val_00000002', 'ILSVRC2012_val_00000003']
WNIDS = ['n01751748', 'n09193705', 'n01751748']

specification = importlib.util.spec_from_file_location('imagenet_val', TOOL)
imagenet_val = importlib.util.module_from_spec(specification)
specification.loader.exec_module(imagenet_val)


@pytest.fixture
def val(tmp_path: Path) -> Path:
    folder = tmp_path / 'val'
    folder.mkdir()
    for name in NAMES:
        (folder / f'{name}.JPEG').write_text(name)
    (folder / 'readme.txt').write_text('not an image')
    return folder


@pytest.fixture(autouse=True)
def logger(tmp_path: Path) -> None:
    """A new one: that of an earlier test writes to the output which was captured then."""
    MMLogger.get_instance(tmp_path.name)


def run(val: Path, labels: str, *options: str) -> Path:
    file = val.parent / 'labels.txt'
    file.write_text(labels)
    imagenet_val.main([str(val), str(file), '--out', str(val.parent / 'out'), *options])
    return val.parent / 'out'


def lines(form: str) -> str:
    return ''.join(form.format(name=name, wnid=wnid) for name, wnid in zip(NAMES, WNIDS, strict=True))


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob('*') if path.is_file()}


SORTED = {f'{wnid}/{name}.JPEG': name for name, wnid in zip(NAMES, WNIDS, strict=True)}


@pytest.mark.parametrize(
    'labels',
    [
        lines('{name}.JPEG {wnid}\n'),
        lines('{name}.JPEG\t{wnid}\n') + '\n',
        lines('{name}.JPEG,{wnid}\r\n'),
        'ImageId,PredictionString\n' + lines('{name},{wnid} 85 1 499 272 {wnid} 2 3 4 5 \n'),
        lines('{name}.JPEG\t{wnid}\t0\t32\t44\t62\n'),
    ],
    ids=['space', 'tab', 'comma', 'kaggle', 'tiny'],
)
def test_sorts_by_every_kind_of_list(val: Path, labels: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(val, labels)
    assert tree(out) == SORTED
    assert capsys.readouterr().out == f'3 images of 2 classes in {out}\n'
    assert sorted(path.name for path in val.parent.iterdir()) == ['labels.txt', 'out', 'val']
    assert out.stat().st_mode == val.stat().st_mode


def test_images_are_known_by_their_content_and_pipes_are_left_alone(val: Path) -> None:
    Image.new('RGB', (4, 4)).save(val / NAMES[2], 'gif')
    (val / f'{NAMES[2]}.JPEG').unlink()
    os.mkfifo(val / 'pipe.JPEG')
    assert len(list(run(val, lines('{name} {wnid}\n'), '--copy').rglob('ILSVRC*'))) == 3


def test_links_by_default_and_copies_on_demand(val: Path) -> None:
    original = val / f'{NAMES[0]}.JPEG'
    out = run(val, lines('{name} {wnid}\n'))
    assert (out / WNIDS[0] / original.name).samefile(original)
    out.rename(val.parent / 'linked')
    out = run(val, lines('{name} {wnid}\n'), '--copy')
    assert not (out / WNIDS[0] / original.name).samefile(original)
    assert tree(out) == SORTED


def test_copies_where_links_cannot_be_made(val: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, 'Invalid cross-device link')

    monkeypatch.setattr(os, 'link', refuse)
    assert tree(run(val, lines('{name} {wnid}\n'))) == SORTED


def test_relative_symbolic_links_do_not_dangle(val: Path) -> None:
    (val / f'{NAMES[0]}.JPEG').rename(val.parent / 'elsewhere')
    (val / f'{NAMES[0]}.JPEG').symlink_to('../elsewhere')
    assert tree(run(val, lines('{name} {wnid}\n'))) == SORTED


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (lines('{name} {wnid}\n') + 'lost.JPEG n00000001\n', r'\b1\b.*\blost\b'),
        (f'{NAMES[0]} n01751748\n{NAMES[1]} n01751748\n', rf'\b1\b.*{NAMES[2]}\.JPEG'),
        ('490\n361\n', "labels.txt, line 1: '490'"),
        (lines('{name}.JPEG 65\n'), 'labels.txt, line 1: .*JPEG 65'),
        (lines('{name} {wnid}\n') + f'{NAMES[0]} n00000001\n', f'labels.txt, line 4: {NAMES[0]}'),
    ],
)
def test_bad_lists_are_refused(val: Path, labels: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(val, labels, message, capsys)


def refused(val: Path, labels: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(val.parent.iterdir())
    with pytest.raises(SystemExit) as exit_info:
        run(val, labels)
    assert exit_info.value.code == 1
    assert re.match(f'error: .*{message}', capsys.readouterr().err)
    assert set(val.parent.iterdir()) - set(before) <= {val.parent / 'labels.txt'}


def test_bad_folders_are_refused(val: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = lines('{name} {wnid}\n')
    refused(val.parent / 'nowhere', good, '.*nowhere', capsys)
    (val.parent / 'out').mkdir()
    (val.parent / 'out/kept').write_text('')
    refused(val, good, '.*/out .*--out', capsys)
    assert tree(val.parent / 'out') == {'kept': ''}
    (val / f'{NAMES[0]}.png').write_text('')
    (val.parent / 'out/kept').unlink()
    refused(val, good, f'{NAMES[0]}.*{NAMES[0]}', capsys)


def test_folder_without_images_is_refused(val: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES:
        (val / f'{name}.JPEG').unlink()
    refused(val, lines('{name} {wnid}\n'), f'{val} ', capsys)


def test_nothing_is_left_when_writing_fails(
    val: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(source: Path, target: Path) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('shutil.copyfile', fail)
    monkeypatch.setattr(os, 'link', fail)
    refused(val, lines('{name} {wnid}\n'), 'out: .*No space left', capsys)


def test_command_line_prints_one_line(val: Path) -> None:
    (val.parent / 'labels.txt').write_bytes(b'\xff\xfe\x00')
    result = tool(str(TOOL), str(val), str(val.parent / 'labels.txt'), '--out', str(val.parent / 'out'))
    assert result.returncode == 1
    assert result.stderr.startswith('error: ') and str(val.parent / 'labels.txt') in result.stderr
    assert 'Traceback' not in result.stderr
