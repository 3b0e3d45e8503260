"""How many of some bits are 1."""

from amaranth import Cat, Const, Signal

__all__ = ["popcount"]


def popcount(m, bits, name):
    """The number of ones of `bits`, as narrow as the greatest; no latency.

    Halves are counted and added, and the bit that is left over is the adder's carry: for ``2**n - 1`` bits a tree of
    full adders and nothing else.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    bits : Value
        At least one.
    name : str
        What the names of the sums begin with.
    """
    if len(bits) == 1:
        return bits
    half = (len(bits) - 1) // 2
    halves = {"l": bits[:half], "h": bits[half:-1]}
    parts = [popcount(m, part, f"{name}_{side}") for side, part in halves.items() if len(part)]
    total = Signal(len(bits).bit_length(), name=f"{name}_{len(bits)}")
    first, *others = (Cat(part, Const(0, len(total) - len(part))) for part in (*parts, bits[-1]))
    for number, other in enumerate(others, 1):
        partial = total if number == len(others) else Signal(len(total), name=f"{name}_{len(bits)}_halves")
        m.d.comb += partial.eq((first + other)[: len(total)])
        first = partial
    return total
