"""Pointwise instructions of DLAC: what the grid does to a tile's sums before they leave.

An instruction is ``<op, v1, v2, v3>`` with a destination: one line of output buffers, those of a pixel, in the PEs of all
rows of the grid or of one. Each operand is one of

- ``ZERO``: +0
- ``BUFFER``: the buffer of the line `s` and the same filter
- ``IMMEDIATE``: the number that the instruction carries
- ``TABLE``: the filter's word of the table, which a ``LOAD`` before fills
- ``STREAM``: the filter's word of the next beat of `v`, which the instruction takes, once for all its operands

and the operation, rounded once, one of

- ``NOP``: nothing; a tile without pointwise operations has one
- ``LOAD``: the table is the next beat of `v`
- ``ADD``: ``v1 + v2``
- ``SUB``: ``v1 - v2``
- ``MADD``: ``v1 * v2 + v3``
- ``SEL``: ``v2 if v1 > immediate else v3``; a NaN is not greater than anything

A comparison with a number, instead of one with 0, makes a rectifier with threshold one instruction that needs no buffer
for a difference. One table and one stream are enough for batch normalisation (``BUFFER * TABLE + STREAM``), and reading
one line an instruction for all that networks do to their sums; a PE then reads its buffers in one place alone.

Units do the filters of a line in order, as many a cycle as there are units, in ``MADD`` as many as multiply. An
instruction begins in the cycle after the one before it, but not before `s` is written by those before.

Source: Venkatesh, Nurvitadhi and Marr, Accelerating Deep Convolutional Networks Using Low-Precision and Sparsity,
section 3: ptWiseOp.
"""

from dataclasses import astuple, dataclass

import numpy as np

from golden.errors import InputError
from golden.float_arithmetic import add, fma, subtract

__all__ = [
    "ADD",
    "ALL",
    "BUFFER",
    "FIELDS",
    "IMMEDIATE",
    "KINDS",
    "LOAD",
    "MADD",
    "NOP",
    "OPS",
    "SEL",
    "STREAM",
    "SUB",
    "TABLE",
    "ZERO",
    "Instruction",
    "check_program",
    "execute",
    "program_cycles",
    "steps",
    "streams",
]

OPS = NOP, LOAD, ADD, SUB, MADD, SEL = range(6)
KINDS = ZERO, BUFFER, IMMEDIATE, TABLE, STREAM = range(5)
ALL = 255  # instead of a row: every row
FIELDS = {"op": 4, "v1": 4, "v2": 4, "v3": 4, "d": 8, "s": 8, "row": 8}  # bits; the immediate comes behind them


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """A row of a program.

    Parameters
    ----------
    op : int
        One of `OPS`.
    v1, v2, v3 : int
        Operands, of `KINDS`.
    d, s : int
        Lines: destination, and that of ``BUFFER``. Without `s` it is `d`.
    row : int
        The row of PEs, or ``ALL``.
    immediate : int
        A code.
    """

    op: int = NOP
    v1: int = ZERO
    v2: int = ZERO
    v3: int = ZERO
    d: int = 0
    s: int | None = None
    row: int = ALL
    immediate: int = 0

    @property
    def fields(self):
        """The row of numbers that a program is an array of: `FIELDS`, then the immediate."""
        return [self.d if value is None else value for value in astuple(self)]


def streams(row):
    """Whether an instruction, given as a row of numbers, takes a beat of `v`."""
    op, *kinds = row[:4]
    return op == LOAD or (op in (ADD, SUB, MADD, SEL) and STREAM in kinds)


def check_program(shape, fmt, program):
    """`program`, rows of `Instruction.fields`, as an array of int64.

    Raises
    ------
    InputError
        If it is empty, or an instruction is none, addresses what is not there, or reads a table that is not loaded.
    """
    program = np.asarray(program)
    if program.ndim != 2 or program.shape[1] != len(FIELDS) + 1 or not len(program) or program.dtype.kind not in "iu":
        raise InputError(f"i must be rows of {len(FIELDS) + 1} integers, at least one, not of shape {list(program.shape)}")
    program = program.astype(np.int64)
    limits = {"op": OPS, **dict.fromkeys(("v1", "v2", "v3"), KINDS), **dict.fromkeys("ds", range(shape.pixels))}
    loaded = False
    for number, row in enumerate(program.tolist()):
        for (what, allowed), value in zip(limits.items(), row):
            if value not in allowed:
                raise InputError(f"instruction {number}: {what} must be 0 to {allowed[-1]}, not {value}")
        loaded |= row[0] == LOAD
        if row[0] not in (NOP, LOAD) and TABLE in row[1:4] and not loaded:
            raise InputError(f"instruction {number}: the table must be loaded before it is read")
        row, immediate = row[-2:]
        if row != ALL and row not in range(shape.rows):
            raise InputError(f"instruction {number}: row must be 0 to {shape.rows - 1} or {ALL}, not {row}")
        if not 0 <= immediate < 1 << fmt.width:
            raise InputError(f"instruction {number}: immediate must be a code of {fmt}, not {immediate}")
    return program


def steps(shape, op):
    """Cycles in which an operation is issued."""
    if op in (NOP, LOAD):
        return 1
    return -(-shape.filters // (shape.multipliers if op == MADD else shape.units))


def program_cycles(shape, program):
    """Cycles from the first in which an instruction may be issued to the last before results may leave; no stalls."""
    cycle = 0
    ready = dict.fromkeys(range(shape.pixels), 0)  # first cycle in which a line may be read
    for op, _, _, _, d, s, *_ in np.asarray(program).tolist():
        works = op not in (NOP, LOAD)
        cycle = max(cycle, ready[s] if works else 0) + steps(shape, op)
        if works:
            ready[d] = cycle - 1 + shape.adder_latency
    return max(cycle, *ready.values())


def execute(shape, fmt, program, words, sums):
    """What is in the buffers behind a program.

    Parameters
    ----------
    program : int [n, 8]
    words : float64 [tiles, beats, tile_cols]
        Numbers of `fmt`: the beats of `v` that each tile takes.
    sums : float64 [tiles, rows, pixels, tile_cols]

    Returns
    -------
    float64 [tiles, rows, pixels, tile_cols]
    """
    buffers = np.array(sums, np.float64)
    table, beat = None, 0
    for op, v1, v2, v3, d, s, row, immediate in np.asarray(program).tolist():
        word = 0.0
        if streams((op, v1, v2, v3)):
            word, beat = words[:, beat, None], beat + 1
        if op == LOAD:
            table = word
        if op in (NOP, LOAD):
            continue
        rows = slice(None) if row == ALL else slice(row, row + 1)
        number = fmt.decode(np.array([immediate]))[0]
        given = {ZERO: 0.0, BUFFER: buffers[:, rows, s], IMMEDIATE: number, TABLE: table, STREAM: word}
        buffers[:, rows, d] = operate(fmt, op, given[v1], given[v2], given[v3], number)
    return buffers


def operate(fmt, op, v1, v2, v3, number):
    """An operation on arrays."""
    if op == SEL:
        return np.where(np.asarray(v1) > number, v2, v3)
    return {ADD: lambda: add(fmt, v1, v2), SUB: lambda: subtract(fmt, v1, v2), MADD: lambda: fma(fmt, v1, v2, v3)}[op]()
