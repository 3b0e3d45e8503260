"""From Verilog to a netlist of library cells: one fixed script for every design."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

__all__ = ["Mapped", "map_design", "keep_repeated", "yosys", "VARIANTS", "cached", "fill"]

BUILD = Path("build/synth")
SOURCE = Path(__file__).read_text()

# A module that is placed more than once is mapped once and keeps its boundary until all is mapped. `area` is the
# default script with enables as clock gates, one an enable; `speed` has its nets buffered and its gates sized too;
# `ungated` is `area` with enables as multiplexers.
FRONT = """
synth -flatten
dfflegalize -cell $_DFFE_PP_ x -cell $_DFF_P_ x
opt_clean
design -save generic
"""
GATE = """
read_verilog -lib {box}
clockgate -pos narrowgate_icg en:clk:gclk -min_net_size {smallest}
"""
JOIN = """
opt_merge -share_all t:narrowgate_icg
techmap -map {gate}
"""
BACK = """
dfflibmap -liberty {library}
abc -liberty {library} {mapping}
setattr -mod -unset keep_hierarchy *
flatten
opt_clean -purge
{join}
splitnets -ports
opt_clean -purge
rename -enumerate
write_json {out}.json
write_verilog -noattr -noexpr {out}.v
"""
SMALLEST_GATED = 4  # below, multiplexers are smaller than a clock gate
LOAD = 50.0  # fF at an output, for buffering
TARGET_DELAY = 1000  # ps: less than any path here, so that every path is made as fast as buffers and sizes can

VARIANTS = ("area", "speed", "ungated")

RUNNER = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    if line:
        libyosys.run_pass(f"tee -q -o {sys.argv[1]} {line}", design)
"""


@dataclass(frozen=True)
class Mapped:
    """A netlist of library cells.

    Attributes
    ----------
    top : str
    verilog : Path
        The netlist, flat, its ports split into bits.
    cells : dict
        How many of each cell.
    netlist : dict
        The same netlist as Yosys writes it to JSON: the module `top`.
    """

    top: str
    verilog: Path
    cells: dict
    netlist: dict

    @classmethod
    def read(cls, top, path):
        """The netlist in files `path` with suffixes .v and .json."""
        netlist = json.loads(path.with_suffix(".json").read_text())["modules"][top]
        cells = {}
        for cell in netlist["cells"].values():
            cells[cell["type"]] = cells.get(cell["type"], 0) + 1
        return cls(top, path.with_suffix(".v"), dict(sorted(cells.items())), netlist)


def yosys(script):
    """Run the lines of `script` as Yosys passes.

    Raises
    ------
    RuntimeError
        With Yosys' message, if a pass fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"  # of the last pass
        command = [sys.executable, "-c", RUNNER, str(log)]
        run = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        if run.returncode:
            errors = re.findall(r"^ERROR: (.*)", log.read_text() if log.exists() else "", re.M)
            raise RuntimeError(f"Yosys failed: {errors[-1] if errors else run.stderr[-500:]}")


def keep_repeated(path, verilog, top):
    """Passes that read `verilog` from file `path` and keep the modules in it that are placed more than once."""
    modules = re.findall(r"^module (\w+)", verilog, re.M)
    kept = [name for name in modules if len(re.findall(rf"^\s+{name}\s+\w+ \(", verilog, re.M)) > 1]
    lines = [f"read_verilog {path}", f"hierarchy -check -top {top}"]
    return "\n".join((*lines, *(f"setattr -mod -set keep_hierarchy 1 {name}" for name in kept)))


def cached(*key):
    """The folder under build/ for what is made of `key`, and whether it is there already."""
    text = json.dumps([*key, metadata.version("pyosys")], sort_keys=True, default=str)
    folder = BUILD / "cache" / hashlib.sha256(text.encode()).hexdigest()[:24]
    return folder, folder.exists()


def fill(folder, make):
    """Have `make(temporary folder)` make the contents of `folder`, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        make(work)
        os.replace(work, folder)
    except OSError:
        if not folder.exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def map_design(verilog, top, library, variants=VARIANTS):
    """Map module `top` of `verilog` onto `library`: {variant: Mapped}.

    Results are kept under build/, by the hash of all that goes in: what the library is asked for, and this file too.
    """
    asked = (library.hash, library.clock_gate, library.inverter.name, list(library.cells))
    folder, done = cached("map", verilog, top, asked, SOURCE, variants)
    if not done:
        fill(folder, lambda work: make(work, verilog, top, library, variants))
    return {variant: Mapped.read(top, folder / variant) for variant in variants}


def make(work, verilog, top, library, variants):
    """Map `verilog` in folder `work`."""
    (work / "design.v").write_text(verilog)
    (work / "gate.v").write_text(library.clock_gate or "")
    (work / "box.v").write_text("module narrowgate_icg(input en, input clk, output gclk);\nendmodule\n")
    (work / "drive").write_text(f"set_driving_cell {library.inverter.name}\nset_load {LOAD} [all_outputs]\n")
    script = keep_repeated(work / "design.v", verilog, top) + FRONT
    for variant in variants:
        script += "design -load generic\n"
        gated = variant != "ungated" and library.clock_gate is not None
        if gated:
            script += GATE.format(smallest=SMALLEST_GATED, box=work / "box.v")
        join = JOIN.format(gate=work / "gate.v") if gated else ""
        trees = " ".join(f"-dont_use {name}" for name in library.cells if "CLK" in name)  # not for data
        speed = f"-constr {work / 'drive'} -D {TARGET_DELAY} {trees}"
        mapping = speed if variant == "speed" else ""
        script += BACK.format(library=library.path, mapping=mapping, join=join, out=work / variant)
    yosys(script)
