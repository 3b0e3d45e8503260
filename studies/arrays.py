"""What the systolic array costs by the kind of its numbers, under real activations: a page of Markdown and its JSON."""

import json
from pathlib import Path

import numpy as np

from golden.conv import lower, lower_weights
from golden.errors import InputError, replacing
from golden.window import Window
from quant.accuracy import commit
from quant.cache import trained
from quant.data import mnist
from quant.recipes import recipe
from rtl.float_unit import OPERATIONS
from rtl.targets import target
from studies.layers import quantise
from studies.lenets import LeNet
from synth.flow import map_design
from synth.library import find
from synth.measure import area, measured_power, views
from synth.timing import clock

__all__ = ["ARRAYS", "UNITS", "arrays", "layer_operands", "markdown", "units", "write"]

ARRAYS = ("ternary_gemm", "int8_gemm", "fp16_gemm", "fp32_gemm")  # what the others are compared with comes first
UNITS = [(operation, name) for name in ("fp16", "fp32") for operation in OPERATIONS]
SIZE, SMALL = 8, 2  # of the array that is compared; of the one that is simulated, gate by gate
NETLISTS = {"area": "small", "speed": "fast"}  # variant of `synth.flow` → its name on the page
STEPS, ROWS, COLS = 32, 4, 4  # of the matrices that are simulated


def units(library, chosen=UNITS):
    """JSON values of single units without registers, as (operation, format)."""
    found = []
    for operation, name in chosen:
        row = target(f"float_{operation}")
        [view] = [view for view in views(row, row.engine(format=name)) if view.name == "unit"]
        mapped = map_design(view.verilog, view.module, library, ("area",))["area"]
        figures = area(mapped, library)["gate_equivalents"], clock(mapped, library).row()["period_ns"]
        found.append({"operation": operation, "format": name} | dict(zip(("gate_equivalents", "delay_ns"), figures)))
        print(f"{operation} {name}: {figures[0]:,.0f} GE, {figures[1]:.2f} ns", flush=True)
    return found


def layer_operands(dataset, build):
    """Reals: the inputs of LeNet's second convolution, window by window [M, K], and its weights [K, N]."""
    network = LeNet(trained(recipe("lenet"), dataset, build=build).model, dataset.held_out.images)
    layer = network.layers[1]
    window = Window(kernel=layer.weights.shape[2:], stride=layer.stride, padding=layer.padding[0])
    return lower(window, layer.inputs[0][None]), lower_weights(layer.weights)


def operands_of(engine, a, w):
    """Reals as operands of an engine: rounded to its floats, to integers of its widths, or weights to three values.

    Weights beyond 0.7 of their mean magnitude are ternary +-1, the others 0 (Li, Zhang and Liu, Ternary Weight Networks).
    """
    if engine.coded:
        return {"a": engine.a.encode(a), "w": engine.w.encode(w)}
    if engine.w.name == "ternary":
        numbers = (np.sign(w) * (np.abs(w) > 0.7 * np.abs(w).mean())).astype(np.int64)
    else:
        numbers = quantise(w, engine.w.width, signed=True)
    return {"a": quantise(a, engine.a.width, signed=False), "w": numbers}


def core(name, size):
    """An array without AXI ports: the view that is measured."""
    row = target(name)
    return next(view for view in views(row, row.engine(rows=size, cols=size)) if view.name == "core")


def arrays(library, a, w, names=ARRAYS, size=SIZE, small=SMALL):
    """JSON values of the arrays `names`, a row for each of their `NETLISTS`.

    Area and clock are those of the array of `size`, energy that of the one of `small`, at that clock.

    Parameters
    ----------
    a, w : float arrays [M, K] and [K, N]
        What the small array multiplies, as numbers of its own.

    Raises
    ------
    InputError
        If a netlist does not compute what golden defines.
    """
    found = []
    for name in names:
        large, view = core(name, size), core(name, small)
        whole, simulated = (map_design(of.verilog, of.module, library, tuple(NETLISTS)) for of in (large, view))
        operands = view.engine.check(operands_of(view.engine, a, w))
        for netlist in NETLISTS:
            figures = area(whole[netlist], library)
            if figures["flip_flops"] != large.flip_flops:
                raise InputError(f"{name}: {figures['flip_flops']} flip-flops, the engine states {large.flip_flops}")
            period = clock(whole[netlist], library).row()["period_ns"]
            power = measured_power(view, simulated[netlist], library, period, operands)
            found.append(
                {
                    "target": name,
                    "netlist": netlist,
                    "gate_equivalents": figures["gate_equivalents"],
                    "sequential_share": figures["sequential_share"],
                    "period_ns": period,
                    "energy_pj": power["energy_per_operation_pj"],
                    "transitions": power["transitions_per_net_and_cycle"],
                    "steps": power["cycles"],
                }
            )
            gates, energy = found[-1]["gate_equivalents"], found[-1]["energy_pj"]
            print(f"{name}, {NETLISTS[netlist]}: {gates:,.0f} GE, {period:.2f} ns, {energy:.1f} pJ", flush=True)
    return found


def comparison(found):
    """The rows of `arrays` against the first with the same netlist: area, area of as many products a second, energy."""
    base = {row["netlist"]: row for row in reversed(found)}
    rows = []
    for row in found:
        by_area, slower, by_energy = (
            row[key] / base[row["netlist"]][key] for key in ("gate_equivalents", "period_ns", "energy_pj")
        )
        rows.append([by_area, by_area * slower, by_energy])
    return rows


def markdown(found):
    """The page, from its JSON values alone."""
    rows = found["arrays"]
    lines = [
        "# Arrays of integers and of floating point",
        "",
        f"Made by `make arrays` at commit {found['commit']}, in OSU 0.18 um ([how it is measured](synthesis.md)). [The arrays]"
        "(systolic.md); [the floating-point units](float.md).",
        "",
        f"| target, {SIZE} x {SIZE} | netlist | GE | registers | period, ns | million products a second and PE "
        "| pJ a product |",
        "|---|---|" + "---:|" * 5,
    ]
    for row in rows:
        cells = [f"`{row['target']}`", NETLISTS[row["netlist"]], f"{row['gate_equivalents']:,.0f}"]
        cells += [f"{row['sequential_share']:.0%}", f"{row['period_ns']:.2f}"]
        cells += [f"{1000 / row['period_ns']:.0f}", f"{row['energy_pj']:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    base = rows[0]["target"]
    lines += [
        "",
        f"| over `{base}` | netlist | area, equal function | area, equal products a second | power, equal clock |",
        "|---|---|" + "---:|" * 3,
    ]
    for row, ratios in zip(rows, comparison(rows), strict=True):
        if row["target"] != base:
            cells = [f"`{row['target']}`", NETLISTS[row["netlist"]], *(f"{ratio:.1f}" for ratio in ratios)]
            lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Published for FP32 over ternary (Mishra and Marr): 15 times the area, 12 times the power. Every array does a product a "
        "cycle in each PE and adds it in that cycle, at a clock of its own; none interleaves tiles. The *fast* netlist has "
        "buffers and sized gates, the *small* one has not; a row is of one netlist throughout, and compared with the same "
        "one of the other array. At equal clock, that of the slowest, all are fast enough, and power goes with energy a "
        "product.",
        "",
        f"Area and clock are those of the {SIZE} x {SIZE} array; energy is that of one of {SMALL} x {SMALL}, gate by gate, "
        f"multiplying {ROWS} windows of LeNet's second convolution by {COLS} filters, {STEPS} products a sum from all its channels: the "
        "same reals rounded to the numbers of each array, activations after ReLU and pooling.",
        "",
        "| unit, no registers | format | GE | delay, ns |",
        "|---|---|---:|---:|",
    ]
    for row in found["units"]:
        lines.append(f"| {row['operation']} | `{row['format']}` | {row['gate_equivalents']:,.0f} | {row['delay_ns']:.2f} |")
    lines += [
        "",
        "Fused multiply-adders by the full rules of IEEE 754 made by others take 9,289 GE (FP32) and 3,051 GE (FP16) in the same "
        "flow, unpipelined.",
    ]
    return "\n".join(lines) + "\n"


def write(build, folder):
    """Measure all, write ``arrays.json`` and ``arrays.md`` to `folder`; the path of the page."""
    library = find()
    a, w = layer_operands(mnist(), build)
    middle, spread = len(a) // 2, slice(None, STEPS * (len(w) // STEPS), len(w) // STEPS)  # over all input channels
    chosen = a[middle : middle + ROWS, spread], w[spread, :COLS]
    found = {"commit": commit(), "units": units(library), "arrays": arrays(library, *chosen)}
    folder = Path(folder)
    for name, text in (("arrays.json", json.dumps(found, indent=1) + "\n"), ("arrays.md", markdown(found))):
        with replacing(folder / name) as temporary:
            temporary.write_text(text)
    return folder / "arrays.md"
