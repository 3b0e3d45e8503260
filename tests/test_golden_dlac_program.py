"""Pointwise instructions: values against NumPy's float32 and exact rationals, cycles against a walk, refusals."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.dlac_grid import GridShape
from golden.dlac_program import (
    ADD,
    ALL,
    BUFFER,
    IMMEDIATE,
    KINDS,
    LOAD,
    MADD,
    NOP,
    OPS,
    SEL,
    STREAM,
    SUB,
    TABLE,
    ZERO,
    Instruction,
    check_program,
    execute,
    program_cycles,
    steps,
    streams,
)
from golden.errors import InputError
from golden.formats import parse

FP32, FP16 = parse("fp32"), parse("fp16")
SHAPE = GridShape(rows=2, cols=1, pixels=2, filters=2)


def code(number, fmt=FP32):
    return int(fmt.encode(np.array(number)))


def done(instructions, sums, words=(), fmt=FP32):
    rows = [i.fields for i in instructions]
    words = np.array(words, np.float64).reshape(1, -1, SHAPE.tile_cols)
    return execute(SHAPE, fmt, rows, words, np.array(sums, np.float64).reshape(1, 2, 2, 2))[0]


def test_operations_and_operands():
    sums = np.array([[[1.5, -2], [3, 4]], [[5, 6], [7, -0.0]]])
    nop = done([Instruction(op=NOP, v1=STREAM, d=1)], sums)
    assert np.array_equal(nop, sums)
    add = done([Instruction(op=ADD, v1=BUFFER, v2=IMMEDIATE, d=0, s=1, immediate=code(0.5))], sums)
    assert add.tolist() == [[[3.5, 4.5], [3, 4]], [[7.5, 0.5], [7, 0]]]
    sub = done([Instruction(op=SUB, v1=STREAM, v2=BUFFER, d=1, row=1)], sums, [[1, 2]])
    assert sub[1].tolist() == [[5, 6], [-6, 2]] and np.array_equal(sub[0], sums[0])
    load = Instruction(op=LOAD)
    madd = done([load, Instruction(op=MADD, v1=BUFFER, v2=TABLE, v3=STREAM, d=0, row=0)], sums, [[2, 3], [10, 20]])
    assert madd[0, 0].tolist() == [13, 14] and np.array_equal(madd[:, 1], sums[:, 1])


def test_a_select_is_strict_and_takes_nan_for_not_greater():
    sums = np.array([[[0.01, np.nan], [np.inf, 0.02]], [[-1, 0.0], [-np.inf, 1]]])
    sums = FP32.decode(FP32.encode(sums))
    select = [Instruction(op=SEL, v1=BUFFER, v2=BUFFER, v3=ZERO, d=d, immediate=code(0.01)) for d in (0, 1)]
    assert done(select, sums).tolist() == [[[0, 0], [np.inf, float(np.float32(0.02))]], [[0, 0], [0, 1]]]
    other = [Instruction(op=SEL, v1=STREAM, v2=IMMEDIATE, v3=BUFFER, d=0, row=1, immediate=code(3))]
    assert done(other, sums, [[4, 3]])[1, 0].tolist() == [3, 0]


def test_results_are_rounded_once():
    rng = np.random.default_rng(1)
    x, y, z = FP16.decode(FP16.encode(rng.normal(size=(3, 8))))
    of_line = [Instruction(op=MADD, v1=BUFFER, v2=TABLE, v3=STREAM, d=d, row=r) for r in (0, 1) for d in (0, 1)]
    rows = [Instruction(op=LOAD), *of_line]
    shape = GridShape(rows=2, cols=1, pixels=2, filters=2)
    words = np.stack([y[:2], *z.reshape(4, 2)])[None]
    found = execute(shape, FP16, [row.fields for row in rows], words, x.reshape(1, 2, 2, 2)).reshape(4, 2)
    operands = zip(x.reshape(4, 2), y[:2][None].repeat(4, 0), z.reshape(4, 2))
    exact = [[Fraction(a) * Fraction(b) + Fraction(c) for a, b, c in zip(*row)] for row in operands]
    for row, wanted in zip(found, exact):
        for value, rational in zip(row, wanted):
            near = [FP16.decode(np.array([int(FP16.encode(np.array(value))) + step]))[0] for step in (-1, 0, 1)]
            distances = [abs(Fraction(float(n)) - rational) for n in near]
            assert min(distances) == distances[1]


def walk(shape, program):
    """Cycles of a program, issue by issue: no line is read before it is written."""
    cycle, written = 0, {}
    for op, _, _, _, d, s, *_ in program:
        if op not in (NOP, LOAD):
            while any(cycle <= end for line, end in written.items() if line == s):
                cycle += 1
        filters = shape.filters
        while True:
            filters -= shape.filters if op in (NOP, LOAD) else shape.multipliers if op == MADD else shape.units
            if op not in (NOP, LOAD):
                written[d] = cycle + shape.adder_latency - 1
            cycle += 1
            if filters <= 0:
                break
    return max([cycle, *(end + 1 for end in written.values())])


rows = st.lists(
    st.builds(
        lambda op, d, s: Instruction(op=op, v1=BUFFER, d=d, s=s).fields,
        st.sampled_from(OPS),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=8,
)


@given(rows, st.integers(1, 5), st.integers(1, 3), st.integers(1, 5), st.data())
def test_cycles_are_those_of_the_walk(program, filters, units, latency, data):
    adders = data.draw(st.integers(0, units - 1))
    shape = GridShape(pixels=3, filters=filters, units=units, adders=adders, adder_latency=latency, depth=2)
    assert program_cycles(shape, program) == walk(shape, program)


def test_steps_and_streams():
    shape = GridShape(units=3, adders=2)
    assert [steps(shape, op) for op in OPS] == [1, 1, 2, 2, 4, 2]
    assert streams((LOAD, 0, 0, 0)) and streams((SEL, STREAM, 0, 0)) and streams((ADD, 0, 0, STREAM))
    assert not streams((NOP, STREAM, 0, 0)) and not streams((MADD, *KINDS[:3]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"op": 6}, "instruction 1: op must be 0 to 5, not 6"),
        ({"v1": 5}, "instruction 1: v1 must be 0 to 4, not 5"),
        ({"v3": -1}, "instruction 1: v3 must be 0 to 4, not -1"),
        ({"d": 2}, "instruction 1: d must be 0 to 1, not 2"),
        ({"s": 4}, "instruction 1: s must be 0 to 1, not 4"),
        ({"row": 2}, "instruction 1: row must be 0 to 1 or 255, not 2"),
        ({"immediate": 1 << 32}, "instruction 1: immediate must be a code of fp32, not 4294967296"),
    ],
)
def test_an_instruction_that_addresses_what_is_not_there_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        check_program(SHAPE, FP32, [Instruction(row=1).fields, Instruction(**fields).fields])
    unloaded = [Instruction(op=NOP, v1=TABLE).fields, Instruction(op=ADD, v2=TABLE).fields, Instruction(op=LOAD).fields]
    with pytest.raises(InputError, match="instruction 1: the table must be loaded before it is read"):
        check_program(SHAPE, FP32, unloaded)
    assert len(check_program(SHAPE, FP32, unloaded[::-1])) == 3
    legal = check_program(SHAPE, FP32, [Instruction(row=ALL, op=SEL, v2=STREAM, d=1, s=0).fields])
    assert legal.tolist() == [[SEL, 0, STREAM, 0, 1, 0, 255, 0]]


@pytest.mark.parametrize("program", [[], [[0] * 7], [[0.0] * 8], [0] * 8])
def test_a_program_is_rows_of_integers(program):
    with pytest.raises(InputError, match="i must be rows of 8 integers, at least one, not of shape"):
        check_program(SHAPE, FP32, program)
