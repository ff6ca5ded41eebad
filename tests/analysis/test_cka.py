import pytest
import torch

from auglocal_mm.analysis.cka import MinibatchCKA
from auglocal_mm.errors import InputError


def features(seed: int, n: int = 12, c: int = 5) -> torch.Tensor:
    return torch.randn(n, c, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def cka(first, second) -> torch.Tensor:
    gathered = MinibatchCKA(len(first), len(second))
    gathered.update(first, second)
    return gathered.result()


def unbiased_hsic(x: torch.Tensor, y: torch.Tensor) -> float:
    """Equation 3 of arXiv 2010.15327, written out element by element."""
    n = len(x)
    k, l = x @ x.T, y @ y.T  # noqa: E741
    for i in range(n):
        k[i, i] = l[i, i] = 0
    one = torch.ones(n, dtype=torch.float64)
    products = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return float((torch.trace(k @ l) + products - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3)))


def test_one_batch_is_the_definition():
    x, y = features(0), features(1, c=7)
    expected = unbiased_hsic(x, y) / (unbiased_hsic(x, x) * unbiased_hsic(y, y)) ** 0.5
    assert float(cka([x], [y])) == pytest.approx(expected, rel=1e-12)


def test_batches_are_averaged_before_the_ratio():
    pairs = [(features(i), features(i + 10)) for i in range(3)]
    gathered = MinibatchCKA(1, 1)
    for x, y in pairs:
        gathered.update([x], [y])
    groups = (pairs, [(x, x) for x, _ in pairs], [(y, y) for _, y in pairs])
    sums = [sum(unbiased_hsic(*each) for each in group) for group in groups]
    assert float(gathered.result()) == pytest.approx(sums[0] / (sums[1] * sums[2]) ** 0.5, rel=1e-12)


def test_one_with_itself_and_with_its_rotations_and_multiples():
    x = features(0)
    rotation = torch.linalg.qr(features(3, 5, 5)).Q
    for other in (x, x @ rotation, 3.5 * x):
        assert float(cka([x], [other])) == pytest.approx(1, abs=1e-12)
    assert float(cka([x], [features(7)])) < 0.9


def test_matrix_of_layers_and_maps():
    maps = [features(i, 12, 36).view(12, 4, 3, 3) for i in range(3)]
    values = cka(maps, [*maps[::-1], maps[0]])
    assert values.shape == (3, 4)
    assert torch.allclose(values[[0, 1, 2], [2, 1, 0]], torch.ones(3, dtype=torch.float64))


def test_no_batch_is_refused():
    with pytest.raises(InputError, match=r'\b4\b.*CKA'):
        MinibatchCKA(1, 1).result()


def test_tiny_batches_are_refused():
    with pytest.raises(InputError, match=r'\b3\b.*CKA.*\b4\b'):
        cka([features(0, 3)], [features(1, 3)])
