"""What the grid of DLAC does in each cycle: k-steps, instructions, results."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.dlac_program import ADD, ALL, BUFFER, FIELDS, IMMEDIATE, KINDS, LOAD, MADD, SEL, STREAM, SUB, TABLE, steps
from rtl.precision import index_bits
from rtl.streams import packets, singles

__all__ = ["SOURCES", "DlacControl", "control_flip_flops"]


SOURCES = {"buffer": BUFFER, "immediate": IMMEDIATE, "table": TABLE, "stream": STREAM}  # of operands that are not 0


def is_equal(value, number):
    """Whether `value` is `number`, as linters want it written for 0 too."""
    return value == number if number else ~value.any()


class DlacControl(wiring.Component):
    """Takes the k-steps of a tile, then, when no element is active, its instructions, then lets its results leave.

    An instruction is issued in as many cycles as the units need for the filters of a line, and waits, before it begins,
    for those that write the line it reads, and for the beat of `v` it takes. One that is not legal does nothing, in one
    cycle, and is flagged. Behind the last, when all is written, the lines leave, one a cycle, those of row 0 first.

    Parameters
    ----------
    shape : golden.dlac_grid.GridShape
    fmt : golden.formats.Float

    Attributes
    ----------
    offered, last, infinite : In(1)
        A k-step is there; it is the last; an operand is not finite, in formats with infinity.
    full, active : In(1)
        A lane of any element is full; any element is active.
    takes, clear : Out(1)
        The k-step is taken; elements start anew.
    order, flags : stream
        Instructions, without their immediates; flags of a tile.
    v_valid, v_ready : In(1), Out(1)
        The beat of `v`.
    load : Out(1)
        The table is loaded.
    kinds : Out
        For x, y and z, a bit for each of `SOURCES`; none when there is no operation, or it is 0.
    s, d, filter_0 (and so on), product, subtract, select : Out
        As elements take them, for those of the rows that `rows` has a bit for; filters of each unit.
    leaves_row, leaves : Out
        A bit for the row and one for the line at the port.
    y_valid, y_last, y_ready
        The results.
    """

    def __init__(self, *, shape, fmt):
        self.shape, self.fmt = shape, fmt
        super().__init__(
            {
                **dict.fromkeys(("offered", "last", "full", "active"), In(1)),
                **dict.fromkeys(("takes", "clear"), Out(1)),
                "order": In(packets(data.StructLayout(FIELDS))),
                "flags": Out(singles(2)),
                **({"infinite": In(1)} if fmt.infinite else {}),
                "v_valid": In(1),
                "v_ready": Out(1),
                "load": Out(1),
                "kinds": Out(data.StructLayout({key: data.StructLayout(dict.fromkeys(SOURCES, 1)) for key in "xyz"})),
                "s": Out(shape.pixels),
                "d": Out(shape.pixels),
                **{f"filter_{u}": Out(shape.filters) for u in range(shape.units)},
                "product": Out(1),
                "subtract": Out(1),
                "select": Out(1),
                "rows": Out(shape.rows),
                "leaves_row": Out(shape.rows),
                "leaves": Out(shape.pixels),
                "y_valid": Out(1),
                "y_last": Out(1),
                "y_ready": In(1),
            }
        )

    @property
    def filters(self):
        """For each unit a bit for its filter."""
        return [getattr(self, f"filter_{u}") for u in range(self.shape.units)]

    def elaborate(self, platform):
        m = Module()
        started, complete, pointwise, leaving = (Signal(name=n) for n in ("started", "complete", "pointwise", "leaving"))
        left, ends, does = (Signal(name=name) for name in ("left", "ends", "does"))
        m.d.sync += started.eq(1)
        m.d.comb += [
            self.takes.eq(started & self.offered & ~self.full & ~complete & ~leaving),
            self.clear.eq(~started | left),
        ]
        with m.If(self.takes & self.last):
            m.d.sync += complete.eq(1)
        with m.If(complete & ~self.active):
            m.d.sync += pointwise.eq(1)
        flying = self.instructions(m, complete & (pointwise | ~self.active), ends, does)
        with m.If(ends):
            m.d.sync += [complete.eq(0), pointwise.eq(0), leaving.eq(1)]
        with m.If(left):
            m.d.sync += leaving.eq(0)
        bad = []
        if self.fmt.infinite:
            bad = [Signal(name="not_finite")]
            m.d.sync += bad[0].eq((bad[0] | (self.takes & self.infinite)) & ~left)
        self.keep_flags(m, ends, bad)
        self.results(m, leaving, left, flying)
        return m

    def instructions(self, m, may, ends, does):
        """Issue instructions: whether a result is on its way to any line."""
        shape, word = self.shape, self.order.payload.data
        pixels = range(shape.pixels)
        most = max(steps(shape, op) for op in (ADD, MADD))
        arithmetic, legal, takes, hazard, first, final = (
            Signal(name=n) for n in ("arithmetic", "legal", "takes_beat", "hazard", "first_step", "final_step")
        )
        source, target = (Signal(shape.pixels, name=name) for name in ("source", "target"))
        rows = Signal(shape.rows, name="of_row")
        operands = [word.v1, word.v2, word.v3]
        m.d.comb += [
            source.eq(Cat(is_equal(word.s, p) for p in pixels)),
            target.eq(Cat(is_equal(word.d, p) for p in pixels)),
            rows.eq(Cat(is_equal(word.row, r) | (word.row == ALL) for r in range(shape.rows))),
            legal.eq(Cat(word.op <= SEL, *(v <= KINDS[-1] for v in operands), source.any(), target.any(), rows.any()).all()),
            arithmetic.eq(legal & (word.op >= ADD)),
            takes.eq(legal & ((word.op == LOAD) | ((word.op >= ADD) & Cat(v == STREAM for v in operands).any()))),
        ]
        step = Signal(index_bits(most), name="step") if most > 1 else Const(0, 1)
        ready, waits, blocked = (Signal(name=name) for name in ("ready", "waits", "blocked"))
        flying = []
        last_of = {op: steps(shape, op) - 1 for op in (ADD, MADD)}
        m.d.comb += [
            first.eq(~step.any()),
            final.eq(Mux(arithmetic, Mux(word.op == MADD, is_equal(step, last_of[MADD]), is_equal(step, last_of[ADD])), 1)),
            waits.eq((first & arithmetic & hazard) | (takes & ~self.v_valid) | (self.order.payload.last & blocked)),
            blocked.eq(self.flags.valid & ~self.flags.ready),
            ready.eq(may & ~waits),
            does.eq(ready & self.order.valid & arithmetic),
            self.order.ready.eq(ready & final),
            self.v_ready.eq(ready & self.order.valid & takes & final),
            self.load.eq(ready & self.order.valid & legal & (word.op == LOAD)),
            ends.eq(ready & self.order.valid & final & self.order.payload.last),
        ]
        if most > 1:
            with m.If(does):
                m.d.sync += step.eq(Mux(final, 0, (step + 1)[: len(step)]))
        to = Signal(shape.pixels, name="to")
        m.d.comb += to.eq(target & does.replicate(shape.pixels))
        for stage in range(1, shape.adder_latency):
            later = Signal(shape.pixels, name=f"flying_{stage}")
            m.d.sync += later.eq(to)
            to = later
            flying.append(later)
        m.d.comb += hazard.eq((reduce(or_, flying, Const(0, shape.pixels)) & source).any())
        self.operation(m, does, source, target, rows, step)
        self.illegal = Signal(name="illegal")
        m.d.comb += self.illegal.eq(ready & self.order.valid & ~legal)
        return Cat(flying).any() if flying else Const(0, 1)

    def operation(self, m, does, source, target, rows, step):
        """Tell elements and columns what to do in a step."""
        shape, word = self.shape, self.order.payload.data
        add, subtract, product, select = (word.op == op for op in (ADD, SUB, MADD, SEL))
        # of a condition, y is the number that is compared and x what is taken if it is greater
        chosen = {
            "x": Mux(select, word.v2, word.v1),
            "y": Mux(select, word.v1, word.v2),
            "z": Mux(add | subtract, word.v2, word.v3),
        }
        for operand, kind in chosen.items():
            m.d.comb += [self.kinds[operand][what].eq(does & (kind == k)) for what, k in SOURCES.items()]
        m.d.comb += [
            self.s.eq(source & does.replicate(shape.pixels)),
            self.d.eq(target & does.replicate(shape.pixels)),
            self.product.eq(does & product),
            self.subtract.eq(does & subtract),
            self.select.eq(does & select),
            self.rows.eq(rows),
        ]
        for u in range(shape.units):
            bits = []
            for f in range(shape.filters):
                quick = is_equal(step, f // shape.units) if f % shape.units == u else Const(0, 1)
                slow = is_equal(step, f // shape.multipliers) if f % shape.multipliers == u else Const(0, 1)
                bits.append(does & Mux(product, slow, quick))
            m.d.comb += self.filters[u].eq(Cat(bits))

    def keep_flags(self, m, ends, bad):
        """The flags of a tile, from the end of its program until they are taken; `bad`, if there is infinity, is one."""
        found, there = Signal(len(bad) + 1, name="kept_flags"), Signal(name="kept")
        before = Signal(name="illegal_before")
        m.d.comb += [self.flags.valid.eq(there), self.flags.payload.data.eq(Cat(Const(0, 1 - len(bad)), found))]
        m.d.sync += before.eq((before | self.illegal) & ~ends)
        with m.If(ends):
            m.d.sync += [there.eq(1), found.eq(Cat(*bad, before | self.illegal))]
        with m.Elif(self.flags.ready):
            m.d.sync += there.eq(0)

    def results(self, m, leaving, left, flying):
        """Let lines leave."""
        shape, taken = self.shape, Signal(name="taken")
        m.d.comb += [self.y_valid.eq(leaving & ~flying), taken.eq(self.y_valid & self.y_ready)]
        line = self.turns(m, "line", shape.pixels, taken)
        row = self.turns(m, "row", shape.rows, taken & line[-1])
        m.d.comb += [
            self.leaves.eq(line),
            self.leaves_row.eq(row & leaving.replicate(shape.rows)),
            self.y_last.eq(line[-1] & row[-1]),
            left.eq(taken & self.y_last),
        ]

    def turns(self, m, name, count, moves):
        """A bit for each of `count` things, of which one is set, the next one behind a cycle with `moves`."""
        if count == 1:
            return Const(1, 1)
        turn = Signal(count, name=name, init=1)
        with m.If(moves):
            m.d.sync += turn.eq(Cat(turn[-1], turn[:-1]))
        return turn


def control_flip_flops(shape, fmt):
    """One-bit registers of the control."""
    most = max(steps(shape, op) for op in (ADD, MADD))
    turns = sum(count for count in (shape.pixels, shape.rows) if count > 1)
    infinite = 2 if fmt.infinite else 0
    return 4 + infinite + 3 + index_bits(most) + (shape.adder_latency - 1) * shape.pixels + turns
