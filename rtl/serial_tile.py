"""The tile of serial inner-product units as a streaming GEMM engine."""

from functools import reduce
from operator import and_, or_

from amaranth import Cat, ClockSignal, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.blocks import place
from rtl.column import ColumnControl, successor
from rtl.fetch import fetcher, picked, whole
from rtl.precision import PrecisionDetector, decoded, index_bits, needed
from rtl.sip import SerialUnit
from rtl.streams import packets, singles

__all__ = ["SerialTile"]


class SerialTile(wiring.Component):
    """``y[m, n] = sum over k of a[m, k] * w[k, n]``, tile by tile, output-stationary, digit by digit.

    A pass brings each window `lanes` activations and each filter as many weights. Every unit adds up, over the digits
    of the pass, the sum over its lanes of digit times digit, shifted to its place. The activations of a pass wait in
    an entry, with their precision; weights in a slot; columns of windows take both from there, by themselves, so that
    one may be ahead of the other. A step, which is a beat of weights, goes to all columns at once, or in a dense tile
    to one after the other, each of which keeps its own.

    Complete sums move into registers beside the accumulators and leave from there, a window a cycle, while the next
    tile is at work. Cycles are those of `golden.bitserial`. A beat of `y` that is not taken stops columns only when
    they have other sums to keep.

    Parameters
    ----------
    plan : TilePlan

    Attributes
    ----------
    a : In(stream)
        A pass: `lanes` activations for each window, of one window in a dense tile. ``last`` ends the tile.
    w : In(stream)
        A step, `lanes` weights for each filter, of every column in turn in a dense tile. Where digits of weights are
        bits, a bit-plane of them, the lowest first, and above it whether it is the last of its pass. Where passes are
        steps, ``last`` ends the tile too; else there is none.
    p : In(stream without last)
        If ``plan.static``, one beat a tile: the precision of the activations less 1.
    y : Out(stream)
        Of each window `filters` sums, two's complement; ``last`` with the last window.
    e : Out(stream without last)
        If ``plan.static``, one beat a tile: whether an activation of the tile needs more bits.
        The sums are then those of the bits that were looked at.

    Sources: Judd et al., Stripes, MICRO 2016; Delmas et al., Dynamic Stripes, 2017; Sharify et al., Loom, DAC 2018.
    """

    def __init__(self, plan):
        self.plan = plan
        digits, shape = plan.digits, plan.shape
        self.blocks = {"sip": SerialUnit(digits)}
        weights = data.ArrayLayout(digits.w_digit, plan.weights)
        if digits.w_digits > 1:
            weights = data.StructLayout({"plane": weights, "whole": 1})
        ports = {
            "a": In(packets(data.ArrayLayout(digits.a.width, plan.activations))),
            "w": In(packets(weights) if plan.in_step else singles(weights)),
        }
        ports |= {"p": In(singles(plan.top_bits))} if plan.static else {}
        ports |= {"y": Out(packets(data.ArrayLayout(digits.acc_width, shape.filters)))}
        ports |= {"e": Out(singles(1))} if plan.static else {}
        super().__init__(ports)

    @property
    def constant(self):
        """Bits of outputs that are constant."""
        windows = {"y__payload[%d]" % (self.plan.shape.filters * self.plan.digits.acc_width)}
        return windows if self.plan.shape.windows == 1 else set()

    def elaborate(self, platform):
        m = Module()
        plan = self.plan
        columns = range(plan.columns)
        parameters = dict(digits=plan.digits, slots=plan.slots, entries=plan.entries, trim=plan.trim)
        controls = [ColumnControl(**parameters) for _ in columns]
        for i, control in enumerate(controls):
            m.submodules[f"control_{i}"] = control
        entries, arriving, slots = self.dispatch(m, controls)
        full = Signal(plan.columns, name="full")
        m.d.comb += full.eq(Cat(control.full for control in controls))
        leaves = self.drain(m, full, controls)

        rows = []
        for i, control in enumerate(controls):
            at = decoded(m, control.entry, plan.entries, f"entry_{i}") if plan.entries > 1 else [Const(1, 1)]
            for key in ("top", "low", "last"):
                if key in control.signature.members:
                    values = [entry[key][i % plan.groups] for entry in entries]
                    m.d.comb += getattr(control, key).eq(picked(at, values))
            if plan.shape.dense:
                slot, of_slot = [slots[i]], at[:1]
            else:
                slot, of_slot = slots, at
            weights = Signal(plan.weights * plan.digits.w_digit, name=f"weights_{i}")
            m.d.comb += weights.eq(picked(of_slot, [weights for weights, _ in slot]))
            if plan.digits.w_digits > 1:
                m.d.comb += control.whole.eq(slot[0][1])
            fetch = fetcher(m, plan, control, entries, arriving, i) if plan.fetches else None
            for window in range(i * plan.together, (i + 1) * plan.together):
                source = 0 if plan.shape.dense else window
                lanes = range(source * plan.shape.lanes, (source + 1) * plan.shape.lanes)
                digits = Signal(plan.shape.lanes * plan.digits.a_digit, name=f"digits_{window}", reset_less=True)
                if plan.fetches:
                    with m.If(control.fetches):
                        m.d.sync += digits.eq(Cat(map(fetch, lanes)))
                else:
                    m.d.comb += digits.eq(Cat(whole(plan, at, entries, lane) for lane in lanes))
                rows.append(self.units(m, window, control, digits, weights, leaves[window]))
        sums = Signal(plan.shape.filters * plan.digits.acc_width, name="sums")
        m.d.comb += [sums.eq(~reduce(and_, rows)), self.y.payload.data.eq(sums)]
        return m

    def dispatch(self, m, controls):
        """Take beats into entries of activations and slots of weights, and give columns their steps."""
        plan, digits = self.plan, self.plan.digits
        dense, columns = plan.shape.dense, range(plan.columns)
        room, opens, gives, last = (Signal(name=name) for name in ("room", "opens", "gives", "last"))
        turn, begins = [Const(1, 1)], Const(1, 1)
        if dense and plan.columns > 1:
            count = Signal(index_bits(plan.columns), name="turn")
            turn = decoded(m, count, plan.columns, "turn")
            with m.If(gives):
                m.d.sync += count.eq(successor(count, plan.columns))
        if digits.w_digits > 1:
            begins = Signal(init=1)  # the next plane is the first of a pass
            with m.If(gives & turn[-1]):
                m.d.sync += begins.eq(self.w.payload.data.whole)
        rooms = [control.room for control in controls]
        m.d.comb += [
            opens.eq(begins & turn[0]),
            last.eq(self.a.payload.last | (self.w.payload.last if plan.in_step else 0)),
            room.eq(picked(turn, rooms) if dense else reduce(and_, rooms)),
        ]
        for i, control in enumerate(controls):
            m.d.comb += control.given.eq(gives & turn[i] if dense else gives)

        others = Signal(name="others")  # what a pass needs besides activations and weights
        m.d.comb += others.eq(self.p.valid & (~self.e.valid | self.e.ready) if plan.static else 1)
        m.d.comb += [
            gives.eq(room & self.w.valid & (~opens | (self.a.valid & others))),
            self.a.ready.eq(room & opens & self.w.valid & others),
            self.w.ready.eq(room & (~opens | (self.a.valid & others))),
        ]
        into = [Const(1, 1)]
        if plan.entries > 1:
            place_of = Signal(index_bits(plan.entries), name="into")
            into = decoded(m, place_of, plan.entries, "into")
            with m.If(gives & opens):
                m.d.sync += place_of.eq(successor(place_of, plan.entries))
        ranges = self.ranges(m)
        if plan.static:
            self.flag(m, gives & opens, last)

        entries, loads = [], [Signal(name=f"loads_{e}") for e in range(plan.entries)]
        for e in range(plan.entries):
            m.d.comb += loads[e].eq(gives & opens & into[e])
            kept = [Signal(plan.kept_width, name=f"a_{e}_{i}", reset_less=True) for i in range(plan.activations)]
            entry = {"a": kept, "last": [Signal(name=f"last_{e}", reset_less=True)] * plan.groups}
            with m.If(loads[e]):
                m.d.sync += entry["last"][0].eq(last)
                m.d.sync += [code.eq(self.a.payload.data[i][-plan.kept_width :]) for i, code in enumerate(kept)]
                for key, values in ranges.items():
                    entry[key] = [Signal.like(v, name=f"{key}_{e}_{g}", reset_less=True) for g, v in enumerate(values)]
                    m.d.sync += [register.eq(value) for register, value in zip(entry[key], values)]
            entries.append(entry)
        payload = self.w.payload.data.plane if digits.w_digits > 1 else self.w.payload.data
        slots = []
        for s in range(plan.columns if dense else plan.slots):
            weights = Signal(plan.weights * digits.w_digit, name=f"w_{s}", reset_less=True)
            whole = Signal(name=f"whole_{s}", reset_less=True)
            with m.If(gives & (turn[s] if dense else into[s])):
                m.d.sync += weights.eq(payload.as_value())
                if digits.w_digits > 1:
                    m.d.sync += whole.eq(self.w.payload.data.whole)
            slots.append((weights, whole))
        arriving = ranges | {"a": [self.a.payload.data[i] for i in range(plan.activations)], "loads": loads}
        return entries, arriving, slots

    def ranges(self, m):
        """The highest digit, and with `trim` the lowest, of each group of the activations that come in."""
        plan = self.plan
        if not plan.top_bits:
            return {}
        if plan.static:
            return {"top": [self.p.payload.data]}
        found = {"top": [], "low": []} if plan.trim else {"top": []}
        count = plan.activations // plan.groups
        for g in range(plan.groups):
            detector = PrecisionDetector(fmt=plan.digits.a, count=count, digit=plan.digits.a_digit, trim=plan.trim)
            m.submodules[f"detector_{g}"] = detector
            codes = (self.a.payload.data[g * count + i][detector.skipped :] for i in range(count))
            m.d.comb += [detector.x[i].eq(code) for i, code in enumerate(codes)]
            found["top"].append(detector.top)
            if plan.trim:
                found["low"].append(detector.low)
        return found

    def flag(self, m, opens, last):
        """Whether an activation of a tile needs more bits than the precision has."""
        plan, top = self.plan, self.p.payload.data
        values = [self.a.payload.data[i] for i in range(plan.activations)]
        exceeds, before = Signal(name="exceeds"), Signal(name="exceeded")
        found, there = Signal(name="flag"), Signal(name="flag_valid")
        beyond = (bit & (top < i) for i, bit in enumerate(needed(values, plan.digits.a), 1))
        m.d.comb += [
            exceeds.eq(before | reduce(or_, beyond)),
            self.p.ready.eq(opens & last),
            self.e.valid.eq(there),
            self.e.payload.data.eq(found),
        ]
        with m.If(opens):
            m.d.sync += before.eq(exceeds & ~last)
        with m.If(opens & last):
            m.d.sync += [there.eq(1), found.eq(exceeds)]
        with m.Elif(self.e.ready):
            m.d.sync += there.eq(0)

    def units(self, m, window, control, digits, weights, leaves):
        """Place the units of a window: what each lets out."""
        plan, [(name, unit)] = self.plan, self.blocks.items()
        shared = {"adds", "fresh", "ends", "highest", "negative", "shift"} & set(unit.signature.members)
        shared = {key: getattr(control, key) for key in shared}
        width, row = plan.shape.lanes * plan.digits.w_digit, []
        for i in range(plan.shape.filters):
            leaving = Signal(plan.digits.acc_width, name=f"leaving_{window}_{i}")
            of_filter = weights[i * width : (i + 1) * width]
            connections = shared | {"a": digits, "w": of_filter, "leaves": leaves, "leaving_n": leaving}
            m.submodules[f"{name}_{window}_{i}"] = place(name, unit, clk=ClockSignal(), run=control.run, **connections)
            row.append(leaving)
        return Cat(row)

    def drain(self, m, full, controls):
        """Let the kept sums out, window by window: which of them is at the port."""
        plan, windows = self.plan, self.plan.shape.windows
        taken = self.y.valid & self.y.ready
        if windows == 1:
            leaves = [Const(1, 1)]
        else:
            count = Signal(index_bits(windows), name="window")
            leaves = decoded(m, count, windows, "leaves")
            with m.If(taken):
                m.d.sync += count.eq(successor(count, windows))
        owners = [full[i // plan.together] for i in range(windows)]
        m.d.comb += [self.y.valid.eq(picked(leaves, owners)), self.y.payload.last.eq(leaves[-1])]
        for i, control in enumerate(controls):
            m.d.comb += control.emptied.eq(taken & leaves[(i + 1) * plan.together - 1])
        return leaves
