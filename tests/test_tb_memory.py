"""The memory-fed bench: what a design gives comes back, and what it does wrong is noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from relay import RELAY, SIDECAR, relay_beats

from golden.errors import InputError
from rtl.targets import TARGETS
from tb.cases import Failure
from tb.memory import Memory, Stalls, run
from tb.simulators import SIMULATORS

STALLS = (
    Stalls(),
    Stalls(idle=100, stall=100, burst=3),
    Stalls(lazy=1, seed=2),
    Stalls(idle=30, stall=60, burst=7, reset_at=100, seed=3),
)
SHARES = st.integers(0, 200)
SMALL = {
    "ternary_gemm": {"rows": 3, "cols": 2},
    "int8_gemm": {"rows": 2, "cols": 2, "a": "int8"},
    "ternary_layer": {"rows": 2, "cols": 2},
}


@pytest.mark.parametrize("sim", SIMULATORS)
def test_every_beat_comes_back_in_order(sim):
    memory = Memory(RELAY, SIDECAR, sim)
    beats, expected = relay_beats(3000)  # more than one block of a source
    for stalls in STALLS:
        outcome = memory.run(beats, deadline=100_000, stalls=stalls)
        outcome.demand()
        assert np.array_equal(outcome.beats["y"].data, expected.data)
        assert np.array_equal(outcome.beats["y"].last, expected.last)
        if stalls == Stalls():
            assert outcome.cycles == 3001  # a beat a cycle, and the register stage
        else:
            assert 3001 < outcome.cycles < 100_000


def broken(find, replace):
    """The relay with one piece of its text replaced."""
    assert RELAY.count(find) == 1
    return RELAY.replace(find, replace)


@pytest.mark.parametrize(
    ("verilog", "message"),
    [
        (broken("m_axis_y_tvalid <= s_axis_x_tvalid;", "m_axis_y_tvalid <= 0;"), None),
        (broken("!m_axis_y_tvalid || m_axis_y_tready;", "0;"), "hangs"),
        (broken("m_axis_y_tvalid <= s_axis_x_tvalid;", "m_axis_y_tvalid <= 1;"), "babbles"),
        (broken("else if (s_axis_x_tready)", "else"), "rules of streams"),
    ],
)
def test_a_design_that_is_wrong_is_noticed(verilog, message):
    beats, expected = relay_beats(200)
    outcome = Memory(verilog, SIDECAR, "icarus").run(beats, deadline=5000, stalls=Stalls(stall=100))
    if message is None:
        assert len(outcome.beats["y"]) == 0 and outcome.complete
    else:
        with pytest.raises(Failure, match=message):
            outcome.demand()


def test_unknown_bits_are_noticed():
    verilog = broken("s_axis_x_tdata[15:8] + 8'd1", "8'bx")
    with pytest.raises(Failure, match="unknown"):
        Memory(verilog, SIDECAR, "icarus").run(relay_beats(9)[0], deadline=5000).demand()


@pytest.mark.parametrize("name", SMALL)
@hypothesis_settings(max_examples=25)
@given(data=st.data())
def test_any_operands_equal_golden_and_take_the_cycles_of_the_model(name, data):
    engine = TARGETS[name].engine(**SMALL[name])
    m, k, n = (data.draw(st.integers(1, most), label) for label, most in (("m", 9), ("k", 12), ("n", 9)))
    operands = engine.stimulus(np.random.default_rng(data.draw(st.integers(0, 99), "seed")), m=m, k=k, n=n)
    stalls = data.draw(
        st.just(Stalls())
        | st.builds(Stalls, idle=SHARES, stall=SHARES, burst=st.sampled_from((0, 1, 7)), seed=st.integers(1, 9))
    )
    results, cycles = run(name, SMALL[name], operands, stalls=stalls)
    assert np.array_equal(results["y"], engine.golden(operands)["y"]) and results["y"].dtype == np.int64
    assert cycles == engine.cycles(operands) if stalls == Stalls() else cycles >= len(engine.pack(operands)["a"])


@pytest.mark.parametrize("off", [-1, 1])
def test_a_cycle_more_or_less_than_the_model_says_is_noticed(monkeypatch, off):
    engine = TARGETS["ternary_gemm"].engine(**SMALL["ternary_gemm"])
    operands = engine.stimulus(np.random.default_rng(1), m=4, k=5, n=3)
    arguments = {"name": "ternary_gemm", "settings": SMALL["ternary_gemm"], "operands": operands, "sim": "icarus"}
    right = run(**arguments)[1]
    monkeypatch.setattr(type(engine), "cycles", lambda self, operands: right + off)
    with pytest.raises(Failure, match=f": {right} cycles, the model says {right + off}$"):
        run(**arguments)
    run(**arguments, stalls=Stalls(stall=100))  # which the model does not tell


def test_operands_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="a holds 256, which uint8 .* cannot represent"):
        run("ternary_gemm", {}, {"a": np.array([[256]]), "w": np.array([[1]])})
    with pytest.raises(InputError, match="no simulator is called 'vcs'; allowed: verilator, icarus"):
        run("ternary_gemm", {}, {"a": np.array([[1]]), "w": np.array([[1]])}, sim="vcs")
    with pytest.raises(InputError, match="no parameter is called 'row'"):
        run("ternary_gemm", {"row": 3}, {"a": np.array([[1]]), "w": np.array([[1]])})
