"""MAC trees as beats, parameters and golden, and their Verilog against exact rationals."""

import re
from fractions import Fraction

import numpy as np
import pytest
from exact import dot_products, numbers

from golden.errors import InputError
from golden.formats import parse
from rtl.beats import Beats
from rtl.generate import generate
from rtl.mac_tree import DynamicTree, FixedTree, MinifloatTree
from rtl.targets import TARGETS
from tb.cases import Case
from tb.memory import Stalls, built, run, run_cases

EVERY = dict.fromkeys(("a", "w", "bias", "y"), parse("mini_e4m3"))
FIXED = [
    {"lanes": 2, "longest": 20},
    {"lanes": 3, "a": "uint8e-8", "w": "int4e-3", "bias": "int16e-20", "y": "int4e2", "relu": 1},
    {"lanes": 1, "a": "uint1", "w": "int1", "bias": "uint3e4", "y": "uint5e1", "longest": 7},
    {"lanes": 4, "a": "int16e-3", "w": "int16e-9", "bias": "int48e-30", "y": "int16e-5", "longest": 9},
    {"lanes": 64, "a": "int3", "w": "int2", "bias": "int5", "y": "int6e2", "longest": 130},
]
MINIFLOATS = [
    {"lanes": 4, "longest": 50},
    {"lanes": 3, "a": "e5m2", "w": "e4m3", "bias": "fp16", "y": "e3m2", "longest": 20, "relu": 1},
    {"lanes": 2, "a": "mini_e5m2", "w": "mini_e3m4", "bias": "mini_e4m0", "y": "mini_e5m10"},
    {"lanes": 3, "a": "mini_e3m0", "w": "mini_e4m0", "bias": "int8e-9", "y": "mini_e4m0"},
    {"lanes": 2, "a": "uint8e-8", "w": "e4m3", "bias": "e4m3", "y": "e4m3", "relu": 1},
    {"lanes": 1, "a": "mini_e4m0", "w": "int4e-2", "bias": "mini_e5m2", "y": "int8e-2"},
    {"lanes": 5, "a": "e4m3", "w": "pow2_4", "bias": "e2m1", "y": "mini_e1m4"},
]
DYNAMIC = [
    ("mac_tree_dfp", {"lanes": 2, "longest": 20}),
    ("mac_tree_dfp", {"lanes": 3, "a": "uint4", "w": "int1", "y": "uint4", "bias": "int9", "relu": 1}),
    ("mac_tree_pow2", {"lanes": 2, "a": "int5", "y": "int6", "bias": "int12"}),
    ("mac_tree_pow2", {"lanes": 4, "w": "pow2z_3", "a": "uint8", "y": "uint4"}),
]
SUMS = [{"lanes": lanes, "accumulate": "fp32", "longest": 30} for lanes in (1, 3, 6)] + [
    {"lanes": 2, "accumulate": "fp32", "a": "fp16", "w": "fp16", "bias": "mini_e5m20", "y": "mini_e5m20", "longest": 9},
    {"lanes": 3, "accumulate": "fp32", "a": "int8e-3", "w": "e5m2", "bias": "int9e-8", "y": "e3m2", "relu": 1},
    {"lanes": 2, "accumulate": "fp32", "a": "mini_e3m0", "w": "pow2z_4", "bias": "e2m1", "y": "mini_e4m1"},
]
WIDE_SUMS = {"lanes": 64, "accumulate": "fp32", "a": "e2m1", "w": "e2m1", "bias": "e2m1", "y": "e3m2", "longest": 130}


def shown(part):
    return str(part).replace(" ", "") if isinstance(part, dict) else str(part)


# What beats hold


def test_the_bytes_of_a_small_product():
    engine = FixedTree(lanes=2, a=parse("int4"), w=parse("int8"), bias=parse("int12"), y=parse("int8"))
    operands = {
        "a": np.array([[1, -2, 3], [4, 5, -6]]),
        "w": np.array([[1, -1], [2, -2], [3, -3]]),
        "bias": np.array([-1, 5]),
    }
    beats = engine.pack(engine.check(operands))
    assert beats["a"].data.tolist() == [[0xE1], [0x03]] * 2 + [[0x54], [0x0A]] * 2  # lane 0 low, code 0 to the end
    assert beats["w"].data.tolist() == [[1, 2], [3, 0], [0xFF, 0xFE], [0xFD, 0]] * 2
    assert beats["a"].last.tolist() == beats["w"].last.tolist() == [False, True] * 4
    assert beats["p"].data.tolist() == [[0xFF, 0x0F], [5, 0]] * 2
    assert engine.beats(operands) == {"y": 4}
    assert engine.golden(operands)["y"].tolist() == [[5, -1], [-5, 9]]
    answer = {"y": Beats(np.array([[5], [0xFF], [0xFB], [9]], np.uint8), np.ones(4, bool))}
    assert engine.unpack(operands, answer)["y"].tolist() == [[5, -1], [-5, 9]]
    assert engine.ends("y", operands, beats).tolist() == [True] * 4


def test_shifts_lie_above_the_bias():
    engine = DynamicTree(lanes=2, bias=parse("int9"))
    operands = {"a": [[1, 2]], "w": [[3, 4], [5, 6]], "bias": [-2, 3], "up": np.array(5), "shift": np.array(33)}
    beats = engine.pack(engine.check({key: np.array(value) for key, value in operands.items()}))
    words = [value | 5 << 9 | 33 << 13 for value in (0x1FE, 3)]
    assert beats["p"].data.tolist() == [list(word.to_bytes(3, "little")) for word in words]


def test_codes_of_minifloats_are_packed_as_they_are():
    engine = MinifloatTree(**EVERY | {"a": parse("e5m2"), "bias": parse("fp16")}, lanes=3)
    values = engine.a.nearest(np.array([1.0, -1.5])), engine.w.nearest(np.array([2.0, 0.5])), np.array(engine.bias.nearest(-1.0))
    beats = engine.pack(engine.check({"a": values[0][None], "w": values[1][:, None], "bias": values[2][None]}))
    assert beats["a"].data.tolist() == [[0x3C, 0xBE, 0]] and beats["w"].data.tolist() == [[0x40, 0x30, 0]]
    assert beats["p"].data.tolist() == [[0x00, 0xBC]]


# What is refused


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (FixedTree, {"lanes": 0}, "lanes must be 1 to 64, not 0"),
        (FixedTree, {"lanes": 65}, "lanes must be 1 to 64, not 65"),
        (FixedTree, {"relu": 2}, "relu must be 0 to 1, not 2"),
        (FixedTree, {"longest": 0}, "longest must be 1 to 1048576, not 0"),
        (FixedTree, {"longest": (1 << 20) + 1}, "longest must be 1 to 1048576, not 1048577"),
        (FixedTree, {"a": "int17"}, "a must be of family Integer, up to 16 bits, not int17"),
        (FixedTree, {"w": "uint8"}, "w must be signed, not uint8"),
        (FixedTree, {"w": "mini_e4m3"}, "w must be of family Integer, up to 16 bits, not mini_e4m3"),
        (FixedTree, {"bias": "int49"}, "bias must be of family Integer, up to 48 bits, not int49"),
        (FixedTree, {"y": "ternary"}, "y must be of family Integer, up to 32 bits, not ternary"),
        (FixedTree, {"y": "int8e-1"}, r"the unit of y must be at least 2\*\*0, the finer one of .*, not int8e-1"),
        (DynamicTree, {"a": "int8e-4"}, "a must have no unit, which comes at run time, not int8e-4"),
        (DynamicTree, {"y": "int8e1"}, "y must have no unit, which comes at run time, not int8e1"),
        (DynamicTree, {"bias": "uint8"}, "bias must be signed, not uint8"),
        (DynamicTree, {"w": "pow2_4"}, "w must be of family Integer, up to 16 bits, not pow2_4"),
        (MinifloatTree, {"a": "ternary"}, "a must be of family Minifloat or Integer, up to 16 bits, not ternary"),
        (MinifloatTree, {"w": "uint8"}, "w must be signed, not uint8"),
        (MinifloatTree, {"bias": "pow2_4"}, "bias must be of family Minifloat or Integer, up to 48 bits, not pow2_4"),
        (MinifloatTree, {"accumulate": "fp32", "y": "int8"}, "y of sums in FP32 must be a minifloat .*, not int8"),
        (MinifloatTree, {"accumulate": "fp32", "y": "mini_e5m21"}, "1 to 20 mantissa bits, not mini_e5m21"),
        (MinifloatTree, {"accumulate": "fp32", "y": "mini_e4m0"}, "1 to 20 mantissa bits, not mini_e4m0"),
        (MinifloatTree, {"accumulate": "fp32", "a": "int16", "w": "int16"}, "products of .* have 30 significant bits; .* allow 24"),
        (MinifloatTree, {"accumulate": "fp32", "bias": "int32"}, "biases of int32 have 31 significant bits"),
        (MinifloatTree, {"accumulate": "fp32", "a": "int8e100"}, r"sums of int8e100, .* 2\*\*-126 to 2\*\*125|from units of"),
    ],
)
def test_parameters_out_of_range_are_refused(make, fields, message):
    fields = {key: parse(value) if key in EVERY else value for key, value in fields.items()}
    with pytest.raises(InputError, match=message):
        make(**(EVERY if make is MinifloatTree else {}) | fields)


def test_accumulation_is_one_of_two():
    with pytest.raises(InputError, match="accumulate must be exact or fp32, not 'fp16'"):
        TARGETS["mac_tree_minifloat"].engine(accumulate="fp16")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.zeros((2, 3), int)}, r"a \[M, K\], w \[K, N\] and bias \[N\] must agree .*, not \[2, 3\], \[4, 5\] and \[5\]"),
        ({"bias": np.zeros(4, int)}, r"must agree in K and N, not \[2, 4\], \[4, 5\] and \[4\]"),
        ({"a": np.zeros(4, int)}, r"a must be a matrix that is not empty, not of shape \[4\]"),
        ({"w": np.zeros((4, 0), int)}, r"w must be a matrix that is not empty, not of shape \[4, 0\]"),
        ({"a": np.full((2, 4), 128)}, r"a holds 128, which int8 \(-128 to 127\) cannot represent"),
        ({"bias": np.zeros(5)}, "bias must be an array of integers, not float64"),
        ({"up": np.array(16)}, r"up must be one integer, 0 to 15, not .*16"),
        ({"shift": np.array(64)}, r"shift must be one integer, 0 to 63, not .*64"),
        ({"shift": np.array([1])}, "shift must be one integer, 0 to 63, not"),
        ({"up": np.array(1.5)}, "up must be one integer, 0 to 15, not"),
        ({"b": np.zeros(3, int)}, "operands must be a, w, bias, up, shift, not a, b, bias, shift, up, w"),
    ],
)
def test_operands_that_do_not_suit_are_refused(change, message):
    operands = {"a": np.zeros((2, 4), int), "w": np.zeros((4, 5), int), "bias": np.zeros(5, int)}
    operands |= {"up": np.array(0), "shift": np.array(0)}
    with pytest.raises(InputError, match=message):
        DynamicTree().check(operands | change)


def test_integers_that_are_no_minifloats_and_long_sums_are_refused():
    engine = MinifloatTree(**EVERY, longest=4)
    operands = {"a": np.zeros((1, 5), int), "w": np.zeros((5, 1), int), "bias": np.zeros(1, int)}
    with pytest.raises(InputError, match="sums have 5 products; allowed: up to longest = 4"):
        engine.check(operands)
    short = {"a": np.zeros((1, 4), int), "w": np.zeros((4, 1), int)}
    with pytest.raises(InputError, match="bias holds 8705, which mini_e4m3 cannot represent"):
        engine.check(operands | short | {"bias": np.array([17 << 9 | 1])})


# What comes out


def simulated(name, settings, stimuli, stalls=Stalls()):
    """The results of the Verilog, in Icarus, back to back; golden's are compared on the way: pairs (operands, y)."""
    engine, memory = built(name, tuple(sorted(settings.items())), "icarus")
    results, _ = run_cases(memory, [Case(engine, operands) for operands in stimuli], stalls)
    return [(operands, result["y"]) for operands, result in zip(stimuli, results, strict=True)]


def stimuli(engine, name):
    """Operands of some shapes: the engine's own, and more of its directed ones than a bench takes."""
    rng = np.random.default_rng(len(name) + engine.lanes)
    shapes = [{"m": 6, "k": min(k, engine.longest), "n": 7} for k in (1, engine.lanes, 2 * engine.lanes + 1)]
    return [*(engine.stimulus(rng, **shape) for shape in shapes), *engine.directed(rng)]


@pytest.mark.parametrize(
    ("name", "settings"),
    [*(("mac_tree_fixed", settings) for settings in FIXED), *(("mac_tree_minifloat", settings) for settings in MINIFLOATS)],
    ids=shown,
)
def test_results_are_those_of_exact_rationals(name, settings):
    engine = TARGETS[name].engine(**settings)
    for operands, y in simulated(name, settings, stimuli(engine, name), Stalls(idle=60, stall=60, burst=3)):
        spec = engine.spec(operands["a"].shape[1])
        assert y.tolist() == dot_products(spec, operands["a"], operands["w"], operands["bias"])


@pytest.mark.long
@pytest.mark.parametrize("settings", MINIFLOATS[:4], ids=shown)
def test_many_results_of_minifloats_are_those_of_exact_rationals(settings):
    engine = TARGETS["mac_tree_minifloat"].engine(**settings)
    rng = np.random.default_rng(3)
    for k in (1, 2, 3, 9, 20):
        operands = engine.stimulus(rng, m=60, k=k, n=60)
        results, _ = run("mac_tree_minifloat", settings, operands)
        spec = engine.spec(k)
        assert results["y"].tolist() == dot_products(spec, operands["a"], operands["w"], operands["bias"])


@pytest.mark.parametrize(("name", "settings"), DYNAMIC, ids=shown)
def test_units_at_run_time_are_shifts_and_one_rounding(name, settings):
    engine = TARGETS[name].engine(**settings)
    for operands, y in simulated(name, settings, stimuli(engine, name)):
        sums = operands["a"].astype(object) @ operands["w"].astype(object)
        totals = sums * 2 ** int(operands["up"]) + operands["bias"].astype(object)
        lo = max(engine.y.lo, 0) if engine.relu else engine.y.lo
        wanted = [[min(max(round(Fraction(t, 1 << int(operands["shift"]))), lo), engine.y.hi) for t in row] for row in totals]
        assert y.tolist() == wanted


def fp32_sum(rows, columns, bias, lanes):
    """Sums by NumPy's scalars, an addition at a time: neighbours of a beat first, then the running one, then the bias."""
    found = np.zeros((len(rows), len(columns)), np.float32)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            running = np.float32(0)
            for start in range(0, len(row), lanes):
                level = [np.float32(x * y) for x, y in zip(row[start : start + lanes], column[start : start + lanes], strict=True)]
                level += [np.float32(0)] * (lanes - len(level))
                while len(level) > 1:
                    pairs = [np.float32(x + y) for x, y in zip(level[::2], level[1::2], strict=False)]
                    level = pairs + level[2 * len(pairs) :]
                running = np.float32(running + level[0])
            found[i, j] = np.float32(running + np.float32(bias[j]))
    return found


@pytest.mark.parametrize("settings", [*SUMS, pytest.param(WIDE_SUMS, marks=pytest.mark.long)], ids=shown)
def test_sums_in_fp32_are_those_of_numpy_one_by_one(settings):
    engine = TARGETS["mac_tree_minifloat"].engine(**settings)
    for operands, found in simulated("mac_tree_minifloat", settings, stimuli(engine, "fp32")):
        a, w, bias = ([*map(float, numbers(getattr(engine, key), operands[key]))] for key in ("a", "w", "bias"))
        a, w = np.reshape(a, operands["a"].shape), np.reshape(w, operands["w"].shape)
        y = engine.y.nearest(fp32_sum(a, w.T, bias, engine.lanes).astype(np.float64))
        assert np.array_equal(found, np.maximum(y, 0) if engine.relu else y)


# What it costs


@pytest.mark.parametrize(
    ("name", "settings", "latency"),
    [
        ("mac_tree_fixed", {}, 5),
        ("mac_tree_dfp", {}, 5),
        ("mac_tree_pow2", {}, 5),
        ("mac_tree_minifloat", {"lanes": 4}, 5),
        ("mac_tree_minifloat", {"lanes": 4, "accumulate": "fp32"}, 6),
        ("mac_tree_minifloat", {"lanes": 1, "accumulate": "fp32"}, 4),
    ],
)
def test_a_result_a_cycle_at_full_rate(name, settings, latency):
    """Up to as many products as there are lanes: cycles are results and the latency, measured."""
    engine = TARGETS[name].engine(**settings)
    for k in sorted({1, engine.lanes - 1, engine.lanes} - {0}):
        operands = engine.stimulus(np.random.default_rng(k), m=6, k=k, n=20)
        _, cycles = run(name, settings, operands, sim="icarus")
        assert cycles == 6 * 20 + latency and engine.latency == latency


def test_a_shifter_tree_has_no_multiplier():
    row = TARGETS["mac_tree_pow2"]
    assert not re.search(r"[\w\])] \* ", generate(row, row.engine())[0])
    row = TARGETS["mac_tree_dfp"]
    assert re.search(r"[\w\])] \* ", generate(row, row.engine())[0])  # which the pattern finds


def test_stimulus_reaches_ties_saturation_and_cancellation():
    for name in ("mac_tree_fixed", "mac_tree_dfp", "mac_tree_pow2", "mac_tree_minifloat"):
        engine, rng = TARGETS[name].engine(), np.random.default_rng(2)
        cases = [engine.check(operands) for operands in [*engine.directed(rng, 3), *(engine.stimulus(rng) for _ in range(20))]]
        y = np.concatenate([engine.golden(operands)["y"].ravel() for operands in cases])
        assert y.min() == engine.y.lo and y.max() == engine.y.hi, name
        assert 0.05 < np.mean((y > engine.y.lo) & (y < engine.y.hi) & (y != 0)), name
