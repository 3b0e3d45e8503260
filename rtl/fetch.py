"""The digits of activations, fetched for the units of a column."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Signal

from rtl.precision import decoded

__all__ = ["fetcher", "picked", "selected", "whole"]


def whole(plan, at, entries, lane):
    """An activation whose only digit is all of it, of the entry that `at` says."""
    digits = plan.digits
    return picked(at, [extended(digits.a, entry["a"][lane], digits.a_digit) for entry in entries])


def fetcher(m, plan, control, entries, arriving, i):
    """What takes, of an activation, the digit at which a column will be in the cycle that follows.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    plan : rtl.tile_plan.TilePlan
    control : rtl.column.ColumnControl
        The column's.
    entries : list of dict
        Of each pass that the tile holds: its activations ``a``, without the ``plan.passing`` lowest digits, and with
        ``plan.trim`` the lowest digit ``low`` of each group.
    arriving : dict
        Of the pass at the port, which may be the one: the same, all digits; ``loads`` are the entries into which it is taken.
    i : int
        Number of the column.
    """
    digits, group = plan.digits, i % plan.groups
    at = [Const(1, 1)]
    if plan.entries > 1:
        at = decoded(m, control.entry_next, plan.entries, f"entry_next_{i}")
    if plan.trim:
        m.d.comb += control.low_next.eq(picked(at, [entry["low"][group] for entry in entries]))
    place = decoded(m, control.at_next, digits.a_digits, f"place_{i}")
    fresh = []  # by the digit, whether it is one of the pass that arrives
    if i == 0 or not plan.shape.dense:  # in a dense tile, others have their turn when it is there
        arrives = Signal(name=f"arrives_{i}")
        m.d.comb += arrives.eq(picked(at, arriving["loads"]))
        first = decoded(m, arriving["low"][group], digits.a_digits, f"first_{i}") if plan.trim else [Const(1, 1)]
        fresh = [Signal(name=f"new_{i}_{d}") for d in range(len(first))]
        m.d.comb += [signal.eq(arrives & chosen) for signal, chosen in zip(fresh, first)]
    pairs = [(e, d) for e in range(plan.entries) for d in range(plan.passing, digits.a_digits)]
    kept = [Signal(name=f"kept_{i}_{e}_{d}") for e, d in pairs]
    for signal, (e, d) in zip(kept, pairs):
        m.d.comb += signal.eq(at[e] & place[d] & ~arrives if d < len(fresh) else at[e] & place[d])

    def digit(lane):
        size, bits = digits.a_digit, []
        codes = [extended(digits.a, entry["a"][lane], (digits.a_digits - plan.passing) * size) for entry in entries]
        codes.append(extended(digits.a, arriving["a"][lane], digits.a_digits * size))
        for b in range(size):
            *stored, new = (code[b::size] for code in codes)
            bits.append((Cat(*stored, new[: len(fresh)]) & Cat(*kept, *fresh)).any())
        return Cat(bits)

    return digit


def extended(fmt, code, width):
    """The code of an integer in `width` bits."""
    return Cat(code, (code[-1] if fmt.signed else Const(0, 1)).replicate(width - len(code)))


def picked(selectors, values):
    """Of `values`, the one whose selector is set: none or one is. A single value needs no selector."""
    return values[0] if len(values) == 1 else selected(selectors, values)


def selected(selectors, values):
    """Of `values`, the one whose selector is set, or 0 if none is."""
    pairs = zip(selectors, values, strict=True)
    return reduce(or_, (value & selector.replicate(len(value)) for selector, value in pairs))
