import numpy as np
import pytest

from golden.errors import InputError
from quant.vbmf import TAU, vbmf_rank


def noisy(rank, shape, noise, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    return signal + noise * rng.normal(size=shape)


@pytest.mark.parametrize("shape", [(40, 200), (200, 40), (60, 60)])
@pytest.mark.parametrize("rank", [1, 3, 10])
def test_the_rank_beneath_noise_is_found(shape, rank):
    assert vbmf_rank(noisy(rank, shape, 0.3)) == rank
    assert vbmf_rank(1e-3 * noisy(rank, shape, 0.3)) == rank  # whatever the unit


def test_noise_alone_has_least_rank_and_strong_noise_hides_a_signal():
    assert vbmf_rank(noisy(1, (50, 120), 1.0) - noisy(1, (50, 120), 0.0)) == 1
    assert vbmf_rank(noisy(8, (50, 120), 0.1)) == 8 > vbmf_rank(noisy(8, (50, 120), 20.0))


def test_the_constant_is_the_root_of_its_equation():
    def phi(z):  # of a large square matrix: phi(t) + phi(t / aspect) = 0 at the threshold
        return np.log(z + 1) / z - 0.5

    assert phi(TAU) == pytest.approx(0, abs=1e-5)


def test_what_is_no_matrix_is_refused():
    for x in (np.zeros((3, 4)), np.ones(3), np.full((2, 2), np.nan), np.ones((0, 3))):
        with pytest.raises(InputError, match="a rank is found of a finite matrix that is not 0, not of"):
            vbmf_rank(x)
