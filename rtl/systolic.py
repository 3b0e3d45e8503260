"""The output-stationary systolic array as a streaming GEMM engine."""

from functools import reduce
from operator import and_

from amaranth import Cat, ClockDomain, ClockSignal, Const, EnableInserter, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.blocks import place
from rtl.control import FrontControl
from rtl.pe import ProcessingElement
from rtl.streams import packets

__all__ = ["SystolicArray"]


class Mesh(wiring.Component):
    """`rows` by `cols` processing elements with the skew of their operands and the deskew of their sums.

    Element (i, j) gets an operand pair i + j cycles after it enters. Behind a front (`first`), the sums of the tile
    before leave: row r of them, aligned, ``cols + r`` cycles after the front enters. Cycles count while `run` is high.

    Parameters
    ----------
    block : str
        Name of the module of a processing element.
    element : ProcessingElement
        Gives the ports of that module.
    rows, cols : int

    Attributes
    ----------
    clk, run : In(1)
        Clock and enable of every register; none needs a reset.
    a, w : In
        A k-step: `rows` codes and `cols` codes.
    first : In(1)
        Whether the k-step is a front.
    y : Out
        A row of `cols` sums.
    """

    def __init__(self, *, block, element, rows, cols):
        self.block, self.element, self.rows, self.cols = block, element, rows, cols
        sums = element.sums
        super().__init__(
            {
                "clk": In(1),
                "run": In(1),
                "a": In(data.ArrayLayout(sums.a.width, rows)),
                "w": In(data.ArrayLayout(sums.w.width, cols)),
                "first": In(1),
                "y": Out(data.ArrayLayout(sums.width, cols)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.mesh = ClockDomain("mesh", local=True, reset_less=True)
        m.d.comb += ClockSignal("mesh").eq(self.clk)
        rows, cols = range(self.rows), range(self.cols)

        def delayed(value, cycles, name):
            for stage in range(cycles):
                register = Signal(len(value), name=f"{name}_{stage}", reset_less=True)
                with m.If(self.run):
                    m.d.mesh += register.eq(value)
                value = register
            return value

        def wires(like, name):
            return {(i, j): Signal(len(like), name=f"{name}_{i}_{j}") for i in rows for j in cols}

        a_next, w_next = wires(self.element.a, "a"), wires(self.element.w, "w")
        first_next, leaving_n = wires(self.element.first, "first"), wires(self.element.leaving_n, "leaving_n")
        for i in rows:
            for j in cols:
                west, north = (i, j - 1), (i - 1, j)
                m.submodules[f"pe_{i}_{j}"] = place(
                    self.block,
                    self.element,
                    clk=self.clk,
                    run=self.run,
                    a=a_next[west] if j else delayed(self.a[i], i, f"a_skew_{i}"),
                    w=w_next[north] if i else delayed(self.w[j], j, f"w_skew_{j}"),
                    first=first_next[north] if i else first_next[west] if j else self.first,
                    a_next=a_next[i, j],
                    w_next=w_next[i, j],
                    first_next=first_next[i, j],
                    leaving_n=leaving_n[i, j],
                )
        for j in cols:
            column = Signal(len(self.element.leaving_n), name=f"column_{j}")
            m.d.comb += column.eq(~reduce(and_, (leaving_n[i, j] for i in rows)))  # at most one of them lets its sum go
            m.d.comb += self.y[j].eq(delayed(column, self.cols - 1 - j, f"deskew_{j}"))
        return m


class SystolicArray(wiring.Component):
    """Matrix multiplication ``y[m, n] = sum over k of a[m, k] * w[k, n]``, tile by tile, output-stationary, k ascending.

    A beat of `a` and a beat of `w`, taken together, are one k-step of a tile; ``last`` on either ends the tile. The
    sums of a tile leave as `rows` beats of `y`, row 0 first, ``last`` on the final one. They leave behind the front of
    the next tile or, while no input is there, behind a bubble. Fronts enter at least `rows` cycles apart.

    Throughput is a k-step a cycle; a tile of K steps occupies ``max(K, rows)`` cycles. From the first accepted beat to
    the last delivered one pass ``sum of max(K, rows) + rows + cols`` cycles (`golden.systolic`). A beat of `y` that is
    not taken stops the array, whole: every register has one enable.

    Parameters
    ----------
    sums : ExactSums or FusedSums
        Formats of operands and sums, and how these are added up. Exact ones wrap; a `GemmSpec` says for which K they
        never do.
    rows, cols : int
        Size of the array, 1 to 64 each.

    Attributes
    ----------
    a : In(stream)
        `rows` codes a beat.
    w : In(stream)
        `cols` codes a beat.
    y : Out(stream)
        `cols` sums a beat: two's complement, or codes.

    Source: Mishra and Marr, WRPN & Apprentice, section 3.
    """

    def __init__(self, *, sums, rows, cols):
        self.sums, self.rows, self.cols = sums, rows, cols
        self.blocks = {"pe": ProcessingElement(sums=sums)}
        super().__init__(
            {
                "a": In(packets(data.ArrayLayout(sums.a.width, rows))),
                "w": In(packets(data.ArrayLayout(sums.w.width, cols))),
                "y": Out(packets(data.ArrayLayout(sums.width, cols))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        [(block, element)] = self.blocks.items()
        mesh = Mesh(block=block, element=element, rows=self.rows, cols=self.cols)
        control = FrontControl(rows=self.rows, cols=self.cols)
        run = Signal()
        m.submodules.mesh = mesh
        m.submodules.control = EnableInserter(run)(control)

        offered = self.a.valid & self.w.valid
        fields = zip(self.sums.idle, (self.sums.a, self.sums.w), (self.rows, self.cols))
        idle_a, idle_w = (Cat(Const(code, fmt.width) for _ in range(count)) for code, fmt, count in fields)
        enters = Signal()
        m.d.comb += [
            run.eq(~self.y.valid | self.y.ready),
            mesh.clk.eq(ClockSignal()),
            mesh.run.eq(run),
            control.offered.eq(offered),
            control.last.eq(self.a.payload.last | self.w.payload.last),
            enters.eq(offered & control.open),
            self.a.ready.eq(run & control.open & self.w.valid),
            self.w.ready.eq(run & control.open & self.a.valid),
            mesh.first.eq(control.first),
            mesh.a.eq(Mux(enters, self.a.payload.data.as_value(), idle_a)),  # in a bubble sums stay as they are,
            mesh.w.eq(Mux(enters, self.w.payload.data.as_value(), idle_w)),  # though an idle port may be unknown
            self.y.valid.eq(control.leaving),
            self.y.payload.data.eq(mesh.y),
            self.y.payload.last.eq(control.leaving_last),
        ]
        return m
