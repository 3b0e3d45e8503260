"""The MAC tree: lanes of products, a tree of adders, an accumulator, the bias and one rounding."""

from abc import abstractmethod
from dataclasses import dataclass

from amaranth import Cat, ClockSignal, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import Minifloat
from golden.mac import MacSpec
from golden.mac_tree import mac_tree_latency
from rtl.arithmetic import add_narrow, widen
from rtl.blocks import place
from rtl.mac import addend_width, carries, fixed_point, product, shifted
from rtl.rounding import to_integer, to_minifloat
from rtl.streams import packets, singles

__all__ = ["SHIFT_BITS", "UP_BITS", "ExactTree", "ExactWidths", "Lane", "MacUnit", "Tree", "control_flip_flops", "joined", "result_width"]

UP_BITS, SHIFT_BITS = 4, 6  # of the shifts that are given at run time


class Lane(wiring.Component):
    """A product a cycle, registered: ``addend + carry``, of codes `a` and `w`."""

    def __init__(self, *, a, w):
        self.formats = a, w
        ports = {"a": In(a.width), "w": In(w.width), "addend": Out(signed(addend_width(a, w)))}
        super().__init__(ports | ({"carry": Out(1)} if carries(a, w) else {}))

    def elaborate(self, platform):
        m = Module()
        addend, carry = product(m, *self.formats, self.a, self.w)
        kept = Signal.like(self.addend, name="kept", reset_less=True)
        m.d.sync += kept.eq(addend)
        m.d.comb += self.addend.eq(kept)
        if carries(*self.formats):
            kept_carry = kept[-1]
            if self.formats[0].signed:
                kept_carry = Signal(name="kept_carry", reset_less=True)
                m.d.sync += kept_carry.eq(carry)
            m.d.comb += self.carry.eq(kept_carry)
        return m


class MacUnit(wiring.Component):
    """``next = total + a * w``, combinational, exact: what a lane's arithmetic costs."""

    def __init__(self, *, a, w, acc_width):
        self.formats = a, w
        super().__init__({"a": In(a.width), "w": In(w.width), "total": In(acc_width), "next": Out(acc_width)})

    def elaborate(self, platform):
        m = Module()
        addend, carry = product(m, *self.formats, self.a, self.w)
        m.d.comb += self.next.eq(add_narrow(m, self.total, addend, carry if carries(*self.formats) else None))
        return m


def joined(nodes, add, pass_on=lambda x, name: x):
    """What is left of `nodes` when neighbours are joined by ``add(x, y, name)``, level by level; an odd one passes on."""
    level = 0
    while len(nodes) > 1:
        pairs = [add(x, y, f"{level}_{i}") for i, (x, y) in enumerate(zip(nodes[::2], nodes[1::2]))]
        odd = [pass_on(x, f"{level}_{len(pairs)}") for x in nodes[2 * len(pairs) :]]
        nodes = pairs + odd
        level += 1
    return nodes[0]


def result_width(spec):
    """Bits of the register of results: their sign bit is always 0 behind a ReLU."""
    return spec.y.width - (spec.relu and spec.y.signed)


class Tree(wiring.Component):
    """``y = round(sum over beats and lanes of a * w + bias)``: streams and control; how sums are made is a subclass's.

    A beat of `a` and a beat of `w`, taken together, are `lanes` products; ``last`` on either ends the sum, which takes
    a beat of `p`. A beat a cycle, whatever the length of sums; the result comes `latency` cycles behind the last beat.
    A result that is not taken, or parameters that do not come, stop the whole tree.

    Attributes
    ----------
    a, w : In(stream)
        `lanes` codes.
    p : In(stream without last)
        What `layout` says.
    y : Out(stream)
        One code, a packet of its own.

    Source: Gysel, Ristretto, figures 5.1, 6.2 and 7.2.
    """

    def __init__(self, *, spec, lanes, blocks):
        self.spec, self.lanes, self.blocks = spec, lanes, blocks
        super().__init__(
            {
                "a": In(packets(data.ArrayLayout(spec.a.width, lanes))),
                "w": In(packets(data.ArrayLayout(spec.w.width, lanes))),
                "p": In(singles(self.layout)),
                "y": Out(packets(spec.y.width)),
            }
        )

    @property
    def layout(self):
        """A beat of parameters."""
        return data.StructLayout({"bias": self.spec.bias.width})

    @property
    def constant(self):
        """Bits of outputs that are constant: ``last``, and the sign behind a ReLU."""
        return {f"y__payload[{bit}]" for bit in range(result_width(self.spec), 1 + self.spec.y.width)}

    @property
    def latency(self):
        """Cycles from the last beat of a sum to its result."""
        return mac_tree_latency(self.lanes, self.spec.accumulate)

    @property
    def beat_stages(self):
        """Registers between products and the accumulator."""
        return self.latency - 4

    @abstractmethod
    def sums(self, m, run, adds, fresh):
        """The accumulated sum, one stage behind the beats: it takes one where `adds`, and starts anew where `fresh`."""

    @abstractmethod
    def results(self, m, run, total):
        """The code of the result of a sum, two stages behind it."""

    def elaborate(self, platform):
        m = Module()
        run, free = Signal(name="run"), Signal(name="free")
        enters, adds = Signal(name="enters"), Signal(name="adds")
        fresh = Signal(init=1)  # the accumulator starts anew
        last = Signal(1 + self.beat_stages)  # of the beats before the accumulator
        valid = Signal(self.latency - 1)  # that a beat is there; in the accumulator and behind it, that a whole sum is
        done = Signal()  # that a result is
        whole = valid[-2]
        m.d.comb += [
            free.eq(~done | self.y.ready),
            run.eq(free & (~whole | self.p.valid)),
            enters.eq(self.a.valid & self.w.valid),
            adds.eq(run & valid[self.beat_stages]),
            self.a.ready.eq(run & self.w.valid),
            self.w.ready.eq(run & self.a.valid),
            self.p.ready.eq(free & whole),
            self.y.valid.eq(done),
            self.y.payload.last.eq(1),
        ]
        with m.If(run):
            m.d.sync += [
                valid.eq(Cat(enters, valid[: self.beat_stages], valid[self.beat_stages] & last[-1], whole)),
                last.eq(Cat(self.a.payload.last | self.w.payload.last, last)),
            ]
        with m.If(free):
            m.d.sync += done.eq(run & valid[-1])  # while parameters do not come, nothing follows a result that is taken
        with m.If(adds):
            m.d.sync += fresh.eq(last[-1])
        code = self.results(m, run, self.sums(m, run, adds, fresh))
        y = Signal(result_width(self.spec), name="result", reset_less=True)
        with m.If(run):
            m.d.sync += y.eq(code)
        m.d.comb += self.y.payload.data.eq(Cat(y, Const(0, self.spec.y.width - len(y))))
        return m

    def lanes_of(self, m, name, run):
        """The outputs of the blocks `name` of all lanes, placed: [{port: Value}]."""
        block, found = self.blocks[name], []
        for i in range(self.lanes):
            ports = {port: member for port, member in block.signature.members.items() if member.flow == Out}
            outputs = {port: Signal(member.shape, name=f"{port}_{i}") for port, member in ports.items()}
            inputs = {"a": self.a.payload.data[i], "w": self.w.payload.data[i]}
            m.submodules[f"{name}_{i}"] = place(name, block, clk=ClockSignal(), run=run, **outputs, **inputs)
            found.append(outputs)
        return found


def control_flip_flops(latency):
    """Registers for what is valid in each stage, what is last in those before the accumulator, and whether it is new."""
    return latency + (latency - 3) + 1


@dataclass(frozen=True, kw_only=True)
class ExactWidths:
    """Bits in an `ExactTree`, of whose parameters it is made."""

    spec: MacSpec
    lanes: int
    dynamic: bool

    @property
    def lane(self):
        """Registers of a lane."""
        a, w = self.spec.a, self.spec.w
        return addend_width(a, w) + (carries(a, w) and a.signed)

    @property
    def beat(self):
        """The sum of a beat."""
        return min(addend_width(self.spec.a, self.spec.w) + (self.lanes - 1).bit_length(), self.spec.acc_width)

    @property
    def carry(self):
        """The carry that comes with the sum of a beat, if there is one that is no copy of its sign."""
        return int(carries(self.spec.a, self.spec.w) and (self.lanes > 1 or self.spec.a.signed))

    @property
    def unused(self):
        """By how much the unit of the result is finer than those of sum and bias."""
        return 0 if self.dynamic else min(self.spec.up, self.spec.bias_up)

    @property
    def total(self):
        """A sum with its bias."""
        if self.dynamic:
            return 1 + max(self.spec.acc_width + (1 << UP_BITS) - 1, self.spec.bias.width)
        return self.spec.total_width - self.unused

    @property
    def flip_flops(self):
        """All registers."""
        sums = self.beat + self.carry + self.spec.acc_width + self.total + self.dynamic * SHIFT_BITS
        control = control_flip_flops(mac_tree_latency(self.lanes))
        return self.lanes * self.lane + sums + result_width(self.spec) + control


class ExactTree(Tree):
    """A `Tree` whose sums never round.

    Adders grow by a bit a level, up to the accumulator, which holds every sum of ``spec.k`` products. Each takes one
    carry of the lanes below it.

    Parameters
    ----------
    spec : golden.mac.MacSpec
        Formats, with `k` the most products in a sum.
    lanes : int
    dynamic : bool
        Units are given at run time: ``total = (sum << up) + bias``, rounded to ``total >> shift``; the exponents of
        `spec` are of no meaning then. A beat of `p` holds the bias, `up` and `shift`.
    """

    def __init__(self, *, spec, lanes, dynamic=False):
        self.dynamic = dynamic
        self.widths = ExactWidths(spec=spec, lanes=lanes, dynamic=dynamic)
        super().__init__(spec=spec, lanes=lanes, blocks={"lane": Lane(a=spec.a, w=spec.w)})

    @property
    def layout(self):
        shifts = {"up": UP_BITS, "shift": SHIFT_BITS} if self.dynamic else {}
        return data.StructLayout(super().layout.members | shifts)

    def sums(self, m, run, adds, fresh):
        width = self.spec.acc_width

        def add(x, y, name):
            (x, carry), (y, other) = x, y
            longer = min(max(len(x), len(y)) + 1, width)
            total = Signal(signed(longer), name=f"sum_{name}")
            found = (widen(x, longer) + widen(y, longer))[:longer]
            m.d.comb += total.eq((found + carry)[:longer].as_signed() if len(carry) else found.as_signed())
            return total, other

        lanes = self.lanes_of(m, "lane", run)
        found, carry = joined([(lane["addend"], lane.get("carry", Const(0, 0))) for lane in lanes], add)
        beat = Signal(signed(self.widths.beat), name="beat", reset_less=True)
        beat_carry = beat[-1] if carries(self.spec.a, self.spec.w) else None
        with m.If(run):
            m.d.sync += beat.eq(found)
        if self.widths.carry:
            beat_carry = Signal(name="beat_carry", reset_less=True)
            with m.If(run):
                m.d.sync += beat_carry.eq(carry)
        total = Signal(width, name="total", reset_less=True)
        held = Signal(width, name="held")
        m.d.comb += held.eq(total & (~fresh).replicate(width))
        added = add_narrow(m, held, beat, beat_carry)
        with m.If(adds):
            m.d.sync += total.eq(added)
        return total.as_signed()

    def results(self, m, run, total):
        spec, p = self.spec, self.p.payload.data
        if self.dynamic:
            raised, bias = shifted(m, total, p.up, Const(0, 1), "raised"), p.bias.as_signed()
            shift = Signal(SHIFT_BITS, name="shift", reset_less=True)
            with m.If(run):
                m.d.sync += shift.eq(p.shift)
        else:
            raised = Cat(Const(0, spec.up - self.widths.unused), total).as_signed()
            bias = fixed_point(m, spec.bias, p.bias, "bias")
            bias = Cat(Const(0, spec.bias_up - self.widths.unused), bias).as_signed()
            shift = spec.shift - self.widths.unused
        width = self.widths.total
        biased = Signal(signed(width), name="biased", reset_less=True)
        with m.If(run):
            m.d.sync += biased.eq((widen(raised, width) + widen(bias, width))[:width].as_signed())
        if isinstance(spec.y, Minifloat):
            return to_minifloat(m, biased, shift, spec.y, relu=spec.relu)
        return to_integer(m, biased, shift, spec.y, relu=spec.relu)
