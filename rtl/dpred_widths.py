"""Tables of widths in hardware: the width and the field of a group that needs so many bits, and the width of a field."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Mux, Signal

from rtl.dpred_layout import count_ones

__all__ = ["binary", "entries", "fitting", "lengths", "picked"]

SECTION = 4  # widths whose places in a table are counted together


def binary(ones):
    """How many of `ones` are one, of which none is above a zero."""
    bits = []
    for step in (1 << bit for bit in range(len(ones).bit_length())):
        odd = range(step, len(ones) + 1, 2 * step)
        terms = [ones[k - 1] & ~ones[k - 1 + step] if k - 1 + step < len(ones) else ones[k - 1] for k in odd]
        bits.append(reduce(or_, terms))
    return Cat(bits)


def lengths(m, mask, size, name):
    """How many widths a table has, and of each bit that a field may have whether its fields have it."""
    known, longer = Signal(range(size.word + 2), name=f"{name}_known"), Signal(size.field, name=f"{name}_longer")
    m.d.comb += [known.eq(count_ones(m, mask, f"{name}_ones")), longer.eq(Cat(known > 1 << bit for bit in range(size.field)))]
    return known, longer


def fitting(m, needs, mask, longer, size, name):
    """The width and the field of a group, and whether there are any.

    Parameters
    ----------
    needs : Value
        `word` bits, of which as many are one as the group needs bits, the lowest.
    mask : Value
        The table: `word` + 1 bits, one for each width of it.
    longer : Value
        Of `lengths`.
    """
    below, beyond = Signal(size.word, name=f"{name}_below"), Signal(size.word, name=f"{name}_beyond")
    hit, fits = Signal(size.word, name=f"{name}_hit"), Signal(name=f"{name}_fits")
    m.d.comb += [
        below.eq(mask[:-1] & needs),  # widths that are too small
        hit.eq(mask[:-1] & ~needs),  # or that suffice, of which the least is taken
        fits.eq(mask[-1] | hit.any()),
        beyond.eq(Cat(~hit[: k + 1].any() for k in range(size.word)) & fits.replicate(size.word)),
    ]
    field = count_ones(m, below, f"{name}_index", size.field) & longer
    return binary(beyond), field, fits


def entries(m, mask, size, name):
    """The widths of a table, by their fields; 0 for fields that it has not."""
    rows, start = [], Const(0, 1)  # place of a width in the table
    for low in range(0, size.word + 1, SECTION):
        section = mask[low : low + SECTION]
        before = Signal(range(low + 1), name=f"{name}_before_{low}")
        m.d.comb += before.eq(start)
        for i in range(len(section)):
            place = Signal(range(low + i + 1), name=f"{name}_place_{low + i}")
            m.d.comb += place.eq(before + (count_ones(m, section[:i], f"{name}_count_{low + i}") if i else 0))
            rows.append((low + i, place))
        start = before + count_ones(m, section, f"{name}_section_{low}")
    found = []
    for field in range(1 << size.field):
        here = [(width, mask[width] & (place == field if field else ~place.any())) for width, place in rows if width >= field]
        found.append(Cat(reduce(or_, [one for width, one in here if width >> bit & 1], Const(0, 1)) for bit in range(size.width)))
    return found


def picked(rows, index):
    """The row that `index` numbers: a tree of multiplexers."""
    for bit in index:
        rows = [Mux(bit, high, low) for low, high in zip(rows[::2], rows[1::2])]
    return rows[0]
