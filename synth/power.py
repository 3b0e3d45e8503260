"""Power of a netlist from how often its nets really switched, from OpenSTA."""

import re
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from synth.timing import CLOCKS, setup, sta

__all__ = ["Power", "power"]

WATTS = r"\s+".join([r"([-\d.e+]+)"] * 4)  # internal, switching, leakage, total


@dataclass(frozen=True)
class Power:
    """Power at one clock.

    Attributes
    ----------
    clock_mhz : float
    total_mw, internal_mw, switching_mw, leakage_mw : float
        Inside cells (clock pins included), in the nets between them, and at rest.
    sequential_share : float
        Part of the total in registers and latches.
    energy_per_cycle_pj : float
    """

    clock_mhz: float
    total_mw: float
    internal_mw: float
    switching_mw: float
    leakage_mw: float
    sequential_share: float

    @property
    def energy_per_cycle_pj(self):
        return self.total_mw / self.clock_mhz * 1000

    def row(self):
        """As a dictionary for JSON."""
        return asdict(self) | {"energy_per_cycle_pj": self.energy_per_cycle_pj}


def power(mapped, library, activity, period_ns):
    """The `Power` of `mapped` with its nets' `activity`, at a clock of `period_ns`.

    OpenSTA 2.0.17 reads no simulation's dump, so that the activity is set pin by pin. What it propagates from input
    ports would replace that: every input therefore comes from a register outside, whose power is not counted.

    Raises
    ------
    RuntimeError
        If a net's activity is not known: it would cost nothing.
    """
    known = by_bit(mapped, activity)
    inputs = [
        (name, port["bits"][0])
        for name, port in mapped.netlist["ports"].items()
        if port["direction"] == "input" and name not in CLOCKS
    ]
    lines = []
    for number, (_, bit) in enumerate(inputs):
        for pin in (library.register.state.attributes["next_state"], *library.register.outputs):
            lines.append(annotate(f"in_{number}/{pin}", switched(known, bit, f"{mapped.top} in_{number}/{pin}")))
    for name, cell in mapped.netlist["cells"].items():
        for pin, [bit] in cell["connections"].items():
            lines.append(annotate(f"core/{name}/{pin}", switched(known, bit, f"{mapped.top} {name}/{pin}")))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wrapped.v"
        path.write_text(mapped.verilog.read_text() + wrapper(mapped, inputs, library))
        commands = Path(folder) / "activity.tcl"
        commands.write_text("\n".join(lines) + "\n")
        ports = {clock_of(mapped): {"direction": "input"}} | mapped.netlist["ports"]
        around = replace(mapped, top="narrowgate_power", verilog=path, netlist=mapped.netlist | {"ports": ports})
        script = setup(around, library, inside="core/") + SCRIPT.format(period=period_ns, activity=commands)
        text = sta(script + "\n".join(f"report_power -digits 9 -instances in_{n}" for n in range(len(inputs))))
    groups = {name: watts(re.search(rf"^{name}\s+{WATTS}", text, re.M).groups()) for name in ("Sequential", "Total")}
    outside = [watts(row) for row in re.findall(rf"^\s*{WATTS} in_\d+", text, re.M)]
    if len(outside) != len(inputs):
        raise RuntimeError(f"OpenSTA reports the power of {len(outside)} registers, not {len(inputs)}")
    borrowed = [sum(column) for column in zip(*outside, strict=True)] or [0.0] * 4
    internal, switching, leakage, total = (1000 * (a - b) for a, b in zip(groups["Total"], borrowed, strict=True))
    sequential = 1000 * (groups["Sequential"][3] - borrowed[3])
    return Power(1000 / period_ns, total, internal, switching, leakage, sequential / total if total else 0.0)


CONSTANTS = {"0": (0.0, 0.0), "1": (0.0, 1.0)}
SCRIPT = """
constrain {period}
source {activity}
report_power -digits 9
"""


def watts(texts):
    """Numbers of a row of OpenSTA's report."""
    return [float(text) for text in texts]


def annotate(pin, pair):
    return f"sta::set_power_pin_activity [get_pins {{{pin}}}] {pair[0]:.6g} {pair[1]:.6g}"


def switched(known, bit, pin):
    """Activity of `bit` at `pin`: a net's, or a constant's, which has no number."""
    if isinstance(bit, str):
        return CONSTANTS.get(bit, (0.0, 0.0))
    if bit not in known:
        raise RuntimeError(f"the simulation does not say how often the net at {pin} switches")
    return known[bit]


def by_bit(mapped, activity):
    """Activity of each net of the JSON netlist: {bit: pair}."""
    known = {}
    for name, net in mapped.netlist["netnames"].items():
        [bit] = net["bits"]
        if name in activity.nets and bit not in known:
            known[bit] = activity.nets[name]
    return known


def clock_of(mapped):
    """The clock of a netlist, or for one without registers that of those around it."""
    return next((name for name in CLOCKS if name in mapped.netlist["ports"]), CLOCKS[-1])


def wrapper(mapped, inputs, library):
    """Verilog of a module around the netlist, with a register before each of its inputs."""
    register = library.register
    state = register.state.attributes
    outer = {name: f"port_{number}" for number, name in enumerate(mapped.netlist["ports"])}
    clock = clock_of(mapped)
    outer |= {name: name for name in CLOCKS if name in outer}
    inner = outer | {name: f"held_{number}" for number, (name, _) in enumerate(inputs)}
    lines = [f"module narrowgate_power({', '.join(dict.fromkeys((clock, *outer.values())))});", f"  input {clock};"]
    lines += [f"  {port['direction']} {outer[name]};" for name, port in mapped.netlist["ports"].items() if name != clock]
    for number, (name, _) in enumerate(inputs):
        pins = {state["clocked_on"]: clock, state["next_state"]: outer[name], next(iter(register.outputs)): inner[name]}
        lines += [f"  wire {inner[name]};", f"  {register.name} in_{number}({connections(pins)});"]
    pins = connections({f"\\{name} ": net for name, net in inner.items()})
    return "\n".join((*lines, f"  {mapped.top} core({pins});", "endmodule", ""))


def connections(pins):
    return ", ".join(f".{pin}({net})" for pin, net in pins.items())
