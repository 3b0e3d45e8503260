"""Proof that the benches fail when a design is wrong: at each output and each of its bits, and in its manners."""

import re

import numpy as np
import pytest
from faults import with_faults

from rtl.generate import generate
from rtl.targets import TARGETS
from tb.cases import Failure, random_cases
from tb.memory import Memory, Stalls, run_cases
from tb.regression import regress

NAMES = ("ternary_gemm", "requant")
OUTPUT_FAULTS = {
    "m_axis_y_tvalid low": "0 of .* beats of y arrived",
    "m_axis_y_tlast low": "beats of y arrived|tlast of y is wrong",
    "m_axis_y_tlast inverted": "beats of y arrived|tlast of y is wrong",
    "m_axis_y_tdata bit 3 inverted": "golden says",
    "s_axis_{role}_tready low": "golden says|beats of y",
}
STREAMS = {
    (idle, pressure): f"streams/idle={idle}/backpressure={pressure}"
    for idle in (False, True)
    for pressure in (False, True)
}
STALLED = {STREAMS[False, True], STREAMS[True, True], "reset"}  # the tests in which an output has to wait
TESTS = {"cycles", *STREAMS.values(), "valid_first", "reset"}
MANNERS = {  # what is wrong -> the tests of the cocotb bench that fail, and what they say
    "m_axis_y late": ({"cycles"}, "the model says"),
    "m_axis_y restless": (STALLED, "changed while it was valid"),
    "m_axis_y withdrawn": (STALLED, "changed while it was valid"),
    "m_axis_y shy": ({"valid_first"}, "y waits for ready"),
    "reset ignored": ({"reset"}, "golden says|beats of y|tlast of y"),
}
MEMORY_MANNERS = {  # what is wrong -> the surroundings in which the memory-fed bench fails, and what it says
    "m_axis_y restless": (Stalls(stall=100), "rules of streams"),
    "m_axis_y withdrawn": (Stalls(stall=100, burst=3), "rules of streams"),
    "m_axis_y shy": (Stalls(lazy=1), "hangs"),
    "reset ignored": (Stalls(reset_at=60), "golden says|beats of y|tlast of y"),
}


def faulty(name):
    """A target's engine, its design with faults, its sidecar, the faults and the bad manners."""
    row = TARGETS[name]
    engine = row.engine(**row.bench[0])
    verilog, sidecar = generate(row, engine)
    return engine, sidecar, *with_faults(verilog, sidecar)


@pytest.mark.parametrize("name", NAMES)
def test_the_cocotb_bench_fails_for_each_kind_of_fault(name):
    _, sidecar, verilog, faults, _ = faulty(name)
    role = sidecar["streams"][0]["role"]
    test = "streams/idle=False/backpressure=False"
    quick = {"tests": test, "cases": 4, "with_directed": False}
    assert regress(name, verilog, sidecar, "icarus", **quick) == {test: None}
    for fault, message in OUTPUT_FAULTS.items():
        number = faults[fault.format(role=role)]
        found = regress(name, verilog, sidecar, "icarus", **quick, plusargs=[f"+fault={number}"])
        assert re.search(message, found[test] or "nothing failed"), fault


@pytest.mark.parametrize(
    ("sim", "names"),
    [("icarus", [*MANNERS, "m_axis_y awake"]), ("verilator", ["m_axis_y late", "reset ignored"])],
)
def test_bad_manners_fail_the_tests_of_the_cocotb_bench_that_look_for_them(sim, names):
    _, sidecar, verilog, _, manners = faulty("ternary_gemm")
    assert set(manners) == {*MANNERS, "m_axis_y awake"}

    def found(number):
        quick = {"cases": 2, "with_directed": False, "plusargs": [f"+fault={number}"]}
        return regress("ternary_gemm", verilog, sidecar, sim, **quick)

    assert found(0) == dict.fromkeys(TESTS)
    for name in names:
        failed = {test: failure for test, failure in found(manners[name]).items() if failure}
        if name == "m_axis_y awake":  # every test begins with a reset
            assert set(failed) == TESTS and "y is valid during reset" in failed["cycles"]
            continue
        tests, message = MANNERS[name]
        assert set(failed) == tests, name
        assert all(re.search(message, failure) for failure in failed.values()), (name, failed)


def test_bad_manners_fail_the_memory_fed_bench():
    engine, sidecar, verilog, _, manners = faulty("ternary_gemm")
    memory = Memory(verilog, sidecar, "icarus")
    cases = random_cases(engine, np.random.default_rng(1), 4)
    for name, (stalls, message) in MEMORY_MANNERS.items():
        run_cases(memory, cases, stalls)
        with pytest.raises(Failure, match=message):
            run_cases(memory, cases, stalls, fault=manners[name])
    late = run_cases(memory, cases, fault=manners["m_axis_y late"])[1]
    assert late == run_cases(memory, cases)[1] + 1


@pytest.mark.parametrize("name", NAMES)
def test_the_memory_fed_bench_fails_for_every_fault(name):
    engine, sidecar, verilog, faults, _ = faulty(name)
    memory = Memory(verilog, sidecar, "icarus")
    cases = random_cases(engine, np.random.default_rng(1), 4)
    run_cases(memory, cases)
    [(_, width)] = memory.outputs.items()
    assert len(faults) == len(memory.inputs) + 3 + 8 * width
    missed = set()
    for fault, number in faults.items():
        try:
            run_cases(memory, cases, fault=number)
            missed.add(fault)
        except Failure:
            pass
    assert missed == set()
