"""Tiles at the ends of their parameters' ranges and of the papers' size, simulated; benches cover the registry's."""

import resource

import numpy as np
import pytest
from gateware import complaints

from rtl.generate import generate
from rtl.targets import TARGETS
from tb.memory import Stalls, run

ODD = [
    ("parallel_tile", {"lanes": 1, "filters": 1, "a": "uint16", "w": "int16", "acc_width": 32}),
    ("stripes", {"lanes": 1, "filters": 1, "windows": 1, "a": "int16", "w": "int2", "acc_width": 18}),
    ("stripes", {"lanes": 16, "filters": 1, "windows": 2, "a": "int2", "w": "int16", "acc_width": 64, "dense": 1}),
    ("dynamic_stripes", {"lanes": 1, "filters": 1, "windows": 2, "a": "uint1", "w": "int2", "acc_width": 2, "trim": 1}),
    ("dynamic_stripes", {"lanes": 2, "filters": 1, "windows": 6, "groups": 3, "run_ahead": 7, "a": "int16", "trim": 1}),
    ("dynamic_stripes", {"lanes": 1, "filters": 1, "windows": 5, "groups": 5, "a": "uint16"}),
    ("loom", {"lanes": 1, "filters": 1, "windows": 1, "a": "uint16", "w": "int16", "s": 4}),
    ("loom", {"lanes": 2, "filters": 1, "windows": 5, "a": "int2", "w": "int2", "s": 2, "acc_width": 4, "dense": 1}),
]
STALLED = Stalls(idle=100, stall=100, burst=3, seed=5)


@pytest.mark.parametrize(("name", "settings"), ODD, ids=lambda part: str(part).replace(" ", ""))
def test_a_tile_at_the_ends_of_its_ranges(name, settings):
    engine = TARGETS[name].engine(**settings)
    rng = np.random.default_rng(len(str(settings)))
    longest = min(engine.spec(1).longest, 3 * engine.lanes)
    for sizes in ({"m": 7, "n": 3, "k": 1}, {"m": 2, "n": 6, "k": longest}):
        for stalls in (Stalls(), STALLED):
            run(name, settings, engine.stimulus(rng, **sizes), sim="icarus", stalls=stalls)  # compares, cycles too


SECONDS = 60  # for the Verilog of a tile of the papers' size
LARGE = {"lanes": 16, "filters": 16, "windows": 16, "a": "uint16", "w": "int16", "acc_width": 48}
PAPERS = [
    ("parallel_tile", {}),
    ("stripes", {}),
    ("dynamic_stripes", {"groups": 16, "run_ahead": 1}),
    ("loom", {"dense": 1, "s": 4}),
]


def large(name, more):
    """Parameters of the paper's size, as far as the target has them."""
    return {key: value for key, value in (LARGE | more).items() if key in TARGETS[name].make.parameters()}


@pytest.mark.long
@pytest.mark.parametrize(("name", "more"), PAPERS, ids=lambda part: str(part).replace(" ", ""))
def test_verilog_of_sixteen_by_sixteen_by_sixteen_is_clean_within_a_minute(name, more, tmp_path):
    """Processor time, since the machine may be busy."""

    def spent():
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(part.ru_utime + part.ru_stime for part in used)

    row, start = TARGETS[name], spent()
    verilog, _ = generate(row, row.engine(**large(name, more)))
    assert spent() - start < SECONDS
    assert complaints(verilog, name, tmp_path) == ""


@pytest.mark.long
@pytest.mark.parametrize(("name", "more"), PAPERS, ids=lambda part: str(part).replace(" ", ""))
def test_a_tile_of_sixteen_by_sixteen_by_sixteen(name, more):
    """Two tiles of each, more than a thousand products a sum."""
    settings = large(name, more)
    engine = TARGETS[name].engine(**settings)
    operands = engine.stimulus(np.random.default_rng(1), m=2 * engine.shape.rows, k=1040, n=engine.shape.cols)
    run(name, settings, operands)  # compares with golden, cycles too


def test_a_smaller_tile_of_the_same_make_in_verilator():
    settings = {"lanes": 8, "filters": 3, "windows": 4, "groups": 2, "run_ahead": 1, "a": "uint16", "w": "int16"}
    engine = TARGETS["dynamic_stripes"].engine(**settings, acc_width=40)
    operands = engine.stimulus(np.random.default_rng(1), m=9, k=100, n=7)
    _, cycles = run("dynamic_stripes", settings | {"acc_width": 40}, operands)
    lockstep = TARGETS["dynamic_stripes"].engine(**settings | {"acc_width": 40, "run_ahead": 0})
    assert cycles < lockstep.cycles(operands)  # what it is for


def test_units_have_one_module_however_many_there_are():
    row = TARGETS["stripes"]
    small, large = (generate(row, row.engine(lanes=2, filters=f, windows=3))[0] for f in (1, 6))
    for verilog, count in ((small, 3), (large, 18)):
        assert verilog.count("module stripes_sip(") == 1 and verilog.count("  stripes_sip sip_") == count
