"""Proof that the benches fail when a design is wrong at one output, once for each output and each of its bits."""

import re

import numpy as np
import pytest

from rtl.generate import generate
from rtl.targets import TARGETS
from tb.cases import Failure, random_cases
from tb.faults import with_faults
from tb.memory import Memory, run_cases
from tb.regression import regress

NAMES = ("ternary_gemm", "requant")
OUTPUT_FAULTS = {
    "m_axis_y_tvalid low": "0 of .* beats of y arrived",
    "m_axis_y_tlast low": "beats of y arrived|tlast of y is wrong",
    "m_axis_y_tlast inverted": "beats of y arrived|tlast of y is wrong",
    "m_axis_y_tdata bit 3 inverted": "golden says",
    "s_axis_{role}_tready low": "golden says|beats of y",
}


def faulty(name):
    """A target's engine, its design with faults, its sidecar, and the faults."""
    row = TARGETS[name]
    engine = row.engine(**row.bench[0])
    verilog, sidecar = generate(row, engine)
    verilog, faults = with_faults(verilog, sidecar)
    return engine, verilog, sidecar, faults


@pytest.mark.parametrize("name", NAMES)
def test_the_cocotb_bench_fails_for_each_kind_of_fault(name):
    _, verilog, sidecar, faults = faulty(name)
    role = sidecar["streams"][0]["role"]
    test = "streams/idle=False/backpressure=False"
    quick = {"tests": test, "cases": 4, "with_directed": False}
    assert regress(name, verilog, sidecar, "icarus", **quick) == {test: None}
    for fault, message in OUTPUT_FAULTS.items():
        number = faults[fault.format(role=role)]
        found = regress(name, verilog, sidecar, "icarus", **quick, plusargs=[f"+fault={number}"])
        assert re.search(message, found[test] or "nothing failed"), fault


@pytest.mark.parametrize("name", NAMES)
def test_the_memory_fed_bench_fails_for_every_fault(name):
    engine, verilog, sidecar, faults = faulty(name)
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
