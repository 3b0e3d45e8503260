"""Stochastic rounding, with a stated source of randomness."""

import numpy as np

from golden.errors import InputError

__all__ = ["generator", "stochastic"]


def generator(seed):
    """Random numbers that depend on `seed` alone: NumPy's Philox4x64-10, keyed by NumPy's SeedSequence of `seed`.

    Raises
    ------
    InputError
        If `seed` is not a whole number of at least 0.
    """
    if type(seed) is not int or seed < 0:
        raise InputError(f"seed must be a whole number of at least 0, not {seed!r}")
    return np.random.Generator(np.random.Philox(seed))


def stochastic(fmt, x, rng):
    """The numbers of `fmt`, in its units, to which the reals `x` are rounded at random, without error on average.

    Between the neighbouring numbers ``below <= x <= above`` of the format, ``x -> above`` with probability
    ``(x - below) / (above - below)``, else ``below``. Beyond the ends of the format, the end. Numbers of the format
    stay what they are; infinity is none of them. One draw is made for each element, in order, u from
    {0, 1, ..., 2**53 - 1} / 2**53; above is taken if u is less than the probability.

    Parameters
    ----------
    fmt : Format
    x : array of reals
        NaN is refused with InputError.
    rng : numpy.random.Generator
        See `generator`.

    Returns
    -------
    array
        Integers, int64; of floats without units for int64, float64. Times ``2**fmt.exponent`` they are the numbers.

    Source: Gysel, Ristretto, section 2.6.2, equation 2.8. Its "E(round(x)) = 0" means that of the error. Its code takes
    ``floor(x + u)``; on GPUs u may be 1, which moves numbers of the format, and here it is always less.
    """
    below, above = fmt.neighbours(x)
    gap = np.maximum(above - below, 1)
    share = (np.clip(fmt.units(x), float(fmt.lo), float(fmt.hi)) - below) / gap
    return np.where(rng.random(np.shape(x)) < share, above, below)
