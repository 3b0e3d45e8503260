"""The processing element of DLAC: lanes, issue, scoreboard, units and output buffers."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.dlac_issue import Issue
from rtl.dlac_lane import Lane, lane_flip_flops
from rtl.dlac_unit import Greater, Unit, unit_flip_flops
from rtl.fetch import picked, selected

__all__ = ["DlacElement", "Entry", "element_flip_flops"]


class Entry:
    """What a lane keeps of an activation: mask of products, weights, number, from the bottom up.

    Of ternary weights the mask of those that are not 0 says which there are; where that is not the mask of products, as
    all are issued, an entry has all the same bits. Of other weights it has the codes, and a mask if their zeros are
    skipped.

    Parameters
    ----------
    shape : golden.dlac_grid.GridShape
    fmt : golden.formats.Float
    """

    def __init__(self, shape, fmt):
        self.masked = shape.skips[1]
        self.payload = 1 if shape.ternary else fmt.width  # bits of a weight beside the mask
        self.filters, self.number = shape.filters, fmt.width
        self.mask = shape.filters if shape.ternary or self.masked else 0

    @property
    def width(self):
        return self.mask + self.filters * self.payload + self.number



class DlacElement(wiring.Component):
    """``buffer[p, f] <- buffer[p, f] + a[p] * w[f]`` for the products that the masks leave; pointwise operations.

    A product is issued, its operands read, in one cycle; its sum is in its buffer `adder_latency` cycles later. A pointwise
    operation is one of each unit, on the buffers of a line; its result is there as soon. `golden.dlac_schedule` says
    which products are issued when. Registers have no reset; `clear` makes the element ready, its buffers 0.

    Parameters
    ----------
    shape : golden.dlac_grid.GridShape
    fmt : golden.formats.Float
        Format of activations, sums and, unless these are ternary, weights.

    Attributes
    ----------
    clear : In(1)
    push, a, a_on, w, w_on : In
        A k-step is taken: activations and weights (of ternary ones whether they are negative), and which have products
        (of ternary weights: are not 0). Where all weights that are not ternary have products, there is no `w_on`.
    full, active : Out(1)
        A lane has no room; a lane is not empty, or a sum is not in its buffer yet.
    x, y, z : In
        Words for a pointwise operation of each unit, ``x * y + z``, or with `select` ``x if y > bound else z``. A word
        that is to come from a buffer is 0, as all are when there is no operation.
    x_buffer, y_buffer, z_buffer : In(1)
        Which of them come from the buffer of line `s` and of the unit's filter.
    s, d : In(pixels)
        A bit for the source line and one for the destination; none when there is no operation.
    filter : In
        For each unit a bit for its filter; none if it has none, or the operation is not for this element.
    product, subtract, select : In(1)
        Whether `y` is a factor (or else 1), the term is ``-z``, or there is a condition.
    bound : In
    leaves : In(pixels)
        A bit for the line that is at `line`; none if it is another element's turn.
    line : Out
        A line of buffers, or zeros.

    Source: Venkatesh, Nurvitadhi and Marr, section 3 and figure 2.
    """

    free_running = True  # without an enable for all registers, as a block (`rtl.blocks`)

    def __init__(self, *, shape, fmt):
        self.shape, self.fmt, self.entry = shape, fmt, Entry(shape, fmt)
        words = data.ArrayLayout(fmt.width, shape.units)
        super().__init__(
            {
                "clear": In(1),
                "push": In(1),
                "a": In(data.ArrayLayout(fmt.width, shape.pixels)),
                "a_on": In(shape.pixels),
                "w": In(data.ArrayLayout(self.entry.payload, shape.filters)),
                **({"w_on": In(shape.filters)} if self.entry.mask else {}),
                "full": Out(1),
                "active": Out(1),
                "x": In(words),
                "y": In(words),
                "z": In(words),
                "x_buffer": In(1),
                "y_buffer": In(1),
                "z_buffer": In(1),
                "s": In(shape.pixels),
                "d": In(shape.pixels),
                "filter": In(data.ArrayLayout(shape.filters, shape.units)),
                "product": In(1),
                "subtract": In(1),
                "select": In(1),
                "bound": In(fmt.width),
                "leaves": In(shape.pixels),
                "line": Out(data.ArrayLayout(fmt.width, shape.filters)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape, width = self.shape, self.fmt.width
        pixels, filters = range(shape.pixels), range(shape.filters)
        buffers = {(p, f): Signal(width, name=f"buffer_{p}_{f}", reset_less=True) for p in pixels for f in filters}
        written = Signal(shape.buffers, reset_less=True)  # a buffer that is not reads as 0
        lanes = self.lanes(m)
        issue = Issue(pixels=shape.pixels, filters=shape.filters, issue=shape.issue, count_width=shape.depth.bit_length())
        m.submodules.issue = issue

        flying = [[] for _ in pixels]  # of each lane: filters of its buffers whose sums are on their way
        works, writes = [Cat(lane.count.any() for lane in lanes).any()], []
        for u in range(shape.units):
            lane, of = (Signal(len(i), name=f"selected_{n}_{u}") for i, n in ((self.s, "lane"), (self.filter[u], "filter")))
            to = Signal(shape.pixels, name=f"destination_{u}")
            chosen = Const(0, shape.pixels), Const(0, shape.filters)
            if u < shape.issue:
                chosen = issue.lane[u], issue.filter[u]
            m.d.comb += [lane.eq(chosen[0] | self.s), of.eq(chosen[1] | self.filter[u]), to.eq(chosen[0] | self.d)]
            operands = self.operands(m, u, lanes, chosen, self.read(m, u, buffers, written, lane, of))
            unit = Unit(fmt=self.fmt, multiplies=u < shape.multipliers, latency=shape.adder_latency)
            m.submodules[f"unit_{u}"] = unit
            m.d.comb += [getattr(unit, key).eq(value) for key, value in operands.items() if hasattr(unit, key)]
            for stage in range(1, shape.adder_latency):
                later = Signal(shape.pixels, name=f"to_{u}_{stage}", reset_less=True)
                later_of = Signal(shape.filters, name=f"filter_{u}_{stage}", reset_less=True)
                m.d.sync += [later.eq(to & (~self.clear).replicate(shape.pixels)), later_of.eq(of)]
                to, of = later, later_of
                works.append(to.any())
                for p in pixels:
                    flying[p].append(of & to[p].replicate(shape.filters))
            writes.append((to, of, unit.result))

        for p, lane in enumerate(lanes):
            busy = Signal(shape.filters, name=f"busy_{p}")
            m.d.comb += [
                busy.eq(reduce(or_, flying[p], Const(0, shape.filters))),
                issue.counts[p].eq(lane.count),
                issue.offered[p].eq(lane.offered & ~busy),
                lane.issued.eq(reduce(or_, (of & to[p].replicate(shape.filters) for to, of in zip(issue.lane, issue.filter)))),
            ]
        m.d.comb += [self.full.eq(Cat(lane.count == shape.depth for lane in lanes).any()), self.active.eq(Cat(works).any())]
        self.write(m, buffers, written, writes)
        for f in filters:
            gates = [self.leaves[p] & written[p * shape.filters + f] for p in pixels]
            m.d.comb += self.line[f].eq(reduce(or_, (buffers[p, f] & gates[p].replicate(width) for p in pixels)))
        return m

    def lanes(self, m):
        """A lane for each pixel, fed."""
        lanes = []
        for p in range(self.shape.pixels):
            lane = Lane(depth=self.shape.depth, width=self.entry.width, filters=self.shape.filters, masked=self.entry.masked)
            m.submodules[f"pixel_{p}"] = lane
            some = self.w_on.any() if self.entry.masked else Const(1, 1)
            m.d.comb += [
                lane.clear.eq(self.clear),
                lane.push.eq(self.push & self.a_on[p] & some),
                lane.entry.eq(Cat(self.w_on if self.entry.mask else [], self.w, self.a[p])),
            ]
            lanes.append(lane)
        return lanes

    def read(self, m, u, buffers, written, lane, of):
        """What the buffer of a lane and a filter holds."""
        filters, word = self.shape.filters, Signal(self.fmt.width, name=f"buffer_of_{u}")
        gates = {(p, f): lane[p] & of[f] & written[p * filters + f] for p, f in buffers}
        m.d.comb += word.eq(reduce(or_, (buffers[at] & gate.replicate(len(word)) for at, gate in gates.items())))
        return word

    def operands(self, m, u, lanes, chosen, buffer):
        """The operands of a unit: of a product, with its activation and weight, or of a pointwise operation."""
        shape, width, ternary = self.shape, self.fmt.width, self.shape.ternary
        sign = Cat(Const(0, width - 1), Const(1, 1))
        lane, of = chosen
        does, entry, size = of.any(), self.entry, self.entry.payload
        zeros = ternary and not entry.masked  # weights of 0 are among the products
        first = Signal(len(lanes[0].first), name=f"entry_{u}")
        m.d.comb += first.eq(selected(list(lane), [queue.first for queue in lanes]))  # 0 in a pointwise operation
        activation, weights = first[-width:], first[:-width]
        of_filter = [weights[len(weights) + (f - shape.filters) * size :][:size] for f in range(shape.filters)]
        weight = picked(list(of), of_filter)
        if ternary:
            factor = activation ^ (sign & weight.replicate(width))
            if zeros:  # where a weight is 0, -0 is added
                some = picked(list(of), list(weights[: shape.filters]))
                factor = (factor & some.replicate(width)) | (sign & (does & ~some).replicate(width))
        else:
            factor = activation
        x, y, z = (Signal(width, name=f"operand_{key}_{u}") for key in "xyz")
        m.d.comb += [
            x.eq(self.x[u] | (buffer & self.x_buffer.replicate(width)) | factor),
            y.eq(self.y[u] | (buffer & self.y_buffer.replicate(width))),
            z.eq(self.z[u] | (buffer & (self.z_buffer | does).replicate(width))),
        ]
        m.submodules[f"greater_{u}"] = greater = Greater(self.fmt)
        one = Const(int(self.fmt.encode(1.0)), width)
        second, third = Signal(name=f"otherwise_{u}"), Signal(width, name=f"term_{u}")
        m.d.comb += [
            greater.x.eq(y),
            greater.y.eq(self.bound),
            second.eq(self.select & ~greater.r),
            third.eq((z & (~self.select).replicate(width)) ^ (sign & (self.subtract | self.select).replicate(width))),
        ]
        return {
            "x": Mux(second, z, x),
            "y": Mux(self.product, y, one if ternary else Mux(does, weight, one)),
            "z": third,
        }

    def write(self, m, buffers, written, writes):
        """Take what units have done into buffers."""
        taken = []
        for (p, f), buffer in buffers.items():  # pixel by pixel, as the bits of `written`
            gates = [Signal(name=f"write_{p}_{f}_{u}") for u in range(len(writes))]
            m.d.comb += [gate.eq(to[p] & of[f]) for gate, (to, of, _) in zip(gates, writes)]
            with m.If(Cat(gates).any()):
                m.d.sync += buffer.eq(picked(gates, [result for _, _, result in writes]))
            taken.append(Cat(gates).any())
        m.d.sync += written.eq((written | Cat(taken)) & (~self.clear).replicate(len(written)))
        return m


def element_flip_flops(shape, fmt):
    """One-bit registers of an element."""
    lanes = shape.pixels * lane_flip_flops(shape.depth, Entry(shape, fmt).width, shape.filters)
    units = sum(unit_flip_flops(fmt, u < shape.multipliers, shape.adder_latency) for u in range(shape.units))
    destinations = shape.units * (shape.pixels + shape.filters)
    return lanes + units + (shape.adder_latency - 1) * destinations + shape.buffers * (fmt.width + 1)
