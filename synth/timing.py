"""The clock that a netlist can run at, from OpenSTA."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from golden.errors import InputError

__all__ = ["Timing", "clock", "sta", "CLOCKS"]

CLOCKS = ("aclk", "clk")
SLEW = 0.1  # ns, 20 % to 80 %: a clock edge of a usual tree in this technology

# Every input comes with the clock edge and every output has the whole period, loaded with one input of a register. The
# clock is ideal, as before its tree is built: no skew, and the same edge at every register, behind a clock gate too.
# The period is searched, not read off one path, because a clock gate's latch may borrow time: its slack is no straight
# line over the period.
SETUP = """
read_liberty {library}
read_verilog {verilog}
link_design {top}
set clock [get_ports -quiet {clock}]
set inputs [list]
foreach port [all_inputs] {{
  if {{[get_property $port full_name] != "{clock}"}} {{ lappend inputs $port }}
}}
set_load {load} [all_outputs]
if {{[llength {{{gated}}}]}} {{ set_assigned_transition {slew} [get_pins {{{gated}}}] }}
proc constrain {{period}} {{
  global clock inputs
  if {{[llength $clock] == 0}} {{
    create_clock -name clock -period $period
  }} else {{
    create_clock -name clock -period $period $clock
    set_clock_transition {slew} [get_clocks clock]
  }}
  set_input_delay 0 -clock clock $inputs
  set_output_delay 0 -clock clock [all_outputs]
}}
"""
SEARCH = """
proc slack {period} {
  constrain $period
  return [sta::worst_slack_cmd max]
}
set high 1.0
while {[slack $high] < 0} { set high [expr {$high * 2}] }
set low 0.0
while {$high - $low > 0.004} {
  set middle [expr {($low + $high) / 2}]
  if {[slack $middle] < 0} { set low $middle } else { set high $middle }
}
constrain [expr {$high - 0.01}]
puts "PERIOD $high"
puts "PATH"
report_checks -path_delay max
puts "END"
constrain $high
check_setup -verbose -no_clock -no_input_delay -no_output_delay -unconstrained_endpoints -loops
puts "CHECKED"
"""


@dataclass(frozen=True)
class Timing:
    """What OpenSTA says about the clock.

    Attributes
    ----------
    period_ns : float
        The shortest period that meets every check.
    start, end : str
        Kinds of the ends of the path that sets it: ``input``, ``register``, ``clock gate``, ``output``.
    cells : list of str
        The cells along it.
    """

    period_ns: float
    start: str
    end: str
    cells: list

    @property
    def mhz(self):
        return 1000 / self.period_ns

    def row(self):
        """As a dictionary for JSON."""
        return asdict(self) | {"clock_mhz": self.mhz}


def sta(script):
    """What OpenSTA prints for a Tcl `script`.

    Raises
    ------
    InputError
        If there is no OpenSTA.
    RuntimeError
        With its message, if the script fails.
    """
    program = shutil.which("sta")
    if program is None:
        raise InputError("no OpenSTA: install Debian's opensta (apt-get install opensta), its command is sta")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.tcl"
        path.write_text(script + "\nputs FINISHED\nexit\n")
        run = subprocess.run([program, "-no_splash", "-exit", str(path)], capture_output=True, text=True, check=False)
    errors = re.findall(r"^Error: .*", run.stdout + run.stderr, re.M)  # after which it goes on
    if errors or "FINISHED" not in run.stdout:
        raise RuntimeError(f"OpenSTA failed: {errors[0] if errors else (run.stdout + run.stderr)[-500:]}")
    return run.stdout


def setup(mapped, library, inside=""):
    """Tcl that reads `mapped` and has a procedure ``constrain period``; pins have the path `inside` before them."""
    ports = mapped.netlist["ports"]
    name = next((name for name in CLOCKS if name in ports), "no_clock")
    register = library.register
    load = register.loads[register.state.attributes["next_state"]]
    gated = " ".join(inside + pin for pin in gated_pins(mapped, library))
    return SETUP.format(
        library=library.path, verilog=mapped.verilog, top=mapped.top, clock=name, load=load, slew=SLEW, gated=gated
    )


def gated_pins(mapped, library):
    """Pins of the clock nets behind clock gates: their drivers and the clock pins of registers."""
    cells = mapped.netlist["cells"].items()
    sinks = {}
    for name, cell in cells:
        kind = library.cells[cell["type"]]
        if kind.kind == "ff":
            clock = kind.state.attributes["clocked_on"].strip("(!)' ")
            sinks.setdefault(cell["connections"][clock][0], []).append(f"{name}/{clock}")
    pins = []
    for name, cell in cells:
        for pin in library.cells[cell["type"]].outputs:
            [bit] = cell["connections"].get(pin, [None])
            if bit in sinks:
                pins += [f"{name}/{pin}", *sinks[bit]]
    return pins


def clock(mapped, library):
    """The `Timing` of netlist `mapped`.

    Raises
    ------
    RuntimeError
        If a register or an output is not constrained: its path would go unseen.
    """
    text = sta(setup(mapped, library) + SEARCH)
    period = float(re.search(r"^PERIOD (\S+)", text, re.M)[1])
    path = re.search(r"^PATH\n(.*)^END\n(.*)^CHECKED", text, re.M | re.S)
    if left := unconstrained(path[2], mapped):
        raise RuntimeError(f"OpenSTA leaves paths of {mapped.top} out: {left}")
    worst = worst_path(path[1])
    start, end = re.search(r"^Startpoint: (.*?)^Endpoint: (.*?)^Path Group", worst, re.M | re.S).groups()
    cells = re.findall(r"^\s+[-\d.]+\s+[-\d.]+ [v^] \S+ \((\w+)\)$", worst.partition("data arrival")[0], re.M)
    cells = [cell for cell in cells if cell not in ("in", "out")]
    return Timing(round(period, 3), end_kind(start), end_kind(end), cells[start.count("edge-triggered") :])


def unconstrained(text, mapped):
    """What OpenSTA complains of in `text`, "" if only of outputs that are constant and so have no path."""
    ports = mapped.netlist["ports"].items()
    tied = {name for name, port in ports if port["direction"] == "output" and not isinstance(port["bits"][0], int)}
    count, *rest = text.strip().splitlines() or [""]
    endpoints = re.fullmatch(r"Warning: There (?:is|are) \d+ unconstrained endpoints?\.", count)
    return "" if endpoints and {line.strip() for line in rest} <= tied else count


def worst_path(text):
    """Of the paths that OpenSTA reports, one a group, the one with the least slack."""
    paths = re.split(r"(?=^Startpoint: )", text, flags=re.M)[1:]
    return min(paths, key=lambda path: float(re.search(r"(-?[\d.]+)\s+slack", path)[1]))


def end_kind(text):
    """What OpenSTA's description of a path's end stands for."""
    kinds = {"input port": "input", "output port": "output", "latch": "clock gate", "gating": "clock gate"}
    return next((kind for word, kind in kinds.items() if word in text), "register")
