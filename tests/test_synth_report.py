"""synth.report: Markdown from JSON."""

import json

from synth.report import markdown, write

TIMING = {"period_ns": 4.0, "clock_mhz": 250.0, "start": "register", "end": "clock gate", "cells": []}
AREA = {"area_um2": 48000.0, "gate_equivalents": 2000.0, "sequential_share": 0.25, "flip_flops": 1234, "latches": 1}
CORE = {
    "target": "some_gemm",
    "view": "core",
    "parameters": {"rows": 2, "a": "uint8"},
    "netlists": {
        "area": AREA | {"timing": TIMING},
        "speed": AREA | {"gate_equivalents": 2100.0, "timing": TIMING | {"period_ns": 2.0, "clock_mhz": 500.0}},
        "ungated": AREA | {"gate_equivalents": 2500.0},
    },
    "throughput": {"unit": "MAC", "per_cycle": 4},
    "power": {
        "clock_mhz": 250.0,
        "total_mw": 12.5,
        "internal_mw": 8.0,
        "switching_mw": 4.25,
        "leakage_mw": 0.25,
        "sequential_share": 0.5,
        "energy_per_cycle_pj": 50.0,
        "energy_per_operation_pj": 13.5,
        "operands": "random",
        "cycles": 100,
    },
    "fpga": {"ice40": {"luts": 1500, "flip_flops": 1234, "carries": 12, "multipliers": 0}},
    "problems": [],
}
WHOLE = {key: CORE[key] for key in ("target", "parameters", "problems")}
WHOLE |= {"view": "target", "netlists": {"area": AREA | {"timing": TIMING}}}
REPORT = {
    "library": {"name": "lib", "voltage": 1.8, "gate_equivalent": 24.0, "without_area": {"LATCH": 56.0}},
    "versions": {"yosys": "0.70", "opensta": "2.0.17"},
    "rows": [WHOLE, CORE],
}


def lines(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


def test_figures_stand_beside_each_other():
    text = markdown(REPORT)
    core = "| some_gemm core (rows=2 a=uint8) |"
    area, speed, gating, power, fpga = lines(text, core)
    path = "4.000 | 250.0 | register to clock gate"
    assert area == f"{core} 2,000.0 | 48,000 | 25.0% | 1,234 | {path} | 1 GMAC/s | 48,000 per GMAC/s |"
    assert "| 2.000 | 500.0 |" in speed and "| 2 GMAC/s | 24,000 per GMAC/s |" in speed
    assert gating == f"{core} 2,000.0 | 2,500.0 | 20.0% |"
    assert power == f"{core} 250.0 | 12.5 | 8 | 4.25 | 0.25 | 50.0% | 50.0 | 13.50 per MAC | random, 100 cycles |"
    assert fpga == f"{core} ice40 | 1,500 | 1,234 | 12 | 0 |"
    assert len(lines(text, "| some_gemm target |")) == 1
    assert "no area for its LATCH: 56 µm²" in text


def test_problems_are_listed():
    bad = CORE | {"problems": ["inputs that reach no output: a[3]"]}
    assert "- some_gemm core (rows=2 a=uint8): inputs that reach no output: a[3]" in markdown(REPORT | {"rows": [bad]})
    assert "Every input reaches an output" in markdown(REPORT)


def test_markdown_is_made_from_the_json(tmp_path):
    paths = write(REPORT, tmp_path / "out")
    assert [path.name for path in paths] == ["report.json", "report.md"]
    assert markdown(json.loads(paths[0].read_text())) == paths[1].read_text(encoding="utf-8")
