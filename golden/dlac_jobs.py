"""A step of `golden.dlac_steps` as work of the grid: operands of its product and the program behind it.

A step without a product has one of zeros, behind which its numbers come in as words.
"""

import numpy as np

from golden.dlac_layers import Program, code, lines
from golden.dlac_program import BUFFER, IMMEDIATE, LOAD, SEL, STREAM, TABLE, ZERO, Instruction
from golden.dlac_steps import OPERATIONS, Y
from golden.errors import InputError

__all__ = ["job"]


def instructions(shape, fmt, op, *values):
    """The `Program` of a pointwise operation.

    A row [N] is the table, or the stream if there is another before it; a matrix [M, N] is the stream.

    Raises
    ------
    InputError
        If the operation needs two streams, or two different immediates.
    """
    values = tuple(v if v is Y else np.asarray(v, np.float64) for v in values)
    opcode, count = OPERATIONS[op]
    numbers = {float(v) for v in values[3:]}  # the limit of SEL
    kinds, table, stream = [], None, None
    for value in values[:3]:
        if value is Y:
            kinds.append(BUFFER)
        elif value.ndim == 0:
            zero = value == 0 and not np.signbit(value)
            kinds.append(ZERO if zero else IMMEDIATE)
            numbers |= set() if zero else {float(value)}
        elif value.ndim == 1 and table is None:
            kinds.append(TABLE)
            table = value
        elif stream is None:
            kinds.append(STREAM)
            stream = value
        else:
            raise InputError(f"{op} may take one row and one row or matrix, not more")
    if len(numbers) > 1:
        raise InputError(f"{op} may take one number that is not 0, not {' and '.join(map(str, sorted(numbers)))}")
    fields = dict(zip(("v1", "v2", "v3"), kinds), immediate=code(fmt, *(numbers or {0.0})))
    load = Program() if table is None else Program((Instruction(op=LOAD),), (table,))
    return load + lines(shape, stream, op=opcode, **fields)


def job(step, shape, fmt):
    """(a, w, `Program`) of a `Step` on a grid.

    Parameters
    ----------
    step : golden.dlac_steps.Step
    shape : golden.dlac_grid.GridShape
    fmt : Float
    """
    if step.a is not None:
        a, w, program = step.a, step.w, Program()
    else:
        m, n = step.x.shape
        a, w = np.zeros((m, 1)), np.zeros((1, n))
        program = lines(shape, step.x, op=SEL, v1=ZERO, v2=ZERO, v3=STREAM)  # not ADD, which makes +0 of -0
    for operation in step.operations:
        program = program + instructions(shape, fmt, *operation)
    return a, w, program
