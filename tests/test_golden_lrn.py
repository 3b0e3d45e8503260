"""Local response normalisation against torch's and against a sum written down."""

import numpy as np
import pytest
import torch

from golden.errors import InputError
from golden.lrn import LrnSpec, lrn


@pytest.mark.parametrize(("size", "alpha", "beta", "k"), [(5, 1e-4, 0.75, 2.0), (3, 0.5, 0.5, 1.0), (1, 1, 1, 1.0)])
def test_numbers_equal_torch(size, alpha, beta, k):
    x = np.random.default_rng(size).normal(size=(2, 7, 3, 4)) * 20
    expected = torch.nn.functional.local_response_norm(torch.tensor(x), size, alpha, beta, k)
    found = lrn(LrnSpec(size=size, alpha=alpha, beta=beta, k=k), x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-14)


@pytest.mark.parametrize("size", [1, 2, 4, 5, 9])
def test_each_channel_has_its_own_window(size):
    """Even windows have one channel more before than behind; those at the ends are short, and still divided by size."""
    spec = LrnSpec(size=size, alpha=2.0, beta=0.75, k=1.5)
    x = np.arange(1, 7.0)
    expected = []
    for c in range(6):
        first = c - size // 2
        squares = sum(x[i] ** 2 for i in range(max(first, 0), min(first + size, 6)))
        expected.append(x[c] / (1.5 + 2.0 / size * squares) ** 0.75)
    np.testing.assert_allclose(lrn(spec, x[None, :, None, None])[0, :, 0, 0], expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size of a normalisation must be at least 1, not 0"),
        ({"size": 2.0}, "size of a normalisation must be at least 1, not 2.0"),
        ({"alpha": -1e-4}, "alpha of a normalisation must be a finite number of at least 0, not -0.0001"),
        ({"beta": float("inf")}, "beta of a normalisation must be a finite number of at least 0, not inf"),
        ({"beta": "x"}, "beta of a normalisation must be a finite number of at least 0, not 'x'"),
        ({"k": 0}, "k of a normalisation must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        LrnSpec(**{"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0} | change)
