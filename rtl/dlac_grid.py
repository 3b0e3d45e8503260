"""The grid of DLAC as a streaming engine."""

from functools import reduce
from operator import or_

from amaranth import Cat, ClockSignal, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.dlac_program import FIELDS
from rtl.blocks import place
from rtl.dlac_control import SOURCES, DlacControl
from rtl.dlac_pe import DlacElement
from rtl.fetch import picked
from rtl.streams import packets, singles

__all__ = ["ColumnWords", "DlacGrid"]

OUTSIDE = [what for what in SOURCES if what != "buffer"]


class ColumnWords(wiring.Component):
    """The words that pointwise operations of a column's elements take from elsewhere than their buffers. No latency.

    Parameters
    ----------
    shape : golden.dlac_grid.GridShape
    fmt : golden.formats.Float

    Attributes
    ----------
    stream : In
        A word for each filter.
    load : In(1)
        The table, which also has one, is loaded from there.
    immediate : In
    x_table (and so on), filter : In
        As `DlacControl` has them; a single filter needs no choice.
    x, y, z : Out
        A word for each unit; zeros where it comes from a buffer, or there is none.
    """

    free_running = True  # without an enable for all registers, as a block (`rtl.blocks`)

    def __init__(self, *, shape, fmt):
        self.shape, self.fmt = shape, fmt
        words = data.ArrayLayout(fmt.width, shape.units)
        super().__init__(
            {
                "stream": In(data.ArrayLayout(fmt.width, shape.filters)),
                "load": In(1),
                "immediate": In(fmt.width),
                **{f"{key}_{what}": In(1) for key in "xyz" for what in OUTSIDE},
                **({"filter": In(data.ArrayLayout(shape.filters, shape.units))} if shape.filters > 1 else {}),
                "x": Out(words),
                "y": Out(words),
                "z": Out(words),
            }
        )

    def elaborate(self, platform):
        m = Module()
        filters, width = range(self.shape.filters), self.fmt.width
        table = [Signal(width, name=f"word_{f}", reset_less=True) for f in filters]
        with m.If(self.load):
            m.d.sync += [word.eq(self.stream[f]) for f, word in enumerate(table)]
        for u in range(self.shape.units):
            found = {"immediate": self.immediate}
            for what, words in (("table", table), ("stream", list(self.stream))):
                found[what] = Signal(width, name=f"picked_{what}_{u}")
                m.d.comb += found[what].eq(picked(list(self.filter[u]) if len(filters) > 1 else [], words))
            for key in "xyz":
                gates = [getattr(self, f"{key}_{what}") for what in OUTSIDE]
                m.d.comb += getattr(self, key)[u].eq(picked(gates, [found[what] for what in OUTSIDE]))
        return m


class DlacGrid(wiring.Component):
    """``y = program(a @ w)``, tile by tile, skipping zeros; the sums of a tile stay in the buffers of the elements.

    A beat of `a` and one of `w` are a k-step of a tile: row r of elements gets `pixels` activations, column c `filters`
    weights. ``last`` on either ends the tile. Behind the products, a packet of instructions is executed, and the
    results leave. Cycles are those of `golden.dlac`; the first k-step of a tile is taken when the results of the one
    before have left. A beat of `v` or `i` that is late, or of `y` that is not taken, stops what needs it.

    Parameters
    ----------
    shape : golden.dlac_grid.GridShape
    fmt : golden.formats.Float

    Attributes
    ----------
    a : In(stream)
        ``rows * pixels`` codes a beat.
    w : In(stream)
        ``cols * filters`` codes a beat: ternary ones, of which 10 is worth 0, or of `fmt`.
    i : In(stream)
        An instruction a beat, see `golden.dlac_program`; ``last`` ends the program of a tile.
    v : In(stream without last)
        Words for instructions, ``cols * filters`` a beat.
    y : Out(stream)
        ``cols * filters`` results a beat, ``rows * pixels`` beats a tile, ``last`` with the last.
    e : Out(stream without last)
        A beat a tile: bit 0 if an operand was not finite, bit 1 if an instruction was not legal.

    Source: Venkatesh, Nurvitadhi and Marr, section 3 and figure 2.
    """

    def __init__(self, *, shape, fmt):
        self.shape, self.fmt = shape, fmt
        self.element, self.words = DlacElement(shape=shape, fmt=fmt), ColumnWords(shape=shape, fmt=fmt)
        self.blocks = {"pe": self.element, "words": self.words}
        weight = 2 if shape.ternary else fmt.width
        words = data.ArrayLayout(fmt.width, shape.tile_cols)
        super().__init__(
            {
                "a": In(packets(data.ArrayLayout(fmt.width, shape.tile_rows))),
                "w": In(packets(data.ArrayLayout(weight, shape.tile_cols))),
                "i": In(packets(data.StructLayout({**FIELDS, "immediate": fmt.width}))),
                "v": In(singles(words)),
                "y": Out(packets(words)),
                "e": Out(singles(2)),
            }
        )

    @property
    def constant(self):
        """Bits of outputs that are constant."""
        return set() if self.fmt.infinite else {"e__payload[0]"}

    apart = frozenset({("e__payload", "v__payload")})  # an output, and what it does not depend on

    def elaborate(self, platform):
        m = Module()
        shape, width = self.shape, self.fmt.width
        rows, cols = range(shape.rows), range(shape.cols)
        m.submodules.control = control = DlacControl(shape=shape, fmt=self.fmt)
        of_rows, of_cols = self.operands(m, control)
        wiring_of = self.words_of(m, control)

        full, active, lines = [], [], []
        for r in rows:
            of_row = [Signal(shape.filters, name=f"filter_{r}_{u}") for u in range(shape.units)]
            leaves = Signal(shape.pixels, name=f"leaves_{r}")
            here = control.rows[r].replicate(shape.filters)
            m.d.comb += [signal.eq(bits & here) for signal, bits in zip(of_row, control.filters)]
            m.d.comb += leaves.eq(control.leaves & control.leaves_row[r].replicate(shape.pixels))
            for c in cols:
                out = {key: Signal(name=f"{key}_{r}_{c}") for key in ("full", "active")}
                out["line"] = Signal(shape.filters * width, name=f"line_{r}_{c}")
                m.submodules[f"pe_{r}_{c}"] = place(
                    "pe",
                    self.element,
                    clk=ClockSignal(),
                    clear=control.clear,
                    push=control.takes,
                    **of_rows[r],
                    **of_cols[c],
                    **wiring_of[c],
                    **{f"{key}_buffer": control.kinds[key].buffer for key in "xyz"},
                    s=control.s,
                    d=control.d,
                    filter=Cat(of_row),
                    product=control.product,
                    subtract=control.subtract,
                    select=control.select,
                    bound=self.i.payload.data.immediate,
                    leaves=leaves,
                    **out,
                )
                full.append(out["full"])
                active.append(out["active"])
                lines.append(out["line"])
        m.d.comb += [control.full.eq(Cat(full).any()), control.active.eq(Cat(active).any())]
        columns = [reduce(or_, lines[c :: shape.cols]) for c in cols]
        m.d.comb += [
            self.y.payload.data.eq(Cat(columns)),
            self.y.payload.last.eq(control.y_last),
            self.y.valid.eq(control.y_valid),
            control.y_ready.eq(self.y.ready),
        ]
        wiring.connect(m, wiring.flipped(self.e), control.flags)
        m.d.comb += [control.order.payload.data[what].eq(self.i.payload.data[what]) for what in FIELDS]
        m.d.comb += [
            control.order.payload.last.eq(self.i.payload.last),
            control.order.valid.eq(self.i.valid),
            self.i.ready.eq(control.order.ready),
        ]
        m.d.comb += [control.v_valid.eq(self.v.valid), self.v.ready.eq(control.v_ready)]
        return m

    def operands(self, m, control):
        """Take k-steps: what the elements of each row, and of each column, get of them."""
        shape = self.shape
        a, w = list(self.a.payload.data), list(self.w.payload.data)
        field = slice(self.fmt.mantissa_bits, -1) if self.fmt.flush else slice(None, -1)  # of what is not 0
        a_on, w_on = Signal(shape.tile_rows, name="a_on"), Signal(shape.tile_cols, name="w_on")
        if shape.ternary:
            weights, nonzero = [code[1] for code in w], [code[0] for code in w]
            floats = a
        else:
            weights, nonzero = w, [code[field].any() for code in w]
            floats = a + w
        a_skips, w_skips = shape.skips
        m.d.comb += [
            a_on.eq(Cat(code[field].any() for code in a) if a_skips else ~Const(0, shape.tile_rows)),
            w_on.eq(Cat(nonzero) if w_skips or shape.ternary else ~Const(0, shape.tile_cols)),
            control.offered.eq(self.a.valid & self.w.valid),
            control.last.eq(self.a.payload.last | self.w.payload.last),
            self.a.ready.eq(control.takes),
            self.w.ready.eq(control.takes),
        ]
        if self.fmt.infinite:
            infinite = Signal(len(floats))
            m.d.comb += [
                infinite.eq(Cat(code[self.fmt.mantissa_bits : -1].all() for code in floats)),
                control.infinite.eq(infinite.any()),
            ]
        of_rows, of_cols = [], []
        for r in range(shape.rows):
            pixels = slice(r * shape.pixels, (r + 1) * shape.pixels)
            of_rows.append({"a": Cat(a[pixels]), "a_on": a_on[pixels]})
        for c in range(shape.cols):
            filters = slice(c * shape.filters, (c + 1) * shape.filters)
            on = {"w_on": w_on[filters]} if self.element.entry.mask else {}
            of_cols.append({"w": Cat(weights[filters])} | on)
        return of_rows, of_cols

    def words_of(self, m, control):
        """The words of each column."""
        shape, width, found = self.shape, self.fmt.width, []
        for c in range(shape.cols):
            out = {key: Signal(shape.units * width, name=f"{key}_words_{c}") for key in "xyz"}
            start, stop = c * shape.filters * width, (c + 1) * shape.filters * width
            m.submodules[f"words_{c}"] = place(
                "words",
                self.words,
                clk=ClockSignal(),
                load=control.load,
                stream=Cat(self.v.payload.data)[start:stop],
                immediate=self.i.payload.data.immediate,
                **({"filter": Cat(control.filters)} if shape.filters > 1 else {}),
                **{f"{key}_{what}": control.kinds[key][what] for key in "xyz" for what in OUTSIDE},
                **out,
            )
            found.append(out)
        return found
