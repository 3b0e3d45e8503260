"""The engine: operands that are refused, what it sends, and cycles and results in Verilog for any masks and programs."""

from itertools import product

import numpy as np
import pytest

from golden.dlac_grid import SKIPS
from golden.dlac_program import ADD, BUFFER, STREAM, Instruction
from golden.errors import InputError
from rtl.targets import target
from tb.cases import Case, random_cases
from tb.memory import Stalls, built, run_cases

GRIDS = ("dlac_fp32", "dlac_fp16")
SMALL = target("dlac_fp32").bench[0]


def test_benches_skip_every_kind_of_zeros_with_both_kinds_of_weights():
    shapes = [target(name).engine(**settings).shape for name in GRIDS for settings in target(name).bench]
    assert {(shape.skip, shape.ternary) for shape in shapes} == set(product(SKIPS, (False, True)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 0}, "dlac_fp32: depth must be 1 to 16, not 0"),
        ({"units": 5, "pixels": 2, "filters": 2}, "dlac_fp32: units must be at most the 4 output buffers of a PE, not 5"),
        ({"adder_latency": 0}, "dlac_fp32: adder_latency must be 1 to 5, not 0"),
        ({"skip": "all"}, "dlac_fp32: skip must be none or activations or weights or both, not 'all'"),
        ({"a": "int8"}, "dlac_fp32: a must be a float by the rules ieee or finite, not int8"),
        ({"a": "mini_e4m3"}, "dlac_fp32: arithmetic must be in a float of 2 exponent bits or more with the rules ieee or finite, not"),
        ({"w": "fp16"}, "dlac_fp32: w must be ternary or fp32, not fp16"),
    ],
)
def test_a_grid_that_cannot_work_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        target("dlac_fp32").engine(**settings)


@pytest.mark.parametrize(
    ("operands", "message"),
    [
        ({"a": [[1.0]]}, "a must be an array of integers, the codes of ieee_e4m3, not float64"),
        ({"a": [[256]]}, "a holds 256, codes of ieee_e4m3 are 0 to 255"),
        ({"a": [1]}, r"a must be a matrix that is not empty, not of shape \[1\]"),
        ({"w": [[2]]}, "w holds 2, which ternary"),
        ({"w": [[1], [1]]}, r"a \[M, K\] and w \[K, N\] must share K, not \[1, 1\] and \[2, 1\]"),
        ({"i": [[0] * 7]}, "i must be rows of 8 integers"),
        ({"i": [Instruction(op=ADD, d=2).fields]}, "instruction 0: d must be 0 to 1, not 2"),
        ({"i": [Instruction(op=ADD, v1=STREAM).fields]}, r"v must be of shape \[1, 1, 4\], not \[1, 0, 4\]"),
        ({"v": np.zeros((1, 1, 4), int)}, r"v must be of shape \[1, 0, 4\], not \[1, 1, 4\]"),
        ({"b": 0}, "operands must be a, w, i, v, not a, b, i, v, w"),
    ],
)
def test_operands_that_do_not_suit_are_refused(operands, message):
    engine = target("dlac_fp32").engine(**SMALL)
    with pytest.raises(InputError, match=message):
        engine.check({"a": np.array([[1]]), "w": np.array([[1]])} | {k: np.array(v) for k, v in operands.items()})


def test_beats():
    engine = target("dlac_fp32").engine(**SMALL, rows=1)
    operands = engine.check(
        {
            "a": np.array([[0x38, 0x40, 0]]).T @ np.array([[1, 0]]) + np.array([[0, 7]]),
            "w": np.array([[1, 0, -1, 0, 1], [0, -1, 0, 1, 0]]),
            "i": [Instruction(op=ADD, v1=BUFFER, v2=STREAM, d=1, s=0, row=0, immediate=0xA5).fields],
            "v": np.arange(16).reshape(4, 1, 4),
        }
    )
    beats = engine.pack(operands)
    assert beats["a"].data.tolist() == [[0x38, 0x40], [7, 7]] * 2 + [[0, 0], [7, 0]] * 2
    assert beats["w"].data.tolist() == [[0b00110001], [0b01001100], [0b00000001], [0]] * 2
    assert beats["a"].last.tolist() == beats["w"].last.tolist() == [False, True] * 4
    assert beats["i"].data.tolist() == [[0x12, 0x04, 1, 0, 0, 0xA5]] * 4 and beats["i"].last.all()
    assert beats["v"].data.tolist() == np.arange(16).reshape(4, 4).tolist()
    assert engine.beats(operands) == {"y": 8, "e": 4}


def test_without_a_program_nothing_is_done():
    engine = target("dlac_fp32").engine(**SMALL)
    operands = engine.check({"a": np.array([[0x38]]), "w": np.array([[-1]])})
    assert operands["i"].tolist() == [[0, 0, 0, 0, 0, 0, 255, 0]] and operands["v"].shape == (1, 0, 4)
    assert engine.golden(operands)["y"].tolist() == [[0xB8]]


EIGHT_BITS = {"rows": 1, "cols": 2, "a": "ieee_e4m3"}
LEAST = EIGHT_BITS | {"pixels": 1, "filters": 1, "units": 1, "depth": 1, "adder_latency": 1}
ENDS = [  # of what parameters may be
    LEAST,
    EIGHT_BITS | {"pixels": 8, "filters": 8, "units": 16, "depth": 8},
    EIGHT_BITS | {"pixels": 3, "filters": 4, "depth": 16, "adder_latency": 5},
]


@pytest.mark.parametrize(
    "settings",
    [{"rows": 1, "cols": 1, "pixels": 2, "filters": 2, "depth": 3, "a": "fp32"}, LEAST, LEAST | {"w": "ieee_e4m3"}],
    ids=["fp32", "least", "least, not ternary"],
)
def test_small_elements(settings):
    """Numbers of all kinds under every operation, and a layer."""
    engine, memory = built("dlac_fp32", tuple(sorted(settings.items())), "icarus")
    cases = [Case(engine, operands) for operands in engine.directed(np.random.default_rng(7))]
    _, cycles = run_cases(memory, cases)
    assert cycles == sum(case.cycles for case in cases)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, settings) for name in GRIDS for settings in (*target(name).bench, *ENDS)],
    ids=str,
)
def test_many_cases(name, settings):
    """Results and cycles of several hundred cases at the sizes of the benches and at the ends of ranges, with stalls too."""
    engine, memory = built(name, tuple(sorted(settings.items())), "verilator")
    cases = random_cases(engine, np.random.default_rng(8), 300)
    for case in cases:
        _, cycles = run_cases(memory, [case])
        assert cycles == case.cycles, str(case)
    run_cases(memory, cases, Stalls(idle=60, stall=60, seed=3))


@pytest.mark.long
@pytest.mark.parametrize("name", GRIDS)
def test_the_grid_of_dlac(name):
    """16 x 16 elements with two units and 16 buffers each: results and cycles of several tiles, and a layer's program."""
    engine, memory = built(name, (("cols", 16), ("rows", 16)), "verilator")
    rng = np.random.default_rng(9)
    operands = engine.stimulus(rng, m=100, k=72, n=64, program=False)
    operands["a"] = np.where(rng.random((100, 72)) < 0.4, operands["a"], 0)
    layer = engine.layer(rng, 64, 70)
    for case in (Case(engine, operands), Case(engine, layer)):
        _, cycles = run_cases(memory, [case])
        assert cycles == case.cycles
