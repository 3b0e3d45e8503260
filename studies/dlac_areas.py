"""Area and clock of the zero-skipping grid's elements, and the area of whole grids."""

import tempfile
from pathlib import Path

from rtl.dlac_pe import DlacElement
from rtl.generate import generate
from rtl.targets import target
from rtl.verilog import emit
from synth.flow import map_design, yosys
from synth.library import find
from synth.timing import clock

__all__ = ["PES", "SIZES", "areas", "grids"]

SIZES = (2, 2), (16, 16)  # of grids: PEs
PES = {  # name → target, parameters
    "FP32": ("dlac_fp32", {}),
    "FP32, depth 8": ("dlac_fp32", {"depth": 8}),
    "FP32, nothing skipped": ("dlac_fp32", {"skip": "none"}),
    "FP32, nothing skipped, depth 2": ("dlac_fp32", {"skip": "none", "depth": 2}),
    "FP32, weights in FP32, depth 6": ("dlac_fp32", {"w": "fp32", "depth": 6}),
    "FP16": ("dlac_fp16", {}),
    "FP16, nothing skipped, depth 2": ("dlac_fp16", {"skip": "none", "depth": 2}),
}


def mapped(verilog, module, library):
    """The netlist of a module."""
    return map_design(verilog, module, library, ("area",))["area"]


def gates(cells, library):
    """Gate equivalents of cells {name: count}."""
    return library.area(cells) / library.gate_equivalent


def areas(pes=PES):
    """JSON values: gate equivalents of PEs and of their parts, each as a whole and its registers; clocks of PEs."""
    library, found = find(), {}
    for name, (of, settings) in pes.items():
        parts = target(of).engine(**settings).parts()
        netlists = {part: mapped(emit(parts[part], f"{of}_{part}"), f"{of}_{part}", library) for part in parts}
        found[name] = {
            part: [gates(cells, library) for cells in (netlist.cells, library.sequential(netlist.cells))]
            for part, netlist in netlists.items()
        }
        found[name]["period_ns"] = clock(netlists["pe"], library).row()["period_ns"]
        print(f"{name}: {found[name]['pe'][0]:,.0f} GE, {found[name]['period_ns']:.2f} ns", flush=True)
    return found


def grids(settings=None, targets=("dlac_fp32", "dlac_fp16"), sizes=SIZES):
    """JSON values of grids of `sizes`, {target: {"pe", "grids"}}: gate equivalents.

    A grid is composed of its PEs, one of which is mapped alone, and of what stands beside them, mapped with PEs left
    empty. The first grid is mapped flat too.
    """
    library, found, settings = find(), {}, settings or {}
    for of in targets:
        pe, rows = f"{of}_pe", []
        engine = target(of).engine(**settings)
        alone = emit(DlacElement(shape=engine.shape, fmt=engine.a), pe)
        element = gates(mapped(alone, pe, library).cells, library)
        for size in sizes:
            engine = target(of).engine(**settings | dict(zip(("rows", "cols"), size, strict=True)))
            verilog, _ = generate(target(of), engine)
            beside = mapped(processed(verilog, of, f"blackbox {pe}"), of, library).cells
            count = beside.pop(pe)
            rows.append({"pes": list(size), "beside": gates(beside, library)})
            rows[-1]["composed"] = count * element + rows[-1]["beside"]
            if len(rows) == 1:
                rows[-1]["flat"] = gates(mapped(processed(verilog, of, "flatten"), of, library).cells, library)
            print(f"{of}, {size[0]} x {size[1]} PEs: {rows[-1]['composed']:,.0f} GE", flush=True)
        found[of] = {"pe": element, "grids": rows}
    return found


def processed(verilog, top, step):
    """Verilog behind a pass of Yosys, with the modules that it left empty."""
    with tempfile.TemporaryDirectory() as folder:
        design, rest, empty = (Path(folder) / f"{name}.v" for name in ("design", "rest", "empty"))
        design.write_text(verilog)
        lines = f"read_verilog {design}", f"hierarchy -check -top {top}", "proc", step, "opt_clean"
        yosys("\n".join((*lines, f"write_verilog -noattr {rest}", f"write_verilog -blackboxes {empty}")))
        return rest.read_text() + empty.read_text()
