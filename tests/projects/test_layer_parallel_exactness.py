"""What compares trainings bit for bit finds every difference, on values and folders made here; nothing is trained."""

import copy
import json
import sys

import pytest
import torch
from tests_support import REPOSITORY

from auglocal_mm.errors import InputError

sys.path.insert(0, str(REPOSITORY / 'projects/layer_parallel'))

import bitwise
import exactness
import exactness_cases
import killed

CHECKPOINT = {
    'meta': {'iter': 2, 'time': '12:00'},
    'state_dict': {'backbone.conv.weight': torch.tensor([1.0, 2.0]), 'norm.num_batches_tracked': torch.tensor(2)},
    'optimizer': {
        'stem': {
            'state': {0: {'momentum_buffer': torch.tensor([0.5, -0.0])}},
            'param_groups': [{'lr': 0.1, 'params': [0]}],
            'loss_scaler': {'scale': 65536.0, '_growth_tracker': 2},
        }
    },
    'param_schedulers': [{'last_step': 2}],
}


def write_training(folder, checkpoint, losses=(2.5, 2.25), content=b'weights'):
    """A work_dir with what a training leaves."""
    logs = folder / '20260101_000000' / 'vis_data'
    logs.mkdir(parents=True)
    lines = [{'local/stem/loss': loss, 'time': len(folder.name), 'step': step} for step, loss in enumerate(losses, 1)]
    (logs / 'scalars.json').write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    torch.save(checkpoint, folder / 'iter_2.pth')
    (folder / 'backbone.pth').write_bytes(content)
    return folder


@pytest.fixture
def compared(tmp_path):
    """Compares a training with one that differs by the arguments."""

    def compare(checkpoint=CHECKPOINT, **different):
        one = write_training(tmp_path / 'one', CHECKPOINT)
        return bitwise.compare_trainings(one, write_training(tmp_path / 'another', checkpoint, **different))

    return compare


def test_equal_trainings_are_equal_whatever_their_times(compared):
    changed = copy.deepcopy(CHECKPOINT)
    changed['meta']['time'] = '13:00'
    found = compared(changed)
    assert (found.different, found.checkpoint.values, found.log.values, found.values) == (0, 8, 2, 11)


@pytest.mark.parametrize(
    ('path', 'value', 'bits'),
    [
        (('state_dict', 'backbone.conv.weight'), torch.tensor([1.0, 2.0]).nextafter(torch.tensor(3.0)), 2),
        (('state_dict', 'norm.num_batches_tracked'), torch.tensor(3), 1),
        (('optimizer', 'stem', 'state', 0, 'momentum_buffer'), torch.tensor([0.5, 0.0]), 1),  # the sign of zero
        (('optimizer', 'stem', 'state', 0, 'momentum_buffer'), torch.tensor([0.5, -0.0]).double(), 0),
        (('optimizer', 'stem', 'state', 0, 'momentum_buffer'), torch.tensor([[0.5, -0.0]]), 0),
        (('optimizer', 'stem', 'loss_scaler', 'scale'), 32768.0, 1),
        (('optimizer', 'stem', 'loss_scaler', '_growth_tracker'), 1, 0),
        (('param_schedulers', 0, 'last_step'), 2.0, 0),
    ],
)
def test_a_change_in_a_checkpoint_is_found(compared, path, value, bits):
    changed = copy.deepcopy(CHECKPOINT)
    *parents, last = path
    part = changed
    for key in parents:
        part = part[key]
    part[last] = value
    found = compared(changed)
    assert (found.checkpoint.different, found.checkpoint.bits, found.different) == (1, bits, 1)
    assert found.checkpoint.first == ['.'.join(map(str, path))]


@pytest.mark.parametrize('swap', [False, True], ids=['missing', 'added'])
def test_a_value_that_only_one_checkpoint_has_is_found(swap):
    values = {'a': torch.zeros(2), 'b': torch.zeros(2)}
    pair = [values, {'a': torch.zeros(2)}]
    found = bitwise.compare(*(reversed(pair) if swap else pair))
    assert (found.values, found.different, found.first) == (2, 1, ['b'])


def test_equal_bits_that_are_no_number_are_equal():
    nan = torch.tensor(float('nan'))
    assert bitwise.compare({'a': nan, 'b': float('nan')}, {'a': nan.clone(), 'b': float('nan')}).different == 0


@pytest.mark.parametrize(('losses', 'step'), [((2.5, 2.2500000000000004), 2), ((2.5,), 2), ((2.5, 2.25, 2.0), 3)])
def test_a_change_in_the_log_is_found(compared, losses, step):
    found = compared(losses=losses)
    assert (found.log.different, found.different, found.log.first) == (1, 1, [f'local/stem/loss, step {step}'])


def test_another_backbone_is_found(compared):
    found = compared(content=b'weightt')
    assert (found.same_backbone, found.different) == (False, 1)


def row(stages, different=0, **key):
    part = dict(values=1000, different=0, bits=0, first=[])
    key = {**exactness_cases.Case(exactness_cases.CIFAR).key, **key}
    return exactness.Row(
        **key, stages=stages, checkpoint={**part, 'different': different}, log=part, same_backbone=True
    )


def test_the_table_counts_what_differs():
    rows = [row(2), row(3, different=4), row(2, network='ResNet-18'), row(2, precision='float16', replicas=2)]
    assert exactness.table(rows).splitlines()[2:] == [
        '| AugLocal | P = 2, 3: 4 of 4,002 different | P = 2: 0 of 2,001 different |',
        '| AugLocal, float16, 2 replicas | P = 2: 0 of 2,001 different |  |',
    ]


def test_every_case_has_a_config_and_rows_of_its_own(tmp_path):
    cases = exactness_cases.all_cases()
    for case in cases:
        config = exactness_cases.training_config(case, tmp_path)
        assert config.model.head.num_classes == exactness_cases.CLASSES
        assert config.model.auxiliary_heads.type == exactness_cases.METHODS[case.method]['type']
        assert [other for other in cases if row(2, **case.key).is_of(other)] == [case]


def test_nothing_differs_in_the_results():
    rows = exactness.read_rows(exactness.HERE / 'results/exactness.json')
    assert rows and sum(row.different for row in rows) == 0
    for case in exactness_cases.all_cases():
        stages = tuple(row.stages for row in rows if row.is_of(case))
        assert stages in ((), case.stages), case


def test_images_that_are_missing_are_told(tmp_path):
    with pytest.raises(InputError) as caught:
        exactness_cases.copy_images(tmp_path / 'photographs', tmp_path / 'images')
    assert all(word in str(caught.value) for word in ('--data', 'photographs', 'train'))


def killed_run(**changes):
    survivors = [dict(rank=1, seconds=0.5, status=1, said='error')]
    part = dict(values=1, different=0, bits=0, first=[])
    normal = dict(rank=0, writing=True, unfinished=True, iteration=10, resumed_from=5, survivors=survivors)
    return killed.Killed(**{**normal, 'checkpoint': part, 'log': part, 'same_backbone': True, **changes})


@pytest.mark.parametrize(
    'changes',
    [
        {'same_backbone': False},
        {'resumed_from': 0},
        {'survivors': [dict(rank=1, seconds=60.0, status=None, said='')]},
    ],
)
def test_what_is_lost_in_a_killed_training_is_told(changes):
    killed.check([killed_run()])
    with pytest.raises(InputError, match='kill 1 '):
        killed.check([killed_run(), killed_run(**changes)])


def test_every_process_is_killed_at_any_moment_and_while_it_writes():
    kills = killed.draw_kills(20, 0)
    assert kills == killed.draw_kills(20, 0) != killed.draw_kills(20, 1)
    assert len({(kill.rank, kill.writing) for kill in kills}) == 2 * killed.PROCESSES
    assert '| 0 | 2 | 2 | 2 | 0.5 s | 5 | 0 of 6 different |' in killed.table([killed_run()] * 2)
