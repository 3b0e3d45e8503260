"""What the output-stationary systolic array costs: its tiling and its cycle model."""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError

__all__ = ["SystolicShape", "systolic_cycles", "utilisation"]


@dataclass(frozen=True, kw_only=True)
class SystolicShape:
    """Size of an array of PEs, each of which keeps one sum.

    Parameters
    ----------
    rows, cols : int
        PEs along M and along N, 1 to 64 each.
    """

    rows: int = 8
    cols: int = 8

    def __post_init__(self):
        for what in ("rows", "cols"):
            if not 1 <= getattr(self, what) <= 64:
                raise InputError(f"{what} must be 1 to 64, not {getattr(self, what)}")

    def tiles(self, m, n):
        """Tiles of an [m, n] result: (along M, along N). The last of each may be partial."""
        return -(-m // self.rows), -(-n // self.cols)

    @property
    def latency(self):
        """Cycles from the slot in which a front enters to the last row of results that leaves behind it."""
        return self.rows + self.cols


def systolic_cycles(shape, depths):
    """Cycles from the first accepted input beat to the last accepted output beat, both included.

    ``sum over tiles of max(K, rows) + rows + cols``, with every source valid and every sink ready. The array takes a
    k-step a cycle; the results of a tile leave, a row of PEs a cycle, behind the front of the next, so that fronts
    enter at least `rows` cycles apart.

    Parameters
    ----------
    depths : array of int
        K of each tile, in order.
    """
    depths = np.atleast_1d(depths)
    return int(np.maximum(depths, shape.rows).sum()) + shape.latency


def utilisation(shape, macs, cycles):
    """Share of the array's PE cycles that useful products fill."""
    return macs / (cycles * shape.rows * shape.cols)
