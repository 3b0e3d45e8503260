"""Hardware as functions: what a unit says to many inputs, and what linters say to Verilog."""

import os
import re
import subprocess
from functools import cache

import numpy as np
from amaranth import Cat, Module, Signal
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from rtl.beats import Beats, pack_fields, unpack_fields
from tb.simulators import required, required_module

__all__ = ["evaluate", "clocked", "elaborated", "played", "array", "complaints", "flip_flops"]

COPIES = 8  # of a unit in one simulation: faster than one input after the other, until compiling them takes longer


def evaluate(unit, widths, cases):
    """The codes that a combinational unit yields.

    Parameters
    ----------
    unit : callable
        ``unit(m, *values)`` -> Value; called once a copy.
    widths : sequence of int
        Bits of each input.
    cases : iterable of tuples of codes
        Unsigned or two's complement.

    Returns
    -------
    list of int
        Unsigned.
    """
    words = [0] * len(cases := list(cases))
    for i, case in enumerate(cases):
        for code, width in zip(reversed(case), reversed(widths), strict=True):
            words[i] = words[i] << width | int(code) & ((1 << width) - 1)
    m = Module()
    copies, size = min(COPIES, len(cases)), sum(widths)
    inputs = Signal(copies * size)
    values = []
    for copy in range(copies):
        starts = [copy * size + sum(widths[:i]) for i in range(len(widths))]
        values.append(unit(m, *(inputs[start : start + width] for start, width in zip(starts, widths, strict=True))))
    output = Signal(sum(map(len, values)))
    m.d.comb += output.eq(Cat(values))
    length = len(values[0])
    results = []

    async def bench(ctx):
        for start in range(0, len(words), copies):
            batch = words[start : start + copies]
            ctx.set(inputs, sum(word << (i * size) for i, word in enumerate(batch)))  # one change for all copies
            together = ctx.get(output)
            results.extend(together >> (i * length) & ((1 << length) - 1) for i in range(len(batch)))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return results


def clocked(component, bench):
    """Simulate `component` in the clock domain ``sync`` until the coroutine function `bench` of a context ends."""
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def elaborated(component):
    """`component`, which Amaranth would otherwise complain that nobody used."""
    Fragment.get(component, None)
    return component


def array(engine, beats):
    """A systolic array in NumPy: the beats of y for those of a and w."""
    [a] = unpack_fields(beats["a"].data, engine.rows, engine.a.width)
    [w] = unpack_fields(beats["w"].data, engine.cols, engine.w.width)
    assert np.array_equal(beats["a"].last, beats["w"].last) and beats["a"].last[-1]
    ends = np.flatnonzero(beats["a"].last)
    a, w = (np.split(integers, ends[:-1] + 1) for integers in (engine.a.integers(a), engine.w.integers(w)))
    sums = np.concatenate([x.T @ y for x, y in zip(a, w, strict=True)])
    last = np.arange(1, len(sums) + 1) % engine.rows == 0
    return {"y": Beats(pack_fields((sums, engine.acc_width)), last)}


def complaints(verilog, name, folder):
    """What Verilator's linter with every warning and Icarus with every warning say of module `name`: '' if nothing."""
    path = folder / f"{name}.v"
    path.write_text(verilog)
    root = required_module("verilator", "verilator")
    lint = [root / "bin" / "verilator_bin", "--lint-only", "-Wall", path.name]
    icarus = [required("iverilog", "iverilog"), "-Wall", "-s", name, "-o", os.devnull, path.name]
    said = ""
    for command in (lint, icarus):
        environment = os.environ | {"VERILATOR_ROOT": str(root)}
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if run.returncode or "warning" in (run.stdout + run.stderr).lower():
            said += f"{run.stdout}{run.stderr}exit status {run.returncode}\n"
    return said


def flip_flops(verilog, name):
    """One-bit registers of module `name`, with those of all modules below it."""
    modules = dict(re.findall(r"^module (\w+)\((.*?)^endmodule$", verilog, re.M | re.S))
    assert not re.search(r"always @\s*(\*|\(\*\))", verilog), "a reg that is not clocked"

    @cache
    def count(module):
        own = sum(int(high or 0) + 1 for high in re.findall(r"^  reg (?:\[(\d+):0\] )?\S+ *;$", modules[module], re.M))
        return own + sum(count(below) for below in re.findall(r"^  (\w+) \w+ \($", modules[module], re.M))

    return count(name)


def played(element, a, w, first):
    """The outputs of a processing element in each cycle, inputs applied before it: (a_next, w_next, first_next, leaving_n or total)."""
    seen = []

    async def bench(ctx):
        for values in zip(a.tolist(), w.tolist(), first.tolist(), strict=True):
            for port, value in zip((element.a, element.w, element.first), values, strict=True):
                ctx.set(port, value)
            await ctx.tick()
            out = element.leaving_n if element.exit else element.total
            seen.append([ctx.get(port) for port in (element.a_next, element.w_next, element.first_next, out)])

    clocked(element, bench)
    return np.array(seen)
