"""golden.dlac_jobs: the grid, given a step's job, makes the step's result."""

from dataclasses import replace

import numpy as np
import pytest
from float_networks import SMALL, drawn

from golden.dlac import run
from golden.dlac_grid import GridShape
from golden.dlac_jobs import instructions, job
from golden.dlac_networks import Parameters, logits, ternary, training_step
from golden.dlac_program import ADD, ALL, BUFFER, IMMEDIATE, LOAD, MADD, SEL, STREAM, TABLE, ZERO, Instruction, check_program
from golden.dlac_steps import Steps, Y
from golden.errors import InputError
from golden.formats import parse

FP32, FP16 = parse("fp32"), parse("fp16")
GRID = GridShape(rows=2, cols=2, pixels=2, filters=2, ternary=False)


def on_grid(step, shape, fmt):
    a, w, program = job(step, shape, fmt)
    rows = check_program(shape, fmt, program.rows)
    return run(shape, fmt, a, w, rows, program.words(shape, *step.result.shape))


def require_equal(done, shape, fmt):
    for step in done:
        y, flags = on_grid(step, shape, fmt)
        assert np.array_equal(y, step.result) and np.array_equal(np.signbit(y), np.signbit(step.result)), step.name
        assert not flags.any()


def test_a_training_step_runs_on_the_grid():
    rng, steps = np.random.default_rng(1), Steps(FP32)
    parameters = drawn(FP32, rng)
    parameters["conv"] = ternary(steps, parameters["conv"].weight, parameters["conv"].bias)
    training_step(steps, SMALL, parameters, steps.rounded(rng.normal(size=(3, 2, 9, 9))), np.array([0, 2, 1]), 0.1)
    assert len(steps.done) == 12
    require_equal(steps.done, GRID, FP32)
    forward = [step for step in steps.done if step.ternary]
    assert [step.name for step in forward] == ["conv forward"]
    require_equal(forward, replace(GRID, ternary=True), FP32)


def test_inference_with_batch_normalisation_runs_on_the_grid_of_half_precision():
    rng, steps = np.random.default_rng(2), Steps(FP16)
    gain, bias = (steps.rounded(rng.normal(size=4)) for _ in range(2))
    of = Parameters(weight=rng.integers(-1, 2, (4, 2, 3, 3)).astype(float), gain=gain, bias=bias, ternary=True)
    x = steps.rounded(rng.normal(size=(2, 2, 9, 9)))
    logits(steps, [replace(SMALL[0], threshold=0.0625, pool=None)], {"conv": of}, x)
    shape = replace(GRID, ternary=True, units=3, adders=1)
    require_equal(steps.done, shape, FP16)
    _, _, program = job(steps.done[0], shape, FP16)
    assert [i.op for i in program.instructions] == [LOAD, MADD, MADD, SEL, SEL]
    assert program.instructions[-1].immediate == FP16.encode(np.array(0.0625))
    assert (steps.done[0].result == 0).mean() > 0.3 and (steps.done[0].result > 0.0625).any()


def test_operands_find_their_places():
    row, other, matrix = np.arange(3.0), np.ones(3), np.ones((5, 3))
    line = {"d": 1, "row": ALL}
    assert instructions(GRID, FP32, "add", Y, row).instructions == (
        Instruction(op=LOAD),
        Instruction(op=ADD, v1=BUFFER, v2=TABLE),
        Instruction(op=ADD, v1=BUFFER, v2=TABLE, **line),
    )
    found = instructions(GRID, FP32, "madd", row, Y, other)
    assert found.instructions[2] == Instruction(op=MADD, v1=TABLE, v2=BUFFER, v3=STREAM, **line)
    assert [len(s) for s in found.sources] == [3, 3, 3]
    found = instructions(GRID, FP32, "sel", matrix, np.float64(2.0), np.float64(0.0), np.float64(2.0))
    two = int(FP32.encode(np.array(2.0)))
    assert found.instructions[3] == Instruction(op=SEL, v1=STREAM, v2=IMMEDIATE, v3=ZERO, d=1, row=1, immediate=two)
    assert len(found.instructions) == 4 and all(s.shape == (5, 3) for s in found.sources)
    minus = instructions(GRID, FP32, "add", Y, np.float64(-0.0)).instructions[0]
    assert (minus.v2, minus.immediate) == (IMMEDIATE, 1 << 31)


def test_a_step_without_a_product_keeps_the_signs_of_zeros():
    steps = Steps(FP32)
    steps.pointwise("x", np.array([[-0.0, 1.0, -2.0]]), ("sel", Y, Y, np.array([[-0.0, 3.0, -0.0]]), np.float64(0.0)))
    require_equal(steps.done, GRID, FP32)


def test_operations_that_the_grid_has_no_room_for_are_refused():
    row, matrix = np.ones(3), np.ones((5, 3))
    with pytest.raises(InputError, match="^madd may take one row and one row or matrix, not more$"):
        instructions(GRID, FP32, "madd", Y, matrix, matrix)
    with pytest.raises(InputError, match="^madd may take one row and one row or matrix, not more$"):
        instructions(GRID, FP32, "madd", row, row, row)
    with pytest.raises(InputError, match="^sel may take one number that is not 0, not 1.0 and 2.0$"):
        instructions(GRID, FP32, "sel", Y, Y, np.float64(1.0), np.float64(2.0))
