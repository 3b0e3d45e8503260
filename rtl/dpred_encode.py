"""The encoder of DPRed containers: header, body, CRC and the verdict on a packet's length, around a `Packer`."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.dpred import TABLE_AT, TABLE_BITS, WORD_BITS
from rtl.crc import Crc32
from rtl.dpred_layout import BodyLayout
from rtl.dpred_pack import Packer, packer_flip_flops
from rtl.streams import packets, singles

__all__ = ["COUNT_BITS", "CRC_BITS", "DpredEncoder", "body_layout", "encoder_flip_flops"]

COUNT_BITS = CRC_BITS = 32


def body_layout(spec):
    """How the bodies of a `DpredSpec` lie."""
    return BodyLayout(word=spec.word, signed=spec.signed, group=spec.group, zeros=spec.zeros, memory=WORD_BITS)


def encoder_flip_flops(spec):
    """One-bit registers of a `DpredEncoder`."""
    return packer_flip_flops(body_layout(spec)) + 2 * COUNT_BITS + spec.word + 1 + 2 + CRC_BITS + 5


class DpredEncoder(wiring.Component):
    """Memory words in, DPRed containers out, a packet each.

    Every cycle takes a memory word or delivers a container word. Words of a packet that has more than its count
    says are dropped; one of the wrong length, or whose values need more bits than there are widths for, becomes a
    container that ends like others and whose CRC is inverted.

    Parameters
    ----------
    spec : golden.dpred.DpredSpec

    Attributes
    ----------
    x : In(stream)
        Memory words. In the last of a packet what lies behind `n` values is ignored.
    n : In(stream without last)
        How many values the packet has, 1 to 2**32 - 1, and in the `word` + 1 bits above which widths its groups may
        have: those of a `golden.dpred_widths.WidthTable`. Taken with the packet's first word.
    c : Out(stream)
        Words of the container.
    e : Out(stream without last)
        For each container, behind its last word: 1 if the packet does not fit its count or its widths.
    """

    blocks = {}

    def __init__(self, spec):
        self.spec, self.layout = spec, body_layout(spec)
        super().__init__(
            {
                "x": In(packets(self.layout.values)),
                "n": In(singles(data.StructLayout({"count": COUNT_BITS, "table": self.layout.word + 1}))),
                "c": Out(packets(WORD_BITS)),
                "e": Out(singles(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.packer = packer = Packer(self.layout)
        header, waits = Signal(self.n.payload.data.shape(), name="header", reset_less=True), Signal(name="waits")
        starts = Signal(name="starts")
        self.front(m, packer.memory, header, waits)
        self.back(m, packer.body, header, waits, starts)
        with m.If(starts):
            m.d.sync += waits.eq(0)
        return m

    def front(self, m, y, header, waits):
        """Count the values of each packet: its words to `y`, what `n` says to `header`, which `waits` until it is sent."""
        most = self.layout.per_word
        begun, left = Signal(name="begun"), Signal(COUNT_BITS, name="left", reset_less=True)
        count, known, counts = Signal(COUNT_BITS, name="count"), Signal(name="known"), Signal(name="counts")
        fits, last, n = Signal(name="fits"), self.x.payload.last, self.n.payload.data
        table = Signal(self.layout.word + 1, name="widths")
        m.d.comb += [
            count.eq(Mux(begun, left, n.count)),
            table.eq(Mux(begun, header.table, n.table)),
            known.eq(begun | (self.n.valid & ~waits)),
            counts.eq(last | count.any()),  # others are dropped
            fits.eq(count <= most),
            y.payload.values.eq(self.x.payload.data),
            y.payload.present.eq(Mux(fits, count[: most.bit_length()], most)),
            y.payload.last.eq(last),
            y.payload.table.eq(table),
            y.payload.bad.eq(~fits | ~count.any() | table.all() | ~table[1:].any()),
            y.valid.eq(self.x.valid & known & counts),
            self.x.ready.eq(known & (y.ready | ~counts)),
            self.n.ready.eq(self.x.valid & self.x.ready & ~begun),
        ]
        with m.If(self.x.valid & self.x.ready):
            m.d.sync += [begun.eq(~last), left.eq(Mux(fits, 0, (count - most)[:COUNT_BITS]))]
        with m.If(self.n.ready):
            m.d.sync += [header.eq(n), waits.eq(1)]

    def back(self, m, body, header, waits, starts):
        """Send the header, the body and the trailer; `starts` when the header leaves."""
        m.submodules.checksum = crc = Crc32(WORD_BITS)
        in_body, ends = Signal(name="in_body"), Signal(name="ends")  # where the next word lies: body, trailer
        bad, told, wrong = Signal(name="bad", reset_less=True), Signal(name="told"), Signal(name="wrong", reset_less=True)
        c, leaves = self.c.payload, Signal(name="leaves")
        first = Cat(Const(self.spec.header, TABLE_AT), header.table, Const(0, TABLE_BITS - len(header.table)))
        word, trailer = Signal(WORD_BITS, name="word"), Signal(CRC_BITS, name="trailer")
        m.d.comb += [
            trailer.eq(crc.crc ^ bad.replicate(CRC_BITS)),
            word.eq(Mux(in_body, body.payload.data, Cat(first, header.count))),
            c.data.eq(Mux(ends, trailer, word)),
            c.last.eq(ends),
            self.c.valid.eq(Mux(ends, ~told, Mux(in_body, body.valid, waits))),
            body.ready.eq(in_body & ~ends & self.c.ready),
            leaves.eq(self.c.valid & self.c.ready),
            starts.eq(leaves & ~in_body & ~ends),
            crc.crc_word.eq(word),
            crc.crc_valid.eq(leaves & ~ends),
            crc.crc_start.eq(starts),
            self.e.valid.eq(told),
            self.e.payload.data.eq(wrong),
        ]
        with m.If(leaves):
            m.d.sync += [in_body.eq(starts | (in_body & ~body.payload.last)), ends.eq(in_body & body.payload.last)]
            with m.If(in_body):
                m.d.sync += bad.eq(body.payload.bad)
        with m.If(leaves & ends):
            m.d.sync += [told.eq(1), wrong.eq(bad)]
        with m.Elif(self.e.ready):
            m.d.sync += told.eq(0)
