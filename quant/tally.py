"""What a number format does to a set of numbers: what saturates, what becomes zero, how much noise comes in."""

import math

import numpy as np

__all__ = ["Tally", "decibels", "span"]


def decibels(signal, noise):
    """``10 log10(signal / noise)``, None if there is no noise (or nothing at all)."""
    return 10 * math.log10(signal / noise) if signal and noise else None


def span(fmt):
    """The least magnitude above 0 and the greatest of a format of at most 16 bits."""
    magnitudes = np.abs(fmt.values()) * 2.0**fmt.exponent
    return float(magnitudes[magnitudes > 0].min()), float(magnitudes.max())


class Tally:
    """Counts over the numbers given to `add`, as `fmt` rounds them.

    Parameters
    ----------
    fmt : UnitFormat

    Attributes
    ----------
    count, saturated, zero : int
        Numbers; those beyond the ends of the format; those that are 0 when rounded.
    least, most : float
        The least and the greatest number before rounding.
    signal, noise : float
        Sums of the squares of the numbers and of what rounding changed.
    histogram : dict
        Exponent e → how many numbers have a magnitude from ``2**e`` to ``2**(e + 1)``; zeros are left out.
    """

    def __init__(self, fmt):
        self.format = fmt
        self.count = self.saturated = self.zero = 0
        self.least, self.most = math.inf, -math.inf
        self.signal = self.noise = 0.0
        self.histogram = {}

    def add(self, x):
        """Take the array `x` into account."""
        x = np.asarray(x, dtype=np.float64).reshape(-1)
        if not x.size:
            return
        y = self.format.round(x)
        unit = 2.0**self.format.exponent
        self.count += x.size
        self.saturated += int(np.count_nonzero((x > self.format.hi * unit) | (x < self.format.lo * unit)))
        self.zero += int(np.count_nonzero(y == 0))
        self.least, self.most = min(self.least, float(x.min())), max(self.most, float(x.max()))
        self.signal += float(np.square(x).sum())
        self.noise += float(np.square(x - y).sum())
        exponents, counts = np.unique(np.frexp(x[x != 0])[1] - 1, return_counts=True)
        for exponent, count in zip(exponents.tolist(), counts.tolist(), strict=True):
            self.histogram[exponent] = self.histogram.get(exponent, 0) + count

    def figures(self):
        """JSON values; shares of 1, the signal to noise ratio in decibels."""
        return {
            "format": self.format.name,
            "width": self.format.width,
            "range": [self.least, self.most],
            "saturated": self.saturated / self.count,
            "zero": self.zero / self.count,
            "sqnr_db": decibels(self.signal, self.noise),
            "histogram": {str(exponent): self.histogram[exponent] / self.count for exponent in sorted(self.histogram)},
            "span": list(span(self.format)),
        }
