"""The grid in Verilog: instructions that are not legal, a beat that anything waits for, one end of a tile for both."""

from dataclasses import replace

import numpy as np
import pytest

from golden.dlac import NOT_LEGAL
from golden.dlac_program import ADD, BUFFER, FIELDS, IMMEDIATE, NOP, SEL, STREAM, Instruction
from rtl.beats import pack_fields, unpack_fields
from rtl.targets import TARGETS
from tb.cases import Case, compare
from tb.memory import built, run_cases

NAME = "dlac_fp32"
SETTINGS = TARGETS[NAME].bench[0]
ILLEGAL = [
    {"op": 6},
    {"op": 15},
    {"op": ADD, "v1": 5},
    {"op": ADD, "v2": 8},
    {"op": SEL, "v3": 15},
    {"op": ADD, "d": 2},
    {"op": ADD, "s": 130},
    {"op": ADD, "row": 2},
    {"op": ADD, "row": 254},
    {"op": NOP, "d": 255},
]


RESERVED = 0b10  # as a ternary weight


@pytest.fixture(scope="module")
def grid():
    return built(NAME, tuple(sorted(SETTINGS.items())), "verilator")


@pytest.mark.parametrize("fields", ILLEGAL, ids=str)
def test_an_instruction_that_is_not_legal_does_nothing_and_is_flagged(grid, fields):
    engine, memory = grid
    rng = np.random.default_rng(6)
    one = int(engine.a.encode(np.array(1.0)))
    add = Instruction(op=ADD, v1=BUFFER, v2=IMMEDIATE, d=1, immediate=one).fields
    operands = engine.stimulus(rng, m=7, k=9, n=3, program=False)
    case = Case(engine, operands | {"i": [add, Instruction(op=NOP).fields, add]})
    program = np.array([add, add, add])
    for what, value in ({"v1": BUFFER, "v2": STREAM, "row": 255} | fields).items():
        program[1, list(FIELDS).index(what)] = value
    widths = (*FIELDS.values(), engine.a.width)
    packed = pack_fields(*((np.tile(program, (2, 1))[:, f, None], width) for f, width in enumerate(widths)))
    outcome = memory.run(case.inputs | {"i": replace(case.inputs["i"], data=packed)}, deadline=10000)
    outcome.demand()
    case.results["e"] = case.results["e"] | NOT_LEGAL
    compare([case], outcome.beats)
    assert outcome.cycles == case.cycles


def test_flags_are_of_one_tile(grid):
    engine, memory = grid
    operands = engine.stimulus(np.random.default_rng(7), m=8, k=3, n=2, program=False)
    operands["a"] = operands["a"] * 0 + 1
    operands["a"][0, 1] = engine.a.top + 1
    case = Case(engine, operands)
    assert case.results["e"].tolist() == [1, 0]
    outcome = memory.run(case.inputs, deadline=10000)
    compare([case], outcome.beats)


@pytest.mark.parametrize("skip", ["both", "none"])
def test_a_reserved_weight_is_0(skip):
    engine, memory = built(NAME, tuple(sorted((SETTINGS | {"skip": skip}).items())), "icarus")
    rng = np.random.default_rng(8)
    case = Case(engine, engine.stimulus(rng, m=9, k=40, n=7, program=False))
    [codes] = unpack_fields(case.inputs["w"].data, engine.shape.tile_cols, 2)
    some = (codes == 0) & (rng.random(codes.shape) < 0.5)
    assert np.count_nonzero(some) > 50
    codes = pack_fields((np.where(some, RESERVED, codes), 2))
    case.inputs["w"] = replace(case.inputs["w"], data=codes)
    _, cycles = run_cases(memory, [case])
    assert cycles == case.cycles
