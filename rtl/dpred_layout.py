"""What the codecs of DPRed bodies share: how values lie in memory words and slices, and shifts by lengths."""

from dataclasses import dataclass

from amaranth import Cat, Const, Mux, Signal
from amaranth.lib import data

__all__ = ["BodyLayout", "below", "count_ones", "moved_down", "moved_up", "product"]


@dataclass(frozen=True, kw_only=True)
class BodyLayout:
    """How values lie in a body; sizes beyond those of `golden.dpred.DpredSpec` are for small proofs.

    Parameters
    ----------
    word : int
        Bits of a value in memory, a power of two.
    signed, zeros : bool
    group : int
        Values that share a width, a power of two.
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
        """Bits of a field at the most."""
        return (self.word - 1).bit_length()

    @property
    def width(self):
        """Bits of a width."""
        return self.word.bit_length()

    @property
    def longest(self):
        """The most bits that a memory word becomes."""
        return self.parts * (self.field + self.slice * (self.word + self.zeros))

    @property
    def values(self):
        """Shape of a memory word."""
        return data.ArrayLayout(self.word, self.per_word)


def count_ones(m, bits, name, size=None):
    """How many of `bits` are one; the low `size` bits of that, if it is given."""
    if len(bits) == 1:
        return bits
    total = Signal(size or range(len(bits) + 1), name=name)
    nodes = [bits[i] for i in range(len(bits))]
    while len(nodes) > 1:
        nodes = [x + y for x, y in zip(nodes[::2], nodes[1::2])] + nodes[len(nodes) & ~1 :]
    m.d.comb += total.eq(nodes[0][: len(total)])
    return total


def product(m, count, width, name):
    """``count * width``: bits of `count` values."""
    total = Signal(len(count) + len(width) - 1, name=name)  # a width is at most a power of two
    m.d.comb += total.eq((count * width)[: len(total)])
    return total


def below(m, width, bits, name):
    """As many of the lowest of `bits` bits are one as `width` says."""
    ones = Signal(bits, name=name)
    m.d.comb += ones.eq(Cat(width > k for k in range(bits)))
    return ones


def moved_up(m, value, amount, width, name, start=0):
    """``value * 2**amount`` in `width` bits, zeros coming in below, from the bit `start` on."""
    steps = [1 << k for k in range(len(amount)) if 1 << k < width]
    for k, step in enumerate(steps):
        low = start if step == steps[-1] else 0
        level = Signal(min(len(value) + step, width) - low, name=f"{name}_{k}")
        m.d.comb += level.eq(Mux(amount[k], Cat(Const(0, step), value)[low : low + len(level)], value[low:]))
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
