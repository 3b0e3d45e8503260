"""How often nets switch, from a value change dump."""

from dataclasses import dataclass

__all__ = ["Activity", "read_vcd"]


@dataclass(frozen=True)
class Activity:
    """How a netlist's nets behaved.

    Attributes
    ----------
    cycles : int
        Clock cycles that were watched.
    nets : dict
        Net: (transitions per cycle, share of the time at 1).
    """

    cycles: int
    nets: dict


def read_vcd(path, period):
    """The Activity in a value change dump of one-bit nets.

    Parameters
    ----------
    period : int
        Clock period in ns; the dump's unit is 1 ps.
    """
    names, values, since, high, toggles = {}, {}, {}, {}, {}
    now = start = 0
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith("$var"):
                _, _, _, code, name, *_ = line.split()
                names.setdefault(code, []).append(name.removeprefix("\\"))
            elif line.startswith("$enddefinitions"):
                break
        first = True
        for line in file:
            mark = line[0]
            if mark in "01":
                code = line[1:-1]
                old = values.get(code)
                if old is not None:
                    toggles[code] = toggles.get(code, 0) + (old != mark)
                    if old == "1":
                        high[code] = high.get(code, 0) + now - since[code]
                values[code], since[code] = mark, now
            elif mark == "#":
                now = int(line[1:])
                if first:
                    start, first = now, False
            elif mark in "xz":
                values.pop(line[1:-1], None)
    for code, value in values.items():
        if value == "1":
            high[code] = high.get(code, 0) + now - since[code]
    length = max(now - start, 1)
    cycles = length / (period * 1000)
    pairs = {code: (toggles.get(code, 0) / cycles, high.get(code, 0) / length) for code in names}
    return Activity(round(cycles), {name: pairs[code] for code, aliases in names.items() for name in aliases})
