"""What benches send and how they judge what comes back."""

import re

import numpy as np
import pytest

from rtl.beats import Beats
from rtl.targets import TARGETS
from tb.cases import Case, Failure, compare, directed, joined

ENGINE = TARGETS["ternary_gemm"].engine(rows=2, cols=3)
A = np.array([[1, 2], [3, 4], [5, 6]])
W = np.array([[1, -1], [0, 1]])
CASE = Case(ENGINE, {"a": A, "w": W})  # two tiles, the second partial
ROWS = np.array([[1, 1, 0], [3, 1, 0], [5, 1, 0], [0, 0, 0]], "<i4")
RIGHT = Beats(ROWS.view(np.uint8).reshape(4, 12), np.array([False, True, False, True]))


def changed(data=None, last=None):
    """The right beats with one byte or one ``tlast`` changed."""
    beats = Beats(RIGHT.data.copy(), RIGHT.last.copy())
    if data is not None:
        beats.data[data] ^= 1
    if last is not None:
        beats.last[last] ^= True
    return beats


def test_the_right_beats_are_taken_and_give_the_results():
    [results] = compare([CASE], {"y": RIGHT})
    assert results["y"].tolist() == [[1, 1], [3, 1], [5, 1]] and results["y"].dtype == np.int64
    twice = Beats(np.tile(RIGHT.data, (2, 1)), np.tile(RIGHT.last, 2))
    assert [r["y"].tolist() for r in compare([CASE, CASE], {"y": twice})] == [[[1, 1], [3, 1], [5, 1]]] * 2


@pytest.mark.parametrize(
    ("beats", "message"),
    [
        (Beats(RIGHT.data[:3], RIGHT.last[:3]), "random case, a [3, 2], w [2, 2]: 3 of 4 beats of y arrived"),
        (Beats(RIGHT.data[:0], RIGHT.last[:0]), "0 of 4 beats of y arrived"),
        (Beats(np.tile(RIGHT.data, (2, 1)), np.tile(RIGHT.last, 2)), "4 beats of y too many"),
        (changed(data=(2, 0)), "y[2, 0] is 4, golden says 5"),
        (changed(data=(1, 4)), "y[1, 1] is 0, golden says 1"),
        (changed(last=1), "tlast of y is wrong"),
        (changed(last=0), "tlast of y is wrong"),
    ],
)
def test_wrong_beats_are_refused(beats, message):
    with pytest.raises(Failure, match=re.escape(message)):
        compare([CASE], {"y": beats})


@pytest.mark.parametrize("name", TARGETS)
def test_directed_cases_stand_at_every_boundary(name):
    engine = TARGETS[name].engine(**TARGETS[name].bench[0])
    cases = directed(engine, np.random.default_rng(1))
    drawn = [{key: np.shape(value) for key, value in case.operands.items()} for case in cases]
    shapes = {next(iter(shape.values())) for shape in drawn}
    if "group" in engine.settings():  # a codec: values in a row, or words that hold them
        sizes, step = {int(case.operands["c"][0]) >> 32 if "c" in case.operands else case.operands["x"].size
                       for case in cases}, engine.group  # fmt: skip
    else:
        sizes = {shape[-1] for shape in shapes}
        step = next(value for key in ("lanes", "depth", "rows") if (value := engine.settings().get(key)))
        assert any(set(shape) == {1} for shape in shapes)
    assert {1, step - 1, step, step + 1, 2 * step + 1} - {0} <= sizes


def test_extremes_reach_the_ends_of_the_accumulator():
    engine = TARGETS["int8_gemm"].engine(rows=2, cols=2, a="int8")
    sums = [case.results["y"] for case in directed(engine, np.random.default_rng(1)) if case.what == "extreme"]
    k = next(s for s in sums if s.max() % (128 * 128) == 0 and s.max() > 0).max() // (128 * 128)
    assert {int(s[0, 0]) for s in sums} == {k * 128 * 128, k * 127 * 127, -k * 127 * 128}


def own(engine):
    """The cases that an engine directs itself."""
    return [case for case in directed(engine, np.random.default_rng(1)) if case.what == "engine's own"]


@pytest.mark.parametrize("name", ["requant", "ternary_layer"])
def test_rounding_cases_hold_ties_of_both_parities_and_near_misses(name):
    engine = TARGETS[name].engine()
    spec = getattr(engine, "requantisation", None) or engine.spec
    kinds = set()
    for case in own(engine):
        x = case.operands["x"] if "x" in case.operands else case.operands["a"] @ case.operands["w"]
        m, b, s = (case.operands[key] for key in ("m", "b", "s"))
        total = (x * m + b)[0]
        inside = (total >> s >= spec.y.lo) & (total >> s < spec.y.hi) & (s > 1)
        rest, half = total & ((1 << s) - 1), 1 << s >> 1
        for kind, held in (("tie", rest == half), ("none", rest == 0), ("above", rest > half), ("below", rest < half)):
            kinds |= {(kind, parity) for parity in (0, 1) if np.any(inside & held & (total >> s & 1 == parity))}
    assert kinds == {(kind, parity) for kind in ("tie", "none", "above", "below") for parity in (0, 1)}
    assert own(ENGINE) == []


def test_the_end_of_a_tile_may_come_on_either_stream():
    beats = joined([CASE] * 50, np.random.default_rng(1))
    plain = joined([CASE] * 50)
    assert np.array_equal(beats["a"].last | beats["w"].last, plain["a"].last)
    assert np.any(plain["a"].last & ~beats["a"].last) and np.any(plain["w"].last & ~beats["w"].last)
    assert beats["a"].last[-1] and beats["w"].last[-1]
