"""The cell library: found once, its cells by what they do rather than by what they are called."""

import functools
import hashlib
import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path

from golden.errors import InputError
from synth import liberty
from synth.functions import to_verilog

__all__ = ["Cell", "Library", "find", "VARIABLE", "DEBIAN"]

VARIABLE = "LIBERTY"
DEBIAN = "qflow-tech-osu018"
DEFAULT = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")

NAND2, AND2, NOT = (0b0111, 2), (0b1000, 2), (0b01, 1)  # truth table (bit i: value at input pattern i), inputs


def find():
    """The library that the variable `LIBERTY` names, or Debian's OSU 0.18 µm.

    Raises
    ------
    InputError
        If there is none, or it cannot be read.
    """
    path = os.environ.get(VARIABLE)
    if not path and not DEFAULT.exists():
        advice = f"install Debian's {DEBIAN} (apt-get install {DEBIAN}) or set {VARIABLE}=path to a .lib"
        raise InputError(f"no cell library: {advice}")
    library = Library.read(Path(path) if path else DEFAULT)
    library.check()
    return library


@dataclass(frozen=True)
class Cell:
    """A cell of the library.

    Attributes
    ----------
    area : float
        In the library's unit, µm² here.
    inputs : tuple of str
    loads : dict
        Capacitance of each input pin, in pF.
    outputs : dict
        Liberty function of each output pin.
    state : liberty.Group or None
        Its ``ff`` or ``latch`` group.
    delay : float
        A typical delay in ns: the mean over the middle of its delay tables.
    gate : bool
        Whether it is an integrated clock gate.
    """

    name: str
    area: float
    inputs: tuple
    loads: dict
    outputs: dict
    state: object
    delay: float
    gate: bool

    @property
    def kind(self):
        """``ff``, ``latch`` or ``logic``."""
        return "logic" if self.state is None else self.state.kind

    @functools.cached_property
    def table(self):
        """Truth table and number of inputs of a cell with one output and no state, else None."""
        if self.state is not None or len(self.outputs) != 1 or not 1 <= len(self.inputs) <= 4:
            return None
        [function] = self.outputs.values()
        code = to_verilog(function).replace("1'b", "").replace("~", "1^")
        bits = 0
        for index, values in enumerate(itertools.product((0, 1), repeat=len(self.inputs))):
            bits |= (eval(code, {}, dict(zip(self.inputs, values, strict=True))) & 1) << index
        return bits, len(self.inputs)


class Library:
    """A Liberty library, its cells and the few that the flow asks for by function.

    Attributes
    ----------
    path : Path
    hash : str
        Of the Liberty file and of the areas that it leaves to the LEF file.
    name : str
    cells : dict of Cell
    without_area : dict
        Cells whose area the Liberty file leaves at 0 and the LEF file beside it gives.
    """

    def __init__(self, path, text):
        self.path = path
        root = liberty.parse(text, str(path))
        self.name = root.arguments[0]
        self.voltage = root.number("nom_voltage", 1.0)
        sizes = lef_areas(path.with_suffix(".lef"))
        self.without_area = {}
        self.cells = {}
        for group in root.all("cell"):
            cell = read_cell(group)
            if cell is None:
                continue
            if not cell.area and cell.name in sizes:
                cell = Cell(**(vars(cell) | {"area": sizes[cell.name]}))
                self.without_area[cell.name] = cell.area
            self.cells[cell.name] = cell
        areas = map(str, self.without_area.items())
        self.hash = hashlib.sha256("".join((text, *areas)).encode()).hexdigest()
        if self.smallest(NAND2) is None:
            raise InputError(f"{path} has no NAND gate of two inputs, the unit of area")

    @classmethod
    def read(cls, path):
        """The library in file `path`."""
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InputError(f"cannot read the library {path}: {error.strerror}") from None
        try:
            return cls(path, text)
        except InputError:
            raise
        except (IndexError, KeyError, ValueError) as error:  # a name or a number is not where Liberty has it
            raise InputError(f"the library {path} is not usable Liberty: {error}") from None

    def smallest(self, table):
        """The smallest cell without state that computes `table`; of equals, the last by name (the strongest)."""
        found = [cell for cell in self.cells.values() if cell.table == table]
        return min(reversed(sorted(found, key=lambda cell: cell.name)), key=lambda cell: cell.area, default=None)

    @property
    def gate_equivalent(self):
        """Area of the smallest NAND of two inputs."""
        return self.smallest(NAND2).area

    @property
    def inverter(self):
        """The smallest inverter."""
        return self.smallest(NOT)

    @property
    def register(self):
        """The smallest flip-flop that has a clock and data alone, and answers a rising edge."""
        plain = [cell for cell in self.cells.values() if cell.kind == "ff" and plain_register(cell)]
        return min(plain, key=lambda cell: cell.area, default=None)

    def check(self):
        """Refuse a library that a design cannot be mapped to."""
        for cell, what in ((self.inverter, "inverter"), (self.register, "flip-flop with clock and data alone")):
            if cell is None:
                raise InputError(f"{self.path} has no {what}")

    @property
    def clock_gate(self):
        """Verilog of a module ``narrowgate_icg`` (en, clk, gclk) made of the library's cells, or None.

        A latch that is open while the clock is low, and an AND: the enable may arrive until the clock rises.
        """
        latches = [cell for cell in self.cells.values() if cell.kind == "latch" and plain_latch(cell)]
        both, inverter = self.smallest(AND2), self.inverter
        if not latches or both is None or inverter is None:
            return None
        latch = min(latches, key=lambda cell: cell.area)
        state = latch.state.attributes
        pins = {state["enable"]: "low", state["data_in"]: "en", next(iter(latch.outputs)): "held"}
        return "\n".join(
            (
                "module narrowgate_icg(input en, input clk, output gclk);",
                "  wire low, held;",
                f"  {inverter.name} invert({ports(inverter, 'clk', 'low')});",
                f"  {latch.name} latch({ports(latch, *(pins[pin] for pin in (*latch.inputs, *latch.outputs)))});",
                f"  {both.name} gate({ports(both, 'clk', 'held', 'gclk')});",
                "endmodule",
                "",
            )
        )

    def area(self, cells):
        """Area of `cells` {name: count}."""
        return sum(self.cells[name].area * count for name, count in cells.items())

    def sequential(self, cells):
        """The part of `cells` with a state."""
        return {name: count for name, count in cells.items() if self.cells[name].kind != "logic"}


def ports(cell, *nets):
    """Verilog port connections: the pins of `cell`, inputs first, to `nets`."""
    return ", ".join(f".{pin}({net})" for pin, net in zip((*cell.inputs, *cell.outputs), nets, strict=True))


def plain_register(cell):
    """Whether `cell` has a clock, rising, data and the true output alone."""
    state = cell.state.attributes
    pins = {state.get("clocked_on"), state.get("next_state")}
    return pins == set(cell.inputs) and list(cell.outputs.values()) == [cell.state.arguments[0]]


def plain_latch(cell):
    """Whether `cell` is a latch with two inputs, open while its enable is high, and its true output alone."""
    state = cell.state.attributes
    pins = {state.get("enable"), state.get("data_in")}
    return pins == set(cell.inputs) and list(cell.outputs.values()) == [cell.state.arguments[0]]


def read_cell(group):
    """The `Cell` of a Liberty group; None if it drives a bus (three states) or has no output."""
    pins = group.all("pin")
    if any("three_state" in pin.attributes for pin in pins):
        return None
    outputs = {pin.arguments[0]: pin.attributes["function"] for pin in pins if "function" in pin.attributes}
    if not outputs:
        return None
    middles = []
    for pin in pins:
        for timing in pin.all("timing"):
            for table in timing.all("cell_rise", "cell_fall"):
                rows = [row.replace(",", " ").split() for row in table.attributes.get("values", [])]
                if rows and rows[len(rows) // 2]:
                    row = rows[len(rows) // 2]
                    middles.append(float(row[len(row) // 2]))
    states = group.all("ff", "latch")
    inputs = [pin for pin in pins if pin.attributes.get("direction") == "input"]
    loads = {pin.arguments[0]: pin.number("capacitance", 0.0) for pin in inputs}
    return Cell(
        name=group.arguments[0],
        area=group.number("area", 0.0),
        inputs=tuple(loads),
        loads=loads,
        outputs=outputs,
        state=states[0] if states else None,
        delay=max(sum(middles) / len(middles), 0.001) if middles else 0.1,
        gate="clock_gating_integrated_cell" in group.attributes,
    )


def lef_areas(path):
    """Area of each cell in a LEF file, from its size; nothing if there is no such file."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.findall(r"^MACRO (\S+)\n.*?^\s*SIZE\s+([\d.]+)\s+BY\s+([\d.]+)", text, re.M | re.S)
    return {name: float(width) * float(height) for name, width, height in found}
