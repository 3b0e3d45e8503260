"""What bit-serial GEMM tiles cost: how long each pass takes a group of windows, and cycle models down to the drain.

A tile has `windows` by `filters` serial inner-product units of `lanes` each. A pass brings it `lanes` activations for
each window and as many weights for each filter, and a group of windows takes as many cycles for it as the digits of
its operands ask for:

- bit-parallel (DaDianNao): 1
- Stripes: the precision of the layer's activations
- Dynamic Stripes: the precision of the group's activations, with `trim` less the planes below the lowest one
- Loom: ``ceil(Pa / s) * Pw``, of the pass's activations, s bits of them a cycle, and of its weights

Sources: Judd et al., Stripes, MICRO 2016; Delmas et al., Dynamic Stripes, 2017; Sharify et al., Loom, DAC 2018.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.precision import group_precision

__all__ = [
    "TileShape",
    "activation_groups",
    "busy_cycles",
    "dynamic_stripes_cycles",
    "group_times",
    "loom_cycles",
    "loom_times",
    "parallel_cycles",
    "stripes_cycles",
    "tile_cycles",
    "trailing_planes",
    "weight_groups",
]


@dataclass(frozen=True, kw_only=True)
class TileShape:
    """Size of a tile of serial inner-product units.

    Parameters
    ----------
    lanes : int
        Products of a unit along K, 1 to 16.
    filters : int
        Units along N, 1 to 128.
    windows : int
        Columns of units, 1 to 16: along M, each with its own activations and all with the same weights.
    dense : bool
        The columns lie along N instead: each takes weights of its own in turn, a beat a cycle, and all have the
        activations of one window, for layers that use a weight once.
    """

    lanes: int = 16
    filters: int = 16
    windows: int = 16
    dense: bool = False

    def __post_init__(self):
        for what, most in (("lanes", 16), ("filters", 128), ("windows", 16)):
            if not 1 <= getattr(self, what) <= most:
                raise InputError(f"{what} must be 1 to {most}, not {getattr(self, what)}")

    @property
    def rows(self):
        """Rows of the result in a tile."""
        return 1 if self.dense else self.windows

    @property
    def cols(self):
        """Columns of the result in a tile."""
        return self.filters * self.windows if self.dense else self.filters

    def tiles(self, m, n):
        """Tiles of an [m, n] result: (along M, along N). The last of each may be partial."""
        return -(-m // self.rows), -(-n // self.cols)

    def passes(self, k):
        """Passes of a tile whose sums have `k` products."""
        return -(-k // self.lanes)


def activation_groups(shape, a, groups=1):
    """Activations [M, K] as those of each row of tiles, pass and group of windows: [down, passes, groups, values]."""
    m, k = a.shape
    down, passes = shape.tiles(m, 1)[0], shape.passes(k)
    if shape.rows % groups:
        raise InputError(f"groups must divide the {shape.rows} windows of a tile, not be {groups}")
    a = np.pad(a, ((0, down * shape.rows - m), (0, passes * shape.lanes - k)))
    a = a.reshape(down, groups, shape.rows // groups, passes, shape.lanes)
    return a.transpose(0, 3, 1, 2, 4).reshape(down, passes, groups, -1)


def weight_groups(shape, w):
    """Weights [K, N] as those of each column of tiles and pass: [across, passes, values]."""
    k, n = w.shape
    across, passes = shape.tiles(1, n)[1], shape.passes(k)
    w = np.pad(w, ((0, passes * shape.lanes - k), (0, across * shape.cols - n)))
    return w.reshape(passes, shape.lanes, across, shape.cols).transpose(2, 0, 3, 1).reshape(across, passes, -1)


def trailing_planes(x):
    """Bit-planes of a group below its lowest one: [..., G] -> [...], 0 where all are 0."""
    planes = np.bitwise_or.reduce(np.asarray(x).astype(np.int64), axis=-1)
    return np.where(planes != 0, np.frexp((planes & -planes).astype(np.float64))[1] - 1, 0)


def group_times(x, signed, trim=False):
    """Cycles that a group takes bit by bit: its precision, [..., G] -> [...]; with `trim` without trailing planes."""
    return group_precision(x, signed) - (trailing_planes(x) if trim else 0)


def loom_times(pa, pw, digit=1):
    """Cycles of passes with activations of `pa` bits, `digit` of them a cycle, and weights of `pw` bits."""
    return -(-np.asarray(pa) // digit) * np.asarray(pw)


def busy_cycles(times, run_ahead=0):
    """Cycles in which passes are worked on, without filling and draining the tile: [..., passes, groups] -> [...].

    Every pass goes to all groups at once, at most one a cycle, when each has finished all but the last `run_ahead`
    before it. With 0 the slowest group sets the pace of each pass; what no synchronisation would take is
    ``times.sum(axis=-2).max(axis=-1)``, and with work shared evenly the mean over the groups of that.
    """
    times = np.asarray(times).astype(np.int64)
    if not run_ahead or times.shape[-1] == 1:
        return times.max(axis=-1).sum(axis=-1)
    done = np.zeros((*times.shape[:-2], times.shape[-1]), np.int64)
    given = np.zeros(times.shape[:-2], np.int64)
    before = deque([given] * (run_ahead + 1), run_ahead + 1)  # when all groups had finished each of these passes
    for step in range(times.shape[-2]):
        given = np.maximum(given + (step > 0), before[0])
        done = np.maximum(done, given[..., None]) + times[..., step, :]
        before.append(done.max(axis=-1))
    return before[-1]


def tile_cycles(times, last, *, windows, run_ahead=0, turns=False, stages=1):
    """Cycles from the first accepted input beat to the last accepted beat of results, both included; no stalls.

    A step is a beat of weights to work on: given in one cycle, worked on from the next, for as many cycles as it takes
    the group. It is given when every group has finished all but the last `run_ahead` before it, in the same cycle at
    the earliest. `stages` cycles after the last digit of a tile, the group's sums are complete, and move into a
    register to be drained if that has been, or else the group waits. From the cycle after, they leave, a window a
    cycle, those of all windows in order.

    Parameters
    ----------
    times : int [steps, groups]
    last : bool [steps]
        Whether a step is the last of its tile; the very last is.
    windows : int
        A multiple of the groups.
    run_ahead : int
    turns : bool
        The groups are given their steps one after the other, a cycle each, when they have finished theirs before.
    stages : int
        1, or for a single window any.
    """
    times = np.asarray(times).astype(np.int64)
    groups = times.shape[1]
    share = windows // groups
    done = np.zeros(groups, np.int64)  # cycle of the last digit of each group's step
    free = np.zeros(groups, np.int64)  # first cycle in which it may work on another
    drained = np.zeros(groups, np.int64)  # cycle in which the last of its sums of the tile before left
    before = deque([0] * (run_ahead + 1), run_ahead + 1)
    given, left = -1, 0
    for step, ends in zip(times, last, strict=True):
        if turns:
            for group in range(groups):
                given = max(given + 1, done[group])
                done[group] = max(given + 1, free[group]) + step[group] - 1
        else:
            given = max(given + 1, before[0])
            done = np.maximum(given + 1, free) + step - 1
            before.append(done.max())
        free = done + 1
        if ends:
            kept = np.maximum(done + stages, drained)
            free = kept - stages + 1
            for group in range(groups):
                left = max(left, kept[group]) + share
                drained[group] = left
    return int(left) + 1


def parallel_cycles(shape, m, k, n):
    """Cycles of the bit-parallel tile, which has one window: a pass a cycle, products in a register."""
    return steady_cycles(shape, m, k, n, 1, stages=2)


def stripes_cycles(shape, m, k, n, precision):
    """Cycles of Stripes for [m, k] activations of `precision` bits and [k, n] weights."""
    return steady_cycles(shape, m, k, n, precision)


def steady_cycles(shape, m, k, n, time, stages=1):
    """Cycles of tiles all of whose passes take `time` cycles."""
    down, across = shape.tiles(m, n)
    times = np.full((down, shape.passes(k), 1), time)
    return repeated_cycles(shape, times, across, stages=stages)


def dynamic_stripes_cycles(shape, a, n, signed, *, groups=1, run_ahead=0, trim=False):
    """Cycles of Dynamic Stripes for the activations `a` [M, K] and weights [K, n]."""
    times = group_times(activation_groups(shape, a, groups), signed, trim)
    return repeated_cycles(shape, times, shape.tiles(1, n)[1], run_ahead=run_ahead)


def repeated_cycles(shape, times, across, **schedule):
    """Cycles of tiles whose passes take `times` [down, passes, groups] in each of the `across` columns of tiles."""
    last = np.zeros(times.shape[:2], bool)
    last[:, -1] = True
    times, last = np.repeat(times, across, axis=0), np.repeat(last, across, axis=0)
    return given_cycles(shape, times.reshape(-1, times.shape[2]), last.reshape(-1), **schedule)


def loom_cycles(shape, a, w, signed, *, digit=1):
    """Cycles of Loom for the activations `a` [M, K] and the signed weights `w` [K, N]: a step is a plane of weights."""
    pa = group_precision(activation_groups(shape, a)[:, :, 0], signed)
    pw = group_precision(weight_groups(shape, w), True)
    grid = len(pa), len(pw), pa.shape[1]
    planes = np.broadcast_to(pw, grid).reshape(-1)
    times = np.repeat(np.broadcast_to(-(-pa // digit)[:, None], grid).reshape(-1), planes)
    last = np.zeros(len(times), bool)
    last[np.cumsum(planes).reshape(-1, grid[2])[:, -1] - 1] = True
    return given_cycles(shape, times[:, None], last)


def given_cycles(shape, times, last, **schedule):
    """`tile_cycles` of a tile of this shape: in a dense one, every column takes the same time."""
    if shape.dense:
        times = np.broadcast_to(times, (len(times), shape.windows))
    return tile_cycles(times, last, windows=shape.windows, turns=shape.dense, **schedule)
