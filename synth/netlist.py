"""What a netlist must hold to be worth measuring: nothing folded to a constant, nothing dead, every register there."""

import re

__all__ = ["problems", "registers"]

HANDSHAKE = re.compile(r".*(valid|ready)$")
CLOCKING = {"clk", "rst"}


def registers(mapped, library):
    """Flip-flops and latches of a netlist."""
    kinds = [library.cells[name].kind for name, count in mapped.cells.items() for _ in range(count)]
    return kinds.count("ff"), kinds.count("latch")


def base(port):
    """The name of the port whose bit `port` is."""
    return port.partition("[")[0]


def problems(mapped, library, fixed=(), apart=()):
    """What is wrong with a netlist, one line each.

    Every input bit has to reach an output, through registers where they come; no output bit may be constant; and the
    bits of every output that carries data have to depend, together, on every input port.

    Parameters
    ----------
    fixed : collection of str
        Output bits that are constant on purpose.
    apart : collection of (str, str)
        Outputs, and input ports that they do not depend on, on purpose.
    """
    ports = mapped.netlist["ports"]
    inputs = {name: port["bits"][0] for name, port in ports.items() if port["direction"] == "input"}
    inputs = {name: bit for name, bit in inputs.items() if name not in CLOCKING}
    outputs = {name: port["bits"][0] for name, port in ports.items() if port["direction"] == "output"}
    sources = {bit: 1 << number for number, bit in enumerate(inputs.values())}
    reached = spread(mapped, library, sources)

    found = []
    constant = [name for name, bit in outputs.items() if not isinstance(bit, int) or not reached.get(bit)]
    constant = [name for name in constant if name not in fixed]
    if constant:
        found.append(f"outputs that depend on no input: {listing(constant)}")
    together = {}
    for name, bit in outputs.items():
        together[base(name)] = together.get(base(name), 0) | reached.get(bit, 0)
    seen = 0
    for mask in together.values():
        seen |= mask
    unread = [name for number, name in enumerate(inputs) if not seen >> number & 1]
    if unread:
        found.append(f"inputs that reach no output: {listing(unread)}")
    if any("payload" in name for name in together):  # a design of streams
        for output, mask in together.items():
            if HANDSHAKE.match(output):
                continue
            missing = {base(name) for name in inputs} - {base(name) for n, name in enumerate(inputs) if mask >> n & 1}
            missing = {name for name in missing if (output, name) not in apart}
            if missing:
                found.append(f"{output} does not depend on {listing(sorted(missing))}")
    return found


def spread(mapped, library, sources):
    """For each net, the mask of all sources that reach it, through gates and registers."""
    readers, drives = {}, {}
    for name, cell in mapped.netlist["cells"].items():
        kind = library.cells[cell["type"]]
        drives[name] = [bit for pin in kind.outputs for bit in cell["connections"].get(pin, [])]
        for pin in kind.inputs:
            for bit in cell["connections"].get(pin, []):
                readers.setdefault(bit, []).append(name)
    masks = dict(sources)
    waiting = list(sources)
    while waiting:
        bit = waiting.pop()
        mask = masks[bit]
        for cell in readers.get(bit, ()):
            for out in drives[cell]:
                if masks.get(out, 0) | mask != masks.get(out, 0):
                    masks[out] = masks.get(out, 0) | mask
                    waiting.append(out)
    return masks


def listing(names, most=4):
    """Names in a line, the first few of them."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
