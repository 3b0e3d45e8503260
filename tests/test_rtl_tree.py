"""Parts of the MAC tree: lanes, joins, widths, and the streams of the whole."""

from itertools import product as pairs

import numpy as np
import pytest
from gateware import clocked, elaborated, evaluate

from golden.formats import parse
from golden.mac import MacSpec
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.generate import generate
from rtl.targets import TARGETS
from rtl.tree import ExactTree, ExactWidths, Lane, MacUnit, control_flip_flops, joined, result_width
from tb.memory import Memory, Stalls


def spec(name="int8", k=20, **formats):
    fields = {what: parse(formats.pop(what, name)) for what in ("a", "w", "bias", "y")}
    return MacSpec(**fields, k=k, **formats)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_neighbours_are_joined_level_by_level(count):
    passed = []
    found = joined([str(i) for i in range(count)], lambda x, y, name: f"({x}{y})", lambda x, name: passed.append(name) or x)
    wanted = {1: "0", 2: "(01)", 3: "((01)2)", 5: "(((01)(23))4)", 8: "(((01)(23))((45)(67)))"}
    assert found == wanted.get(count, found) and found.count("(") == count - 1
    assert len(passed) == len(set(passed)) == {1: 0, 2: 0, 3: 1, 5: 2, 8: 0, 13: 2}[count]


def test_names_of_joins_are_unique():
    names = []
    joined(list(range(11)), lambda x, y, name: names.append(name), lambda x, name: names.append(name))
    assert len(set(names)) == len(names)


LANES = [("int8", "int8"), ("uint4", "int3"), ("int5", "pow2_4"), ("uint5", "pow2z_3"), ("mini_e3m2", "e2m3")]


@pytest.mark.parametrize("names", LANES, ids="-".join)
def test_a_lane_has_its_product_a_cycle_later(names):
    a, w = map(parse, names)
    lane, rng, found = Lane(a=a, w=w), np.random.default_rng(0), []
    x, y = (rng.integers(0, 1 << fmt.width, 100) for fmt in (a, w))

    async def bench(ctx):
        for codes in zip(x.tolist(), y.tolist(), strict=True):
            ctx.set(lane.a, codes[0])
            ctx.set(lane.w, codes[1])
            await ctx.tick()
            found.append(ctx.get(lane.addend) + (ctx.get(lane.carry) if hasattr(lane, "carry") else 0))

    clocked(lane, bench)
    assert found == (a.integers(x) * w.integers(y)).tolist()


@pytest.mark.parametrize("names", LANES, ids="-".join)
def test_a_mac_unit_adds_a_product_to_any_sum(names):
    a, w = map(parse, names)
    width = spec(a=names[0], w=names[1], k=4).acc_width

    def unit(m, x, y, total):
        m.submodules += (mac := MacUnit(a=a, w=w, acc_width=width))
        m.d.comb += [mac.a.eq(x), mac.w.eq(y), mac.total.eq(total)]
        return mac.next

    rng = np.random.default_rng(1)
    totals = [0, 1, (1 << width) - 1, 1 << (width - 1), *rng.integers(0, 1 << width, 6).tolist()]
    codes = list(pairs(range(0, 1 << a.width, 3), range(1 << w.width)))
    cases = [(x, y, totals[i % len(totals)]) for i, (x, y) in enumerate(codes)]
    products = a.integers(np.array([x for x, *_ in cases])) * w.integers(np.array([y for _, y, _ in cases]))
    wanted = [(t + int(p)) % (1 << width) for (*_, t), p in zip(cases, products, strict=True)]
    assert evaluate(unit, [a.width, w.width, width], cases) == wanted


def test_adders_grow_by_a_bit_a_level():
    """Gysel, figure 5.1: products of m + n bits, the first level one more, the last ``m + n + ceil(log2 lanes)``."""
    assert [ExactWidths(spec=spec(k=1 << 10), lanes=n, dynamic=True).beat for n in (1, 2, 3, 4, 16, 64)] == [16, 17, 18, 18, 20, 22]
    assert ExactWidths(spec=spec(k=2), lanes=64, dynamic=True).beat == 17  # no more than two products ever are


def test_totals_hold_sum_and_bias():
    assert ExactWidths(spec=spec(k=64), lanes=16, dynamic=True).total == 1 + spec(k=64).acc_width + 15
    assert ExactWidths(spec=spec(k=1, bias="int48"), lanes=1, dynamic=True).total == 49
    fixed = spec("int8e-4", k=16)
    assert ExactWidths(spec=fixed, lanes=16, dynamic=False).total == fixed.total_width
    finer = spec(a="int8e3", w="int8", bias="int8e2", y="int8e1", k=4)  # nothing of the total is in the unit of y
    assert ExactWidths(spec=finer, lanes=1, dynamic=False).total == finer.total_width - 1


def constant(spec):
    tree = ExactTree(spec=spec, lanes=2)
    for block in tree.blocks.values():
        elaborated(block)
    return elaborated(tree).constant


def test_behind_a_relu_the_sign_is_constant():
    assert result_width(spec()) == 8 and result_width(spec(y="uint8", relu=True)) == 8
    assert result_width(spec(relu=True)) == 7
    assert constant(spec(relu=True)) == {"y__payload[7]", "y__payload[8]"}
    assert constant(spec()) == {"y__payload[8]"}


def test_control_has_a_valid_bit_a_stage():
    assert control_flip_flops(5) == 5 + 2 + 1 and control_flip_flops(8) == 8 + 5 + 1


@pytest.fixture(scope="module")
def tree():
    row = TARGETS["mac_tree_fixed"]
    engine = row.engine(lanes=2, longest=20, y="int8")
    return engine, Memory(*generate(row, engine), "icarus")


STALLS = [Stalls(), Stalls(idle=90, stall=90, burst=3), Stalls(idle=200, lazy=1, seed=4), Stalls(stall=200, burst=15, seed=5)]


@pytest.mark.parametrize("stalls", STALLS)
def test_sums_of_any_length_follow_each_other(tree, stalls):
    """``last`` on either stream ends a sum; what its lanes beyond hold is added like any product."""
    engine, memory = tree
    rng = np.random.default_rng(7)
    lengths = rng.integers(1, 11, 60)
    ends = np.zeros(lengths.sum(), bool)
    ends[np.cumsum(lengths) - 1] = True
    by_a = ends & (rng.random(len(ends)) < 0.6)
    by_w = ends & (~by_a | (rng.random(len(ends)) < 0.3))
    a, w = rng.integers(-128, 128, (2, len(ends), 2))
    bias = rng.integers(-128, 128, 60)
    beats = {
        "a": Beats(pack_fields((a, 8)), by_a),
        "w": Beats(pack_fields((w, 8)), by_w),
        "p": Beats(pack_fields((bias[:, None], 8)), np.ones(60, bool)),
    }
    outcome = memory.run(beats, deadline=20_000, stalls=stalls)
    outcome.demand()
    sums = np.add.reduceat((a * w).sum(1), np.cumsum(lengths) - lengths)  # in units of 2**-8, the bias in those of 2**-4
    totals = sums + (bias << 4)
    [codes] = unpack_fields(outcome.beats["y"].data, 1, 8)
    assert engine.y.integers(codes[:, 0]).tolist() == [min(max(round(t / 256), -128), 127) for t in totals.tolist()]
    assert outcome.beats["y"].last.all()
    if stalls == Stalls():
        assert outcome.cycles == lengths.sum() + 5


def test_a_bias_that_does_not_come_stops_the_whole_tree(tree):
    """Also the result before it, which is a stage behind its bias then."""
    _, memory = tree
    ones = Beats(np.full((40, 2), 16, np.uint8), np.ones(40, bool))
    biases = Beats(np.zeros((3, 1), np.uint8), np.ones(3, bool))
    outcome = memory.run({"a": ones, "w": ones, "p": biases}, deadline=300, patience=100)
    assert not outcome.complete and not outcome.offences
    assert outcome.beats["y"].data.ravel().tolist() == [2, 2]
