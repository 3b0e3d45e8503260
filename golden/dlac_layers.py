"""Programs for what networks do to sums: bias, batch normalisation, rectifiers, shortcuts, updates of weights.

Each function gives a `Program`; programs are added up, first come first executed.
"""

from dataclasses import dataclass

import numpy as np

from golden.dlac import NOTHING, Tiling
from golden.dlac_program import ADD, BUFFER, IMMEDIATE, LOAD, MADD, SEL, STREAM, TABLE, ZERO, Instruction

__all__ = ["Program", "batch_norm", "bias", "combine", "rectify", "rectify_backward", "residual", "scale"]


@dataclass(frozen=True)
class Program:
    """Instructions, and for each that takes a beat of `v` where its words come from.

    Parameters
    ----------
    instructions : tuple of Instruction
    sources : tuple of array
        Numbers [N], a word for each column of the result, or [M, N], of which the instruction's row and line get theirs.
    """

    instructions: tuple = ()
    sources: tuple = ()

    def __add__(self, other):
        return Program(self.instructions + other.instructions, self.sources + other.sources)

    @property
    def rows(self):
        """The instructions as rows of numbers, as the grid's golden function and engines take them."""
        return np.array([instruction.fields for instruction in self.instructions] or NOTHING, np.int64)

    def words(self, shape, m, n):
        """The beats of `v` for a result [m, n]: float64 [tiles, beats, tile_cols]."""
        tiling, found = Tiling(shape, m, n), []
        takers = [i for i in self.instructions if i.op == LOAD or STREAM in (i.v1, i.v2, i.v3)]
        for taker, source in zip(takers, self.sources, strict=True):
            source = np.asarray(source, np.float64)
            if source.ndim == 1:
                beat = tiling.split(np.broadcast_to(source, (m, n)))[:, 0, 0]
            else:
                beat = tiling.split(source)[:, taker.row, taker.d]
            found.append(beat)
        return np.stack(found, axis=1) if found else np.zeros((tiling.count, 0, shape.tile_cols))


def lines(shape, source=None, **fields):
    """An instruction for the line of every pixel, with the same words [N] for all, or with `source` [M, N] its own."""
    if source is None or np.ndim(source) == 1:
        instructions = tuple(Instruction(d=line, **fields) for line in range(shape.pixels))
    else:
        each = ((row, line) for row in range(shape.rows) for line in range(shape.pixels))
        instructions = tuple(Instruction(d=line, row=row, **fields) for row, line in each)
    return Program(instructions, () if source is None else (source,) * len(instructions))


def code(fmt, number):
    """The code of a number."""
    return int(fmt.encode(np.array(number, np.float64)))


def bias(shape, words):
    """``y + words[n]``."""
    return Program((Instruction(op=LOAD),), (words,)) + lines(shape, op=ADD, v1=BUFFER, v2=TABLE)


def batch_norm(shape, gamma, beta):
    """``y * gamma[n] + beta[n]``, rounded once."""
    load = Program((Instruction(op=LOAD),), (gamma,))
    return load + lines(shape, np.asarray(beta), op=MADD, v1=BUFFER, v2=TABLE, v3=STREAM)


def rectify(shape, fmt, threshold=0.0):
    """``y if y > threshold else 0``."""
    return lines(shape, op=SEL, v1=BUFFER, v2=BUFFER, v3=ZERO, immediate=code(fmt, threshold))


def rectify_backward(shape, fmt, x, threshold=0.0):
    """``y if x > threshold else 0``: the gradient behind a rectifier, with its input or output `x` [M, N]."""
    return lines(shape, x, op=SEL, v1=STREAM, v2=BUFFER, v3=ZERO, immediate=code(fmt, threshold))


def residual(shape, x):
    """``y + x`` with `x` [M, N]."""
    return lines(shape, x, op=ADD, v1=BUFFER, v2=STREAM)


def scale(shape, fmt, factor):
    """``y * factor``, which is ``y * factor + 0``: a result of -0 is +0."""
    return lines(shape, op=MADD, v1=BUFFER, v2=IMMEDIATE, v3=ZERO, immediate=code(fmt, factor))


def combine(shape, fmt, factor, x):
    """``y * factor + x`` with `x` [M, N], rounded once: an update of weights `x`, of which `y` is the gradient."""
    return lines(shape, x, op=MADD, v1=BUFFER, v2=IMMEDIATE, v3=STREAM, immediate=code(fmt, factor))
