"""Real processes: two with half a batch each take the steps of one with the whole batch."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from tests_support import REPOSITORY


def run(config, processes: int) -> dict[str, torch.Tensor]:
    path = f'{config.work_dir}.py'
    config.dump(path)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = ['bash', 'tools/dist_train.sh', path, str(processes), '--work-dir', config.work_dir]
    paths = os.pathsep.join([os.path.dirname(sys.executable), os.environ['PATH']])
    environment = {**os.environ, 'PATH': paths, 'PORT': str(port), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(f'{config.work_dir}/epoch_2.pth', weights_only=False)['state_dict']


@pytest.mark.parametrize('accumulative_counts', [1, 2])
def test_two_processes_equal_one(tiny_config, tmp_path, accumulative_counts):
    states = []
    for processes in (1, 2):
        config = tiny_config(
            work_dir=str(tmp_path / f'{processes}_processes'),
            **{
                'model.backbone.norm_cfg': dict(type='GN', num_groups=4),  # a norm without statistics of the batch
                'train_dataloader.batch_size': 8 // processes,
                'optim_wrapper.accumulative_counts': accumulative_counts,
                'optim_wrapper.clip_grad': dict(max_norm=1.0),
            },
        )
        states.append(run(config, processes))
    one, two = states
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6, msg=lambda text, n=name: f'{n}: {text}')
