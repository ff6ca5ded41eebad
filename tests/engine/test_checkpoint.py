from pathlib import Path

import pytest
from torch import nn

from auglocal_mm.engine.checkpoint import check_resumable, latest_checkpoint
from auglocal_mm.errors import InputError


def test_there_may_be_none(tmp_path):
    assert latest_checkpoint(str(tmp_path)) is None
    assert latest_checkpoint(str(tmp_path / 'missing')) is None
    (tmp_path / 'backbone.pth').touch()
    assert latest_checkpoint(str(tmp_path)) is None


def test_last_checkpoint_is_followed(tmp_path):
    for epoch in (2, 10):
        (tmp_path / f'epoch_{epoch}.pth').touch()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_2.pth')


@pytest.mark.parametrize('pointer', ['', 'gone/epoch_3.pth', None])
def test_a_pointer_that_a_kill_left_behind_does_not_matter(tmp_path, pointer):
    for epoch in (2, 10):  # 10 is newer, though not by name
        (tmp_path / f'epoch_{epoch}.pth').touch()
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer)
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_10.pth')


def test_a_pointer_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, 'Permission denied')

    (tmp_path / 'last_checkpoint').touch()
    monkeypatch.setattr(Path, 'read_text', refuse)
    with pytest.raises(InputError, match=f'{tmp_path}/last_checkpoint.*read.*Permission denied'):
        latest_checkpoint(str(tmp_path))


def test_a_work_dir_may_be_moved_also_where_its_old_name_is_taken(tmp_path):
    for folder in ('old', 'new'):
        (tmp_path / folder).mkdir()
        for epoch in (1, 2):
            (tmp_path / folder / f'epoch_{epoch}.pth').touch()
    (tmp_path / 'new' / 'last_checkpoint').write_text(str(tmp_path / 'old' / 'epoch_1.pth'))
    assert latest_checkpoint(str(tmp_path / 'new')) == str(tmp_path / 'new' / 'epoch_1.pth')
    for epoch in (1, 2):
        (tmp_path / 'new' / f'epoch_{epoch}.pth').unlink()
    assert latest_checkpoint(str(tmp_path / 'new')) is None


def test_checkpoints_are_elsewhere_where_the_config_says_so(tmp_path):
    for folder, epoch in (('out/run', 3), ('out/earlier_name', 4), ('foreign', 5)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f'epoch_{epoch}.pth').touch()
    run, out = tmp_path / 'run', str(tmp_path / 'out')
    run.mkdir()
    for named, expected in (
        ('out/run/epoch_3.pth', 'out/run/epoch_3.pth'),
        ('out/earlier_name/epoch_4.pth', 'out/earlier_name/epoch_4.pth'),
        ('foreign/epoch_5.pth', 'out/run/epoch_3.pth'),
    ):
        (run / 'last_checkpoint').write_text(str(tmp_path / named))
        assert latest_checkpoint(str(run), out) == str(tmp_path / expected)
        assert latest_checkpoint(str(run)) is None


def test_the_best_checkpoint_is_not_resumed_from(tmp_path):
    for name in ('epoch_2', 'best_coco_bbox_mAP_epoch_7'):
        (tmp_path / f'{name}.pth').touch()
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_2.pth')


def test_a_training_resumes_only_from_its_own_state():
    model = nn.ModuleDict({'head': nn.Linear(2, 3), 'auxiliary_heads': nn.Linear(2, 3)})
    whole = {'meta': {}, 'optimizer': {}, 'state_dict': model.state_dict()}
    check_resumable(model, whole, 'a.pth')
    with pytest.raises(InputError, match=r'a\.pth.*load_from'):
        check_resumable(model, {'state_dict': whole['state_dict']}, 'a.pth')
    damaged = {'state': {3: True}, 'param_groups': []}
    for optimizer, said in (
        (True, r'\bTrue\b'),
        (damaged, r'state\.3.*\bTrue\b'),
        ({'stem': damaged}, r'state\.3.*\bTrue\b'),
        ({'stem': {'state': {}}}, 'param_groups.*missing'),
    ):
        with pytest.raises(InputError, match=rf'optimizer.*a\.pth.*{said}'):
            check_resumable(model, {**whole, 'optimizer': optimizer}, 'a.pth')
    with pytest.raises(InputError, match=r'a\.pth.*auxiliary_heads\.bias.*missing.*\(3,\)'):
        plain = {name: value for name, value in model.state_dict().items() if name.startswith('head.')}
        check_resumable(model, {**whole, 'state_dict': plain}, 'a.pth')
    with pytest.raises(InputError, match=r'a\.pth.*auxiliary_heads\.bias.*\(3,\).*missing'):
        check_resumable(nn.ModuleDict({'head': nn.Linear(2, 3)}), whole, 'a.pth')
    with pytest.raises(InputError, match=r'a\.pth.*head\.bias.*\(3,\).*\(4,\)'):
        check_resumable(nn.ModuleDict({'head': nn.Linear(2, 4), 'auxiliary_heads': nn.Linear(2, 3)}), whole, 'a.pth')
