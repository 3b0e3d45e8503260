"""The report: JSON first, Markdown made from the JSON alone."""

import json
from pathlib import Path

from golden.errors import replacing

__all__ = ["markdown", "write"]

INTRODUCTION = """# Area, clock and power

Made by `make synth` from `report.json` beside it. Library {name}, {voltage} V, typical; a gate equivalent (GE) is the
area of its smallest NAND gate of two inputs, {gate_equivalent:g} µm². Yosys {yosys}, OpenSTA {opensta}.

- *target* is what `make verilog` writes, behind AXI4-Stream ports; *core* the same without; the others are parts of it.
- *area* is the netlist of the script `synth -flatten; dfflibmap; abc -liberty`, a module that is placed more than once
  mapped once; *speed* the same with `abc` buffering nets and sizing gates. The enable that stalls a design is a clock
  gate in both: one latch, one AND gate and one inverter an enable, counted. *Ungated* is *area* with multiplexers
  instead.
- Clocks are the shortest period that meets every check, inputs arriving with the edge and outputs due a period later,
  wires without load, the clock ideal: no clock tree is counted, in area, clock or power.
- Power is that of the *area* netlist at its own clock, its nets switching as in a gate-level simulation (glitches with
  typical delays included) whose results equalled golden's.
"""


def write(report, folder):
    """Write `report` as JSON and Markdown into `folder`; returns the paths."""
    paths = Path(folder) / "report.json", Path(folder) / "report.md"
    for path, text in zip(paths, (json.dumps(report, indent=1) + "\n", markdown(report)), strict=True):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths


def markdown(report):
    """The Markdown of `report`."""
    rows = report["rows"]
    parts = [INTRODUCTION.format(**report["library"], **report["versions"])]
    for cell, size in report["library"]["without_area"].items():
        parts.append(f"The library states no area for its {cell}: {size:g} µm² is taken, from its LEF file.\n")
    for variant, caption in (("area", "Netlist *area*"), ("speed", "Netlist *speed*: nets buffered, gates sized")):
        parts.append(f"## {caption}\n")
        parts.append(table(AREA, [cells for row in rows if (cells := area_cells(row, variant))]))
    parts.append("## Clock gating\n")
    gated = [row for row in rows if "ungated" in row["netlists"] and row["netlists"]["area"]["latches"]]
    parts.append(table(GATING, [gating_cells(row) for row in gated]))
    parts.append("## Power\n")
    parts.append(table(POWER, [power_cells(row) for row in rows if "power" in row]))
    parts.append("## FPGA, before placement\n")
    parts.append(table(FPGA, [cells for row in rows for cells in fpga_cells(row)]))
    problems = [f"- {name(row)}: {problem}" for row in rows for problem in row["problems"]]
    checked = "Every input reaches an output, no output is constant, and flip-flops are as many as the engine states."
    parts.append("## Checks\n")
    parts.append("\n".join(problems) if problems else checked)
    return "\n".join(parts) + "\n"


AREA = ("design", "GE", "µm²", "sequential", "flip-flops", "period ns", "MHz", "path", "rate", "µm² per rate")
GATING = ("design", "gated GE", "ungated GE", "gating saves")
POWER = ("design", "MHz", "mW", "internal", "switching", "leakage", "sequential", "pJ a cycle", "pJ", "operands")
FPGA = ("design", "family", "LUTs", "flip-flops", "carry cells", "multipliers")


def name(row):
    """How a row is called: the target and its view."""
    settings = " ".join(f"{key}={value}" for key, value in row["parameters"].items())
    return f"{row['target']} {row['view']} ({settings})" if row["view"] == "core" else f"{row['target']} {row['view']}"


def area_cells(row, variant):
    """Cells of the table of areas; None without such a netlist."""
    if variant not in row["netlists"]:
        return None
    measured = row["netlists"][variant]
    timing = measured["timing"]
    if "throughput" in row:
        unit, rate = row["throughput"]["unit"], row["throughput"]["per_cycle"] * timing["clock_mhz"] / 1000
        speed = f"{rate:.3g} G{unit}/s", f"{measured['area_um2'] / rate:,.0f} per G{unit}/s"
    else:
        speed = "", ""
    return (
        name(row),
        f"{measured['gate_equivalents']:,.1f}",
        f"{measured['area_um2']:,.0f}",
        f"{measured['sequential_share']:.1%}",
        f"{measured['flip_flops']:,}",
        f"{timing['period_ns']:.3f}",
        f"{timing['clock_mhz']:.1f}",
        f"{timing['start']} to {timing['end']}",
        *speed,
    )


def gating_cells(row):
    """Cells of the table of clock gating."""
    gated, ungated = (row["netlists"][variant]["gate_equivalents"] for variant in ("area", "ungated"))
    return name(row), f"{gated:,.1f}", f"{ungated:,.1f}", f"{1 - gated / ungated:.1%}"


def power_cells(row):
    """Cells of the table of power."""
    used = row["power"]
    energy = used["energy_per_cycle_pj"]
    numbers = (used[f"{kind}_mw"] for kind in ("total", "internal", "switching", "leakage"))
    return (
        name(row),
        f"{used['clock_mhz']:.1f}",
        *(f"{number:.3g}" for number in numbers),
        f"{used['sequential_share']:.1%}",
        f"{energy:,.1f}",
        f"{used['energy_per_operation_pj']:,.2f} per {row['throughput']['unit']}",
        f"{used['operands']}, {used['cycles']} cycles",
    )


def fpga_cells(row):
    """Rows of the table of FPGA resources."""
    for family, found in row.get("fpga", {}).items():
        yield name(row), family, *(f"{found[kind]:,}" for kind in ("luts", "flip_flops", "carries", "multipliers"))


def table(heads, rows):
    """A Markdown table; all columns but the first to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
