"""What a column of serial inner-product units does in each cycle."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.precision import index_bits

__all__ = ["ColumnControl", "control_flip_flops", "successor"]


class ColumnControl(wiring.Component):
    """Works on the steps that a column is given, digit by digit, and lets its sums go to the drain.

    A step begins in the cycle after it is given, or behind those before it. When sums are complete and the ones before
    them have not left, the column waits, whole.

    Parameters
    ----------
    digits : rtl.sip.Digits
    slots : int
        Steps that it holds, with the one at work.
    entries : int
        Passes of which the tile holds the activations.
    trim : bool
        Whether passes begin at another digit than the lowest.

    Attributes
    ----------
    given : In(1)
        The column is given a step, for which it has `room`.
    room : Out(1)
    entry, entry_next : Out
        If there are several: where the operands of the step at work lie, and of that in the next cycle of `run`.
    top, low : In
        Of that step: the highest digit of `a` and, with `trim`, the lowest.
    low_next : In
        With `trim`: the lowest of `entry_next`.
    last : In(1)
        Whether its pass is the last of a tile.
    whole : In(1)
        Whether it is the last step of its pass.
    at_next, fetches : Out
        If there are several: the digit of `a` in the next cycle of `run`, and whether to fetch it. Neither is late: what
        waits for the drain keeps what it has.
    run : Out(1)
        Whether the column moves: the enable of its units.
    highest, adds, fresh, ends, negative, shift : Out
        For the units. Those that have two stages of sums have neither of the last two.
    emptied : In(1)
        The last of the kept sums leaves.
    full : Out(1)
        Sums are kept.
    """

    def __init__(self, *, digits, slots, entries, trim=False):
        self.digits, self.slots, self.entries, self.trim = digits, slots, entries, trim
        at = index_bits(digits.a_digits)
        ports = {"given": In(1), "room": Out(1), "last": In(1), "run": Out(1), "adds": Out(1), "fresh": Out(1)}
        ports |= {"ends": Out(1), "emptied": In(1), "full": Out(1)}
        ports |= dict.fromkeys(("entry", "entry_next"), Out(index_bits(entries))) if entries > 1 else {}
        ports |= {"top": In(at), "at_next": Out(at), "fetches": Out(1)} if at else {}
        ports |= {"low": In(at), "low_next": In(at)} if trim else {}
        ports |= {"whole": In(1)} if digits.w_digits > 1 else {}
        ports |= {"highest": Out(1)} if digits.signs else {}
        ports |= {"negative": Out(1)} if digits.negates else {}
        ports |= {"shift": Out(digits.shift_bits)} if digits.shift else {}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        digits = self.digits
        waiting = Signal(self.slots)  # bit i: there are more than i steps
        works, finishes, stuck = (Signal(name=name) for name in ("works", "finishes", "stuck"))
        whole = self.whole if digits.w_digits > 1 else Const(1, 1)
        at, highest = Const(0, 0), Const(1, 1)
        if digits.a_digits > 1:
            count, count_next = (Signal(len(self.top), name=name) for name in ("count", "count_next"))
            at = count
            if self.trim:
                at = Signal(len(count), name="at")
                m.d.comb += at.eq((count + self.low)[: len(count)])
            highest = Signal(name="is_highest")
            m.d.comb += [
                highest.eq(at == self.top),
                count_next.eq(Mux(waiting[0] & ~highest, (count + 1)[: len(count)], 0)),
                self.at_next.eq((count_next + self.low_next)[: len(count)] if self.trim else count_next),
                self.fetches.eq(self.run | ~waiting[0]),
            ]
            with m.If(self.run):
                m.d.sync += count.eq(count_next)
        m.d.comb += [
            works.eq(waiting[0] & self.run),
            finishes.eq(works & highest),
            self.room.eq(~waiting[-1] | finishes),
            self.run.eq(~stuck),
        ]
        with m.If(self.given & ~finishes):
            m.d.sync += waiting.eq(Cat(1, waiting[:-1]))
        with m.Elif(finishes & ~self.given):
            m.d.sync += waiting.eq(Cat(waiting[1:], 0))

        if self.entries > 1:
            ended = waiting[0] & highest & whole
            m.d.comb += self.entry_next.eq(Mux(ended, successor(self.entry, self.entries), self.entry))
            with m.If(self.run):
                m.d.sync += self.entry.eq(self.entry_next)
        plane = Const(0, 0)
        if digits.w_digits > 1:
            plane = Signal(index_bits(digits.w_digits), name="plane")
            with m.If(finishes):
                m.d.sync += plane.eq(Mux(whole, 0, (plane + 1)[: len(plane)]))

        adds = stages(m, self.run, digits.stages, works, "adds")
        ends = stages(m, self.run, digits.stages, finishes & whole & self.last, "ends")
        fresh = Signal(init=1, name="starts_anew")
        full = Signal(name="is_full")
        m.d.comb += [
            self.adds.eq(adds),
            self.ends.eq(ends),
            self.fresh.eq(Mux(adds, ends, fresh)),
            self.full.eq(full),
            stuck.eq(ends & full & ~self.emptied),
        ]
        with m.If(self.run):
            m.d.sync += fresh.eq(self.fresh)
        with m.If(ends & self.run):
            m.d.sync += full.eq(1)
        with m.Elif(self.emptied):
            m.d.sync += full.eq(0)

        if digits.signs:
            m.d.comb += self.highest.eq(highest)
        if digits.negates:
            of_a = highest if digits.a.signed and digits.a_digit == 1 else Const(0, 1)
            of_w = whole if digits.w_digits > 1 else Const(0, 1)
            m.d.comb += self.negative.eq(of_a ^ of_w)
        if digits.shift:
            m.d.comb += self.shift.eq((Cat(Const(0, index_bits(digits.a_digit)), at) + plane)[: digits.shift_bits])
        return m


def control_flip_flops(digits, slots, entries):
    """Registers of a `ColumnControl`."""
    place = index_bits(entries) + index_bits(digits.a_digits) + index_bits(digits.w_digits)
    return slots + place + 2 * digits.stages + 2


def successor(index, count):
    """The index after `index`, of `count` in a ring."""
    following = (index + 1)[: len(index)]
    return following if count == 1 << len(index) else Mux(index == count - 1, 0, following)


def stages(m, run, count, value, name):
    """`value`, `count` cycles of `run` later."""
    for stage in range(count):
        register = Signal(len(value), name=f"{name}_{stage}")
        with m.If(run):
            m.d.sync += register.eq(value)
        value = register
    return value
