"""GEMM in floating point: codes through the Verilog, sums in order, what is not finite, what is refused."""

import numpy as np
import pytest

from golden.errors import InputError
from golden.formats import parse
from rtl.float_gemm import FloatGemm
from tb.memory import Stalls, run

FP16 = parse("fp16")


def test_golden_takes_codes_and_gives_codes():
    engine = FloatGemm(rows=2, cols=2, format=FP16)
    a, w = FP16.encode([[2048.0, 1.0, 1.0], [1.0, 1.0, 2048.0]]), FP16.encode(np.ones((3, 1)))
    found = engine.golden(engine.check({"a": a, "w": w}))["y"]
    assert FP16.decode(found).tolist() == [[2048.0], [2050.0]]  # 2049 is none
    beats = engine.pack(engine.check({"a": a, "w": w}))
    assert beats["a"].data.view(np.uint16).tolist() == a.T.tolist() and beats["w"].data.shape == (3, 4)


def test_a_tile_behind_every_kind_of_stall_is_goldens():
    """Signed zeros, infinities and NaN meet; while no input is there, bubbles change no sum, of -0 neither."""
    rng = np.random.default_rng(1)
    numbers = np.array([0.0, -0.0, 1.0, -1.5, 6e-8, -6e-8, 65504.0, np.inf, np.nan, 1e-3])
    share = [0.2, 0.2, 0.1, 0.1, 0.15, 0.15, 0.05, 0.01, 0.01, 0.03]
    operands = {
        key: FP16.encode(rng.choice(numbers, shape, p=share)) for key, shape in (("a", (9, 7)), ("w", (7, 8)))
    }
    minus = np.array([[0x8001, 0x8000]]), np.array([[0x0001], [0x0000]])  # -2**-48 is rounded to -0, and stays that
    for stalls in (Stalls(), Stalls(idle=150, stall=60, burst=7, seed=3)):
        results, _ = run("fp16_gemm", {"rows": 4, "cols": 1}, operands, sim="icarus", stalls=stalls)
        assert len(np.unique(results["y"])) > 5
        results, _ = run("fp16_gemm", {"rows": 4, "cols": 1}, dict(zip("aw", minus)), sim="icarus", stalls=stalls)
        assert results["y"].tolist() == [[0x8000]]


def test_what_does_not_suit_is_refused():
    with pytest.raises(InputError, match="rows must be 1 to 64, not 0"):
        FloatGemm(rows=0)
    with pytest.raises(InputError, match="format must be a float, not int8"):
        FloatGemm(format=parse("int8"))
    engine = FloatGemm(format=FP16)
    ones = np.ones((2, 2), int)
    with pytest.raises(InputError, match="w holds 65536, codes of fp16 are 0 to 65535"):
        engine.check({"a": ones, "w": ones * 65536})
    with pytest.raises(InputError, match="a must be an array of integers, the codes of fp16, not float64"):
        engine.check({"a": ones * 1.0, "w": ones})
    with pytest.raises(InputError, match=r"must share K, not \[2, 2\] and \[1, 2\]"):
        engine.check({"a": ones, "w": ones[:1]})


def test_stimulus_holds_every_kind_of_number_in_some_draws():
    engine, rng = FloatGemm(format=FP16), np.random.default_rng(0)
    draws = [FP16.decode(engine.stimulus(rng, m=20, k=20, n=3)["a"]) for _ in range(20)]
    wild = [not np.isfinite(draw).all() for draw in draws]
    assert 0 < sum(wild) < 20 and all((draw == 0).any() for draw in draws)
    operands = engine.directed(rng, 3)
    assert len(operands) == 15 and all(engine.check(each)["a"].shape[1] == 2 for each in operands)
