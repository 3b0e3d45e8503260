"""Tensors through containers: what comes out, what it is counted as, and what a fault looks like."""

import numpy as np
import pytest

import tb.containers
from golden.dpred import DpredSpec, encode
from golden.errors import InputError
from golden.formats import parse
from tb.cases import Failure
from tb.containers import Containers


def test_values_come_back_in_their_shape_and_are_counted():
    rng = np.random.default_rng(0)
    memory = Containers(group=8)
    x = rng.integers(-3, 4, (2, 5, 3)).astype(np.int8)
    y = memory(x, parse("int8e-4"))
    assert y.dtype == x.dtype and np.array_equal(x, y)
    words = encode(DpredSpec(word=8, signed=True, group=8), x.astype(np.int64)).size
    assert (memory.plain, memory.packed) == (30 * 8, words * 64)
    wide = rng.integers(0, 1 << 12, 40)
    assert np.array_equal(memory(wide, parse("uint12")), wide) and memory.plain == 30 * 8 + 40 * 16


def test_a_profile_gives_widths_that_hold_the_whole_format():
    rng = np.random.default_rng(3)
    profile, x, fmt = rng.integers(-3, 4, (2, 160)), rng.integers(-64, 64, 320), parse("int7")
    memory = Containers()
    memory.profile(profile, fmt, "input")
    assert memory.tables["input"].widths == (3, 7)
    for values, width in ((profile[0], 3), (x, 7)):
        before = memory.packed
        assert np.array_equal(memory(values, fmt, "input"), values)
        assert memory.packed - before == 128 + -(-(width * values.size + values.size // 16) // 64) * 64
    with pytest.raises(InputError, match="values of biases have 17 bits"):
        memory.profile(profile, parse("int17"), "biases")


@pytest.mark.parametrize(("fmt", "zeros"), [("ternary", False), ("binary", True), ("pow2z_4", True)])
def test_formats_that_are_integers_of_few_bits(fmt, zeros):
    fmt = parse(fmt)
    x = np.random.default_rng(1).choice(fmt.values(), (3, 20))
    memory = Containers(zeros=zeros)
    assert np.array_equal(memory(x, fmt), x) and memory.packed < memory.plain + 4 * 64


def test_values_of_many_bits_are_refused():
    with pytest.raises(InputError, match="values of biases have 17 bits; a DPRed container takes up to 16"):
        Containers()(np.zeros(3, np.int64), parse("int17"), "biases")


def test_the_verilog_says_the_same_or_fails(monkeypatch):
    x = np.random.default_rng(2).integers(-60, 60, 77)
    assert np.array_equal(Containers(sim="icarus")(x, parse("int8")), x)

    def flipped(name, settings, operands, sim):
        if name == "dpred_encoder":
            return {"c": encode(DpredSpec(word=8, signed=True), operands["x"]).view(np.int64), "e": np.zeros(1)}, 0
        return {"x": operands["c"][:1], "e": np.zeros(1)}, 0

    monkeypatch.setattr(tb.containers, "run", flipped)
    with pytest.raises(Failure, match="the decoder's values of tensor are not those of its container"):
        Containers(sim="icarus")(x, parse("int8"))
    monkeypatch.setattr(tb.containers, "run", lambda *_: ({"c": np.zeros(2, np.int64), "e": np.zeros(1)}, 0))
    with pytest.raises(Failure, match="the encoder's container of tensor is not golden's"):
        Containers(sim="icarus")(x, parse("int8"))
    monkeypatch.setattr(tb.containers, "decode", lambda words: (DpredSpec(word=8, signed=True), x + 1))
    with pytest.raises(Failure, match="tensor does not come out of its container as it went in"):
        Containers()(x, parse("int8"))
