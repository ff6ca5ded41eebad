import numpy as np
import pytest
import torch
from torch import Tensor

from auglocal_mm.analysis.linear_probe import LinearProbes, probe_accuracy
from auglocal_mm.errors import InputError


def data(n: int = 60) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 3
    return torch.randn(n, 5, dtype=torch.float64, generator=generator) + 2 * torch.eye(5)[labels], labels


def test_the_solution_is_that_of_least_squares():
    inputs, labels = data()
    probes = LinearProbes(1, 3, penalty=0.0)
    for part in range(0, 60, 20):  # three batches, one pass
        probes.update([inputs[part : part + 20]], labels[part : part + 20])
    design = np.hstack([inputs.numpy(), np.ones((60, 1))])
    expected, *_ = np.linalg.lstsq(design, np.eye(3)[labels.numpy()], rcond=None)
    assert np.allclose(probes.solve()[0].numpy(), expected, atol=1e-10)


def test_the_penalty_is_that_of_ridge_regression_on_standardised_features():
    linear_model = pytest.importorskip('sklearn.linear_model', reason='the demo extra brings scikit-learn')
    inputs, labels = data()
    probes = LinearProbes(1, 3, penalty=0.1)
    probes.update([inputs], labels)
    scale = inputs.std(dim=0, correction=0)
    ridge = linear_model.Ridge(alpha=0.1 * 60).fit((inputs / scale).numpy(), np.eye(3)[labels.numpy()])
    assert np.allclose(probes.solve()[0][:-1].numpy(), ridge.coef_.T / scale.numpy()[:, None], atol=1e-10)
    assert np.allclose(probes.solve()[0][-1].numpy(), ridge.intercept_, atol=1e-10)


def test_bad_input_is_refused():
    inputs, labels = data()
    for penalty in (-1.0, float('nan'), float('inf')):
        with pytest.raises(InputError, match=rf'penalty.* {penalty}\b'):
            LinearProbes(1, 3, penalty)
    for label in (3, -1):
        with pytest.raises(InputError, match=rf'label.* {label}\b.*\b3\b.*\b0\b.*\b2\b'):
            LinearProbes(1, 3).update([inputs], torch.full_like(labels, label))
    one = LinearProbes(1, 3, penalty=0.0)
    one.update([inputs[:1]], labels[:1])
    with pytest.raises(InputError, match=r'\b1\b.*\b5\b.*penalty.*0\.0'):
        one.solve()


def test_every_layer_has_its_own_probe_and_dead_channels_do_no_harm():
    inputs, labels = data()
    noise = torch.randn(60, 4, generator=torch.Generator().manual_seed(1))
    dead = torch.cat([inputs, torch.zeros(60, 2)], dim=1)
    probes = LinearProbes(3, 3)
    probes.update([inputs, noise, dead], labels)
    right = probe_accuracy(probes.solve(), [inputs, noise, dead], labels)
    assert right[0] == right[2] > right[1]
    assert right[0] > 50
