"""The decoder of DPRed containers: everything that can be wrong with one is found, around an `Unpacker`."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.dpred import TABLE_AT, TABLE_BITS, WORD_BITS
from rtl.crc import Crc32
from rtl.dpred_encode import COUNT_BITS, CRC_BITS, body_layout
from rtl.dpred_unpack import Unpacker, unpacker_flip_flops
from rtl.streams import packets, singles

__all__ = ["DpredDecoder", "decoder_flip_flops"]


def decoder_flip_flops(spec):
    """One-bit registers of a `DpredDecoder`."""
    return unpacker_flip_flops(body_layout(spec), COUNT_BITS) + CRC_BITS + 8 + 1 + WORD_BITS


class DpredDecoder(wiring.Component):
    """DPRed containers in, memory words out, a packet each, and a verdict behind it.

    Every cycle takes a container word or delivers a memory word, but for a few between containers. A container that
    is cut, padded or corrupted, or of other parameters, is told by `e`; the next begins behind its ``last``. A packet
    has no more words than the count in the header asks for, and none if the container has none.

    Parameters
    ----------
    spec : golden.dpred.DpredSpec

    Attributes
    ----------
    c : In(stream)
        Words of a container.
    x : Out(stream)
        Memory words, zeros behind the last value. The last is held back until the container has been checked.
    e : Out(stream without last)
        For each container, behind the last memory word: 0 if it is good, 1 if it is bad and the packet on `x` is to be
        discarded, 3 if it is bad and no packet came on `x`.
    """

    blocks = {}

    def __init__(self, spec):
        self.spec, self.layout = spec, body_layout(spec)
        super().__init__({"c": In(packets(WORD_BITS)), "x": Out(packets(self.layout.values)), "e": Out(singles(2))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unpacker = unpacker = Unpacker(self.layout, count_bits=COUNT_BITS)
        ended = Signal(name="ended")  # a container has, and its verdict is known
        told = Signal(name="told")
        held = Signal(self.layout.values, name="held", reset_less=True)
        there = Signal(name="there")  # a memory word that waits for the next, or for the end
        self.check(m, unpacker, there, ended, told)
        m.d.comb += [
            self.x.valid.eq(there & (unpacker.memory.valid | ended)),
            self.x.payload.data.eq(held),
            self.x.payload.last.eq(~unpacker.memory.valid),
            unpacker.memory.ready.eq(~there | self.x.ready),
            self.e.valid.eq(ended & ~there & ~unpacker.memory.valid),
            told.eq(self.e.valid & self.e.ready),
        ]
        with m.If(unpacker.memory.valid & unpacker.memory.ready):
            m.d.sync += [held.eq(unpacker.memory.payload), there.eq(1)]
        with m.Elif(self.x.valid & self.x.ready):
            m.d.sync += there.eq(0)
        return m

    def check(self, m, unpacker, there, ended, told):
        """Walk through the words of a container, and find what is wrong."""
        m.submodules.checksum = crc = Crc32(WORD_BITS)
        word, last, takes = Signal(WORD_BITS, name="word"), Signal(name="last"), Signal(name="takes")
        in_body, skips = Signal(name="in_body"), Signal(name="skips")  # behind a header; behind a wrong one
        whole = Signal(name="whole")  # the last word has come
        sound, surplus = Signal(name="sound", reset_less=True), Signal(name="surplus", reset_less=True)
        bad, none = Signal(name="bad", reset_less=True), Signal(name="none", reset_less=True)
        right, opens, closes, ends = (Signal(name=name) for name in ("right", "opens", "closes", "ends"))
        free, table, tabled = Signal(name="free"), Signal(self.layout.word + 1, name="table"), Signal(name="tabled")
        m.d.comb += [
            word.eq(self.c.payload.data),
            last.eq(self.c.payload.last),
            free.eq(~ended | told),
            opens.eq(~in_body & ~skips),
            table.eq(word[TABLE_AT:]),
            tabled.eq(table[1:].any() & ~table.all() & ~word[TABLE_AT + len(table) : TABLE_AT + TABLE_BITS].any()),
            right.eq((word[:TABLE_AT] == self.spec.header) & tabled & word[32:].any() & ~last),
            self.c.ready.eq((in_body & ~whole & (unpacker.body.ready | unpacker.done | last)) | (~in_body & (free | ~last))),
            takes.eq(self.c.valid & self.c.ready),
            crc.crc_word.eq(word),
            crc.crc_valid.eq(takes),
            crc.crc_start.eq(opens),
            unpacker.start.eq(takes & opens),
            unpacker.count.eq(word[32:]),
            unpacker.table.eq(table),
            unpacker.hold.eq(ended | ~in_body),
            unpacker.body.valid.eq(self.c.valid & in_body & ~whole & ~unpacker.done & ~last),
            unpacker.body.payload.eq(word),
            closes.eq(in_body & whole & (unpacker.done | unpacker.lacks) & free),
            ends.eq(closes | (takes & ~in_body & last)),
            self.e.payload.data[0].eq(bad),
            self.e.payload.data[1].eq(none),
        ]
        with m.If(takes & opens):
            m.d.sync += [in_body.eq(right), skips.eq(~right & ~last), whole.eq(0), surplus.eq(0)]
        with m.Elif(takes & skips):
            m.d.sync += skips.eq(~last)
        with m.Elif(takes):
            m.d.sync += [
                whole.eq(last),
                sound.eq((word[:32] == crc.crc) & ~word[32:].any()),
                surplus.eq(surplus | (unpacker.done & ~last)),
            ]
        with m.Elif(closes):
            m.d.sync += in_body.eq(0)
        with m.If(ends):
            m.d.sync += [
                ended.eq(1),
                bad.eq(~in_body | ~sound | surplus | ~unpacker.done | ~unpacker.clean),
                none.eq(~there & ~unpacker.memory.valid),
            ]
        with m.Elif(told):
            m.d.sync += ended.eq(0)
