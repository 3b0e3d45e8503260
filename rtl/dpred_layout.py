"""What the codecs of DPRed bodies share: how values lie in memory words and slices, and shifts by lengths."""

from dataclasses import dataclass

from amaranth import Cat, Const, Mux, Signal
from amaranth.lib import data

__all__ = ["BodyLayout", "count_ones", "moved_down", "moved_up", "product", "up_to"]


@dataclass(frozen=True, kw_only=True)
class BodyLayout:
    """How values lie in a body; sizes beyond those of `golden.dpred.DpredSpec` are for small proofs.

    Parameters
    ----------
    word : int
        Bits of a value in memory, a power of two.
    signed, zeros : bool
    group : int
        Values that share a precision, a power of two.
    memory : int
        Bits of a memory word and of a word of the body, a power of two, at least `word`.
    """

    word: int
    signed: bool
    group: int
    zeros: bool
    memory: int = 64

    @property
    def per_word(self):
        """Values in a memory word."""
        return self.memory // self.word

    @property
    def slice(self):
        """Values of one group in a memory word."""
        return min(self.group, self.per_word)

    @property
    def parts(self):
        """Slices in a memory word; if there are more than one, each is a whole group."""
        return self.per_word // self.slice

    @property
    def words(self):
        """Memory words of a group."""
        return self.group // self.slice

    @property
    def field(self):
        """Bits of a width field."""
        return (self.word - 1).bit_length()

    @property
    def longest(self):
        """The most bits that a memory word becomes."""
        return self.parts * (self.field + self.slice * (self.word + self.zeros))

    @property
    def values(self):
        """Shape of a memory word."""
        return data.ArrayLayout(self.word, self.per_word)


def count_ones(m, bits, name):
    """How many of `bits` are one."""
    if len(bits) == 1:
        return bits
    total = Signal(range(len(bits) + 1), name=name)
    nodes = [bits[i] for i in range(len(bits))]
    while len(nodes) > 1:
        nodes = [x + y for x, y in zip(nodes[::2], nodes[1::2])] + nodes[len(nodes) & ~1 :]
    m.d.comb += total.eq(nodes[0][: len(total)])
    return total


def product(m, count, field, name):
    """``count * (field + 1)``: bits of `count` values of the precision that a width field says."""
    total = Signal(len(count) + len(field), name=name)  # (2**c - 1) * 2**f at the most
    m.d.comb += total.eq((count * field + count)[: len(total)])
    return total


def up_to(m, field, width, name):
    """Bits that are one up to the one that `field` numbers."""
    bits = Signal(width - 1, name=name)
    m.d.comb += bits.eq(Cat(field >= k for k in range(1, width)))
    return Cat(Const(1, 1), bits)


def moved_up(m, value, amount, width, name):
    """``value * 2**amount`` in `width` bits, zeros coming in below."""
    for k in range(len(amount)):
        step = 1 << k
        if step >= width:
            break
        level = Signal(min(len(value) + step, width), name=f"{name}_{k}")
        m.d.comb += level.eq(Mux(amount[k], Cat(Const(0, step), value)[: len(level)], value))
        value = level
    return value


def moved_down(m, value, amount, width, name):
    """The low `width` bits of ``value >> amount``, zeros coming in above."""
    steps = [1 << k for k in range(len(amount)) if 1 << k < len(value)]
    for k in reversed(range(len(steps))):
        level = Signal(min(len(value), width + sum(steps[:k])), name=f"{name}_{k}")
        m.d.comb += level.eq(Mux(amount[k], value[steps[k] :][: len(level)], value[: len(level)]))
        value = level
    return value[:width]
