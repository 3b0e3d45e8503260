"""Detectors of precision: which bit-planes a group of values needs."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PrecisionDetector", "decoded", "index_bits", "needed"]


def index_bits(count):
    """Bits of an index of `count` things; 0 of a single one."""
    return (count - 1).bit_length()


def decoded(m, index, count, name):
    """Of each of `count` things whether it has this `index`, as signals."""
    found = [Signal(name=f"{name}_{i}") for i in range(count)]
    for i, signal in enumerate(found):
        m.d.comb += signal.eq(index == i if i else ~index.any())
    return found


def needed(values, fmt, least=1):
    """Whether some of the `values` needs more than i bits, for i from `least` below ``fmt.width``.

    True of the highest such i; of a lower one perhaps not. An unsigned value needs the bits up to its leading one; a
    signed one those below the sign that differ from it, and one more, but -1 needs 2, as 1 does.
    """
    if not fmt.signed:
        return [plane(values, i).any() for i in range(least, fmt.width)]
    signs = plane(values, fmt.width - 1)
    differs = [(plane(values, i) ^ signs).any() for i in range(least - 1, fmt.width - 1)]
    return [differs[0] | signs.any(), *differs[1:]] if least == 1 else differs


def plane(values, i):
    """Bit i of all values."""
    return Cat(value[i] for value in values)


class PrecisionDetector(wiring.Component):
    """The digits of a group of values: ``top``, the highest that it needs, and ``low``, the lowest that holds a one.

    An OR tree for each bit, then a leading-one detector; combinational. With digits of one bit the precision is
    ``top + 1``: of an unsigned group the place of its leading one, of a signed group one more than its longest
    magnitude (of negative numbers that of the one's complement, at least 1) takes; of zeros alone 1.

    Parameters
    ----------
    fmt : Integer
        Format of the values, of at least 2 bits.
    count : int
        Values of a group.
    digit : int
        Bits of a digit, fewer than those of a value.
    trim : bool
        Whether there is the port `low`; it is 0 where all values are.

    Attributes
    ----------
    x : In
        The values, without the `skipped` bits.
    top, low : Out
        Indices of digits.

    Source: Delmas et al., Dynamic Stripes, section 3; `golden.precision.group_precision`.
    """

    def __init__(self, *, fmt, count, digit=1, trim=False):
        self.fmt, self.count, self.digit, self.trim = fmt, count, digit, trim
        index = index_bits(-(-fmt.width // digit))
        ports = {"x": In(data.ArrayLayout(fmt.width - self.skipped, count)), "top": Out(index)}
        super().__init__(ports | ({"low": Out(index)} if trim else {}))

    @property
    def skipped(self):
        """The lowest bits of values, at which it does not look."""
        return 0 if self.trim else self.digit - self.fmt.signed

    def elaborate(self, platform):
        m = Module()
        values = [Cat(Const(0, self.skipped), self.x[i]) for i in range(self.count)]
        above = self.digits(needed(values, self.fmt, self.digit))
        m.d.comb += self.top.eq(leading(m, above[::-1], range(len(above), 0, -1), "top"))
        if self.trim:
            held = self.digits([plane(values, i).any() for i in range(self.fmt.width)])
            m.d.comb += self.low.eq(leading(m, held, range(len(held)), "low"))
        return m

    def digits(self, bits):
        """Whether any of the `bits` of each digit is set."""
        return [Cat(bits[i : i + self.digit]).any() for i in range(0, len(bits), self.digit)]


def leading(m, bits, numbers, name):
    """The number of the first of the `bits` that is set, 0 if none is."""
    first, before = {}, []
    for bit, number in zip(bits, numbers):
        first[number] = bit
        if before:
            first[number] = Signal(name=f"{name}_is_{number}")
            m.d.comb += first[number].eq(bit & ~Cat(before).any())
        before.append(bit)
    width = index_bits(1 + max(numbers))
    return reduce(or_, (found.replicate(width) & number for number, found in first.items() if number))
