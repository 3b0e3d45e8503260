"""Gate-level simulation of a mapped netlist in Icarus Verilog: its results, and how often each of its nets switches."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from amaranth.lib.wiring import In

from golden.errors import InputError
from rtl.beats import Beats, stream_bytes
from rtl.streams import has_last, stream_width, streams
from synth.models import model
from synth.vcd import read_vcd

__all__ = ["simulate_streams", "simulate_ports"]

PERIOD = 200  # ns, long enough for every net to settle
LIMIT = 100  # cycles beyond the cycle model after which a run counts as hanging


BENCH = """`timescale 1ns/1ps
module bench;
  reg clk = 0, rst = 1;
  integer cycle = 0;
  always #{half} clk = ~clk;
{signals}
  {top} top({ports});
  initial begin
{loads}
    repeat (3) @(posedge clk);
    #2 rst = 0;
    $dumpfile("{folder}/activity.vcd");
    $dumpvars(1, top);
  end
{behaviour}
  always @(posedge clk) if (!rst) begin
    cycle <= cycle + 1;
    if ({done}) begin $dumpflush; $finish; end
    if (cycle > {limit}) begin $display("HANG"); $finish; end
  end
endmodule
"""

SOURCE = """
  reg [{width}:0] {role}_beats [0:{last}];
  reg [31:0] {role}_at = 0;
  wire {role}_ready;
  wire {role}_valid = !rst && {role}_at < {count};
  wire [{width}:0] {role}_payload = {role}_beats[{role}_at < {count} ? {role}_at : {last}];
  always @(posedge clk) if ({role}_valid && {role}_ready) {role}_at <= #2 {role}_at + 1;
"""
SINK = """
  wire [{width}:0] {role}_payload;
  wire {role}_valid;
  reg [31:0] {role}_got = 0;
  integer {role}_file;
  initial {role}_file = $fopen("{folder}/{role}.out");
  always @(posedge clk) if (!rst && {role}_valid) begin
    $fdisplay({role}_file, "%b", {role}_payload);
    {role}_got = {role}_got + 1;
  end
"""


def simulate_streams(mapped, library, component, engine, operands):
    """Run a core's netlist at full rate: (results, Activity).

    Raises
    ------
    InputError
        If there is no Icarus Verilog.
    RuntimeError
        If results are missing.
    """
    given = engine.pack(operands)
    expected = engine.beats(operands)
    signals, loads, ports, done = [], [], {"clk": "clk", "rst": "rst"}, []
    with tempfile.TemporaryDirectory() as folder:
        for role, flow in streams(component):
            bits = stream_width(component, role) + has_last(component, role)
            if flow == In:
                lines = payloads(given[role], stream_width(component, role), has_last(component, role))
                (Path(folder) / f"{role}.in").write_text("\n".join(lines) + "\n")
                signals.append(SOURCE.format(role=role, width=bits - 1, count=len(lines), last=len(lines) - 1))
                loads.append(f'    $readmemb("{folder}/{role}.in", {role}_beats);')
                ports[f"{role}__ready"] = f"{role}_ready"
            else:
                signals.append(SINK.format(role=role, width=bits - 1, folder=folder))
                ports[f"{role}__ready"] = "1'b1"
                done.append(f"{role}_got == {expected[role]}")
            ports |= {f"{role}__valid": f"{role}_valid", f"{role}__payload": f"{role}_payload"}
        text = BENCH.format(
            half=PERIOD // 2,
            signals="".join(signals),
            top=mapped.top,
            ports=connect(mapped, ports),
            loads="\n".join(loads),
            folder=folder,
            behaviour="",
            done=" && ".join(done),
            limit=engine.cycles(operands) + LIMIT,
        )
        output = run(folder, text, mapped, library)
        if "HANG" in output:
            raise RuntimeError(f"the netlist of {mapped.top} does not deliver its results")
        beats = {}
        for role, flow in streams(component):
            if flow != In:
                lines = (Path(folder) / f"{role}.out").read_text().split()
                beats[role] = beats_of(lines, stream_width(component, role), has_last(component, role))
        return engine.unpack(operands, beats), read_vcd(Path(folder) / "activity.vcd", PERIOD)


def simulate_ports(mapped, library, values):
    """Run a part's netlist with `values` {input port: integers, one a cycle}: its Activity."""
    cycles = len(next(iter(values.values())))
    widths = {name: len(bits) for name, bits in grouped(mapped).items()}
    signals, loads, behaviour, ports = [], [], [], {"clk": "clk", "rst": "rst"}
    with tempfile.TemporaryDirectory() as folder:
        for name, numbers in values.items():
            width = widths[name]
            lines = "\n".join(f"{int(number) & ((1 << width) - 1):0{width}b}" for number in numbers)
            (Path(folder) / f"{name}.in").write_text(lines + "\n")
            signals.append(f"  reg [{width - 1}:0] {name}_values [0:{cycles - 1}], {name}_now = 0;\n")
            loads.append(f'    $readmemb("{folder}/{name}.in", {name}_values);')
            behaviour.append(f"  always @(posedge clk) if (!rst) {name}_now <= #2 {name}_values[cycle];\n")
            ports[name] = f"{name}_now"
        text = BENCH.format(
            half=PERIOD // 2,
            signals="".join(signals),
            top=mapped.top,
            ports=connect(mapped, ports),
            loads="\n".join(loads),
            folder=folder,
            behaviour="".join(behaviour),
            done=f"cycle == {cycles - 1}",
            limit=cycles + 1,
        )
        run(folder, text, mapped, library)
        return read_vcd(Path(folder) / "activity.vcd", PERIOD)


def run(folder, bench, mapped, library):
    """Compile and run `bench` with the netlist in `folder`; what it prints."""
    if shutil.which("iverilog") is None:
        raise InputError("no Icarus Verilog: install Debian's iverilog (apt-get install iverilog)")
    cells = "".join(model(library.cells[name]) for name in mapped.cells)
    files = {"bench.v": bench, "cells.v": f"`timescale 1ns/1ps\n{cells}"}
    for name, text in files.items():
        (Path(folder) / name).write_text(text)
    program = f"{folder}/bench.vvp"
    sources = [f"{folder}/{name}" for name in files]
    subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", program, *sources, str(mapped.verilog)], check=True)
    return subprocess.run(["vvp", "-n", program], capture_output=True, text=True, check=True).stdout


def grouped(mapped):
    """The bits of each port of a netlist whose ports are split: {name: [(bit's port name, index)]}."""
    ports = {}
    for name in mapped.netlist["ports"]:
        base, _, index = name.partition("[")
        ports.setdefault(base, []).append((name, int(index.rstrip("]")) if index else None))
    return ports


def connect(mapped, signals):
    """Verilog port connections of the split ports of `mapped` to bits of `signals` {port: signal}."""
    parts = []
    for base, bits in grouped(mapped).items():
        if base in signals:
            for name, index in bits:
                parts.append(f".\\{name} ({signals[base]}{'' if index is None else f'[{index}]'})")
    return ",\n    ".join(parts)


def payloads(beats, width, last):
    """The bits of each beat's payload as text, `last` on top."""
    bits = np.unpackbits(beats.data, axis=1, bitorder="little", count=width)[:, ::-1]
    lines = ["".join(map(str, row)) for row in bits.tolist()]
    return [f"{int(end)}{line}" for end, line in zip(beats.last, lines, strict=True)] if last else lines


def beats_of(lines, width, last):
    """`payloads` back to `Beats`."""
    bits = np.array([[bit == "1" for bit in line[::-1]] for line in lines], np.uint8)
    data = np.packbits(bits[:, :width], axis=1, bitorder="little")
    assert data.shape[1] == stream_bytes(width)
    return Beats(data, bits[:, width].astype(bool) if last else np.ones(len(lines), bool))
