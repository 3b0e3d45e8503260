"""The CRC-32 of words, a word a cycle."""

import zlib

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Crc32", "taps"]

BITS = 32


def taps(width):
    """Of which bits each bit of the next CRC is the sum: {bit: (bits of the CRC, bits of the word)}.

    A CRC is linear but for its constant, so that one bit after the other shows it.
    """
    octets = width // 8

    def moved(crc, word):
        return zlib.crc32(word.to_bytes(octets, "little"), crc)

    zero = moved(0, 0)
    from_crc = [moved(1 << bit, 0) ^ zero for bit in range(BITS)]
    from_word = [moved(0, 1 << bit) ^ zero for bit in range(width)]
    return {
        bit: tuple([i for i, effect in enumerate(effects) if effect >> bit & 1] for effects in (from_crc, from_word))
        for bit in range(BITS)
    }


class Crc32(wiring.Component):
    """``crc = zlib.crc32(crc_word, 0 if crc_start else crc)`` in each cycle with `crc_valid`, low byte first.

    Parameters
    ----------
    width : int
        Bits of a word, a multiple of 8.

    Attributes
    ----------
    crc_start, crc_valid : In(1)
    crc_word : In(width)
    crc : Out(32)
        Of the words before this cycle.
    """

    def __init__(self, width):
        self.width = width
        super().__init__({"crc_start": In(1), "crc_valid": In(1), "crc_word": In(width), "crc": Out(BITS)})

    def elaborate(self, platform):
        m = Module()
        kept = Signal(BITS, name="kept", init=(1 << BITS) - 1)  # its complement is the CRC, which makes it linear
        previous, following = Signal(BITS, name="previous"), Signal(BITS, name="following")
        m.d.comb += [previous.eq(Mux(self.crc_start, (1 << BITS) - 1, kept)), self.crc.eq(~kept)]
        for bit, (of_crc, of_word) in taps(self.width).items():
            m.d.comb += following[bit].eq(Cat(*(previous[i] for i in of_crc), *(self.crc_word[i] for i in of_word)).xor())
        with m.If(self.crc_valid):
            m.d.sync += kept.eq(following)
        return m
