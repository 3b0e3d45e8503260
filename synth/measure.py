"""All figures of a target: the whole of it, its core without AXI ports, and its parts."""

import functools
import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from golden.formats import Format
from rtl.generate import generate
from rtl.verilog import emit
from synth import fpga
from synth.flow import cached, fill, map_design
from synth.netlist import problems, registers
from synth.power import power
from synth.simulate import simulate_ports, simulate_streams
from synth.timing import clock

__all__ = ["View", "views", "measure", "SEED"]

SEED = 1
SIZES = {"m": 16, "k": 64, "n": 8, "rows": 64, "channels": 8, "values": 1024}  # of the operands under which power is measured
PART_CYCLES = 512
PRESENTATION = ("__main__", "report")  # files that change no figure
SOURCES = [path.read_text() for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem not in PRESENTATION]


@dataclass(frozen=True)
class View:
    """Something to measure.

    Attributes
    ----------
    target, name : str
        ``target`` (behind AXI ports), ``core`` (without), or the name of a part.
    engine : Engine
    component : wiring.Component
    module, verilog : str
    """

    target: str
    name: str
    engine: object
    component: object
    module: str
    verilog: str

    @property
    def flip_flops(self):
        """How many flip-flops the engine states, None for a part."""
        return self.engine.flip_flops if self.name in ("target", "core") else None


def views(row, engine):
    """The views of registry row `row` with `engine`, parts last."""
    found = [View(row.name, "target", engine, None, row.name, generate(row, engine)[0])]
    parts = {"core": engine.component()} | engine.parts()
    for name, component in parts.items():
        module = f"{row.name}_{name}"
        found.append(View(row.name, name, engine, component, module, emit(component, module)))
    return found


def measure(view, library, operands=None):
    """The figures of `view` as a dictionary for JSON.

    Parameters
    ----------
    operands : dict, optional
        Operands of the engine under which power is measured; by default its random stimulus.
    """
    stated = (view.target, view.name, view.engine.settings(), view.flip_flops)
    tools = [version(shutil.which("sta"), "-version"), version(shutil.which("iverilog"), "-V")]
    ran = () if view.name == "target" else simulated(view, operands)
    folder, done = cached("measure", view.module, view.verilog, library.hash, SOURCES, stated, tools, ran)
    if not done:
        row = measured(view, library, operands)
        fill(folder, lambda work: (work / "row.json").write_text(json.dumps(row)))
    return json.loads((folder / "row.json").read_text())


def simulated(view, operands):
    """What the simulation of `view` runs on and has to give, for the key of its figures."""
    random = operands is None
    if random:
        operands = drawn(view, np.random.default_rng(SEED))
    return random, digests(operands), digests(view.engine.golden(operands)), throughput(view)


def digests(arrays):
    """Type, shape and hash of each of `arrays` {name: array}."""
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return {name: (str(a.dtype), a.shape, hashlib.sha256(a).hexdigest()) for name, a in arrays.items()}


@functools.cache
def version(program, option):
    """The first line that `program` prints with `option`; None if there is no program."""
    if program is None:
        return None
    return subprocess.run([program, option], capture_output=True, text=True, check=False).stdout.partition("\n")[0]


def drawn(view, rng):
    """Random operands of the engine."""
    return view.engine.stimulus(rng, **{name: SIZES[name] for name in view.engine.sizes})


def measured(view, library, operands):
    """`measure`, afresh."""
    whole = view.name == "target"  # the same gates as the core's, so that its area and clock are enough
    variants = ("area",) if whole else ("area", "speed", "ungated")
    netlists = map_design(view.verilog, view.module, library, variants)
    rows = {}
    for variant, mapped in netlists.items():
        rows[variant] = area(mapped, library)
        if variant != "ungated":
            rows[variant]["timing"] = clock(mapped, library).row()
    mapped = netlists["area"]
    purpose = (getattr(view.component, what, ()) for what in ("constant", "apart"))
    found = [] if whole else problems(mapped, library, *purpose)
    count = rows["area"]["flip_flops"]
    if view.flip_flops is not None and count != view.flip_flops:
        found.append(f"{count} flip-flops, the engine states {view.flip_flops}")
    row = {
        "target": view.target,
        "view": view.name,
        "module": view.module,
        "parameters": view.engine.settings(),
        "verilog_sha256": hashlib.sha256(view.verilog.encode()).hexdigest(),
        "netlists": rows,
        "flip_flops_stated": view.flip_flops,
        "problems": found,
    }
    if not whole:
        row["throughput"] = throughput(view)
        row["power"] = measured_power(view, mapped, library, rows["area"]["timing"]["period_ns"], operands)
        row["fpga"] = fpga.resources(view.verilog, view.module)
    return row


def area(mapped, library):
    """Area of a netlist, by kind of cell."""
    total = library.area(mapped.cells)
    flip_flops, latches = registers(mapped, library)
    return {
        "area_um2": total,
        "gate_equivalents": total / library.gate_equivalent,
        "sequential_share": library.area(library.sequential(mapped.cells)) / total,
        "flip_flops": flip_flops,
        "latches": latches,
        "cells": mapped.cells,
    }


def throughput(view):
    """What the engine does a cycle; of a part one product, or if it does not multiply two streams, one result."""
    if view.name == "core":
        return view.engine.throughput
    multiplies = {"a", "w"} <= set(view.component.signature.members)
    return {"unit": "MAC" if multiplies else "result", "per_cycle": 1}


def operations(view, operands, cycles):
    """Operations of the unit of `throughput` in a simulation of `view` with `operands`; a part does one a cycle."""
    return view.engine.operations(operands) if view.name == "core" else cycles


def measured_power(view, mapped, library, period_ns, operands):
    """Power at the netlist's own clock, from a simulation of it."""
    rng = np.random.default_rng(SEED)
    random = operands is None
    if random:
        operands = drawn(view, rng)
    if view.name == "core":
        results, activity = simulate_streams(mapped, library, view.component, view.engine, operands)
        expected = view.engine.golden(operands)
        if any(not np.array_equal(results[key], expected[key]) for key in expected):
            raise RuntimeError(f"the netlist of {view.module} does not compute what golden defines")
    else:
        activity = simulate_ports(mapped, library, port_values(view, rng, operands))
    used = power(mapped, library, activity, period_ns)
    nets = [switched for switched, _ in activity.nets.values()]
    done = operations(view, operands, activity.cycles)
    return used.row() | {
        "operands": "random" if random else "given",
        "cycles": activity.cycles,
        "operations": done,
        "energy_per_operation_pj": used.energy_per_cycle_pj * activity.cycles / done,
        "transitions_per_net_and_cycle": float(np.mean(nets)),
    }


def port_values(view, rng, operands):
    """What a part's inputs get, cycle by cycle: codes of the operand of that name, a front now and then, or noise."""
    values = {}
    for name, member in view.component.signature.members.items():
        if member.flow != In:
            continue
        width = Shape.cast(member.shape).width
        if name in operands and isinstance(getattr(view.engine, name, None), Format):
            values[name] = np.resize(rng.permutation(view.engine.codes(name, operands[name]).reshape(-1)), PART_CYCLES)
        elif name == "first":
            values[name] = np.arange(PART_CYCLES) % SIZES["k"] == 0
        else:
            bits = rng.integers(0, 2, (PART_CYCLES, width))
            values[name] = [int("".join(map(str, row)), 2) for row in bits.tolist()]
    return values
