"""Memory words from the body of a DPRed container: a window of bits, of which each cycle cuts a memory word's."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.dpred_layout import count_ones, moved_down, moved_up, product, up_to

__all__ = ["Unpacker", "unpacker_flip_flops"]


def room(size):
    """Bits of the window."""
    return size.longest - 1 + size.memory


def piece_widths(size):
    """Bits of what is cut for a slice: its payload, its width field, and which of its values have bits."""
    return {"payload": size.slice * size.word, "field": size.field, "stored": size.slice}


def unpacker_flip_flops(size, count_bits):
    """One-bit registers of an `Unpacker`."""
    group = (size.words > 1) * (size.field + (size.words - 1).bit_length())
    pieces = size.parts * sum(piece_widths(size).values()) + 1
    return room(size) + room(size).bit_length() + count_bits + group + pieces


class Unpacker(wiring.Component):
    """Body words in, memory words out, zeros beyond the count of values.

    A memory word a cycle, or where its bits are more than a body word, a body word a cycle. Behind `start` it takes a
    body; what has come of one before is forgotten, but not the memory words that have been cut.

    Parameters
    ----------
    layout : BodyLayout
    count_bits : int
        Bits of the count of values.

    Attributes
    ----------
    start : In(1)
        A body of `count` values begins behind this cycle.
    count : In(count_bits)
    hold : In(1)
        No memory word is cut.
    body : In(stream)
        Body words.
    memory : Out(stream)
        Memory words.
    done : Out(1)
        All values have been cut.
    lacks : Out(1)
        The bits that are there are too few for the next memory word.
    clean : Out(1)
        The bits that are left are less than a body word, and all zero.
    """

    def __init__(self, layout, *, count_bits=32):
        self.layout, self.count_bits = layout, count_bits
        super().__init__(
            {
                "start": In(1),
                "count": In(count_bits),
                "hold": In(1),
                "body": In(stream.Signature(layout.memory)),
                "memory": Out(stream.Signature(layout.values)),
                "done": Out(1),
                "lacks": Out(1),
                "clean": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        size, held = self.layout, room(self.layout)
        low = (size.memory - 1).bit_length()  # bits of a number that is less than a body word's bits
        last = (size.per_word - 1).bit_length()  # or than the values of a memory word
        window, fill = Signal(held, name="window"), Signal(range(held + 1), name="fill")
        left = Signal(self.count_bits, name="left")
        valid, free = Signal(name="piece_valid"), Signal(name="piece_free")
        cuts, takes = Signal(name="cuts"), Signal(name="takes")
        pieces, needed = self.slices(m, window, left, cuts)
        rest = Signal(range(held + 1), name="rest")  # bits that stay
        gone = Signal(len(needed), name="gone")
        m.d.comb += [
            self.done.eq(~left.any()),
            self.lacks.eq(fill < needed),
            self.clean.eq(~fill[low:].any() & ~window.any()),
            free.eq(~valid | self.memory.ready),
            cuts.eq(~self.done & ~self.lacks & ~self.hold & free),
            gone.eq(needed & cuts.replicate(len(needed))),
            rest.eq((fill - gone)[: len(rest)]),
            self.body.ready.eq(rest < size.longest),
            takes.eq(self.body.valid & self.body.ready),
            self.memory.valid.eq(valid),
        ]
        kept = moved_down(m, window, gone, held, "kept")
        place = rest[: (size.longest - 1).bit_length()]  # of a word that is taken
        fresh = moved_up(m, self.body.payload & takes.replicate(size.memory), place, held, "fresh")
        with m.If(self.start):
            m.d.sync += [window.eq(0), fill.eq(0), left.eq(self.count)]
        with m.Elif(cuts | takes):
            m.d.sync += [window.eq(kept | fresh), fill.eq(Cat(rest[:low], (rest[low:] + takes)[: len(fill) - low]))]
            with m.If(cuts):
                fewer = Cat(left[:last], (left[last:] - 1)[: len(left) - last])
                m.d.sync += left.eq(Mux(left[last:].any(), fewer, 0))
        with m.If(free):
            m.d.sync += valid.eq(cuts)
        for part, piece in enumerate(pieces):
            kept = {key: Signal(width, name=f"piece_{part}_{key}", reset_less=True)
                    for key, width in piece_widths(size).items()}  # fmt: skip
            with m.If(cuts):
                m.d.sync += [kept[key].eq(value) for key, value in piece.items()]
            values = self.spread(m, f"value_{part}", **kept)
            m.d.comb += [self.memory.payload[part * size.slice + i].eq(value) for i, value in enumerate(values)]
        return m

    def slices(self, m, window, left, cuts):
        """What the slices of the next memory word are made of, and how many bits that is."""
        size = self.layout
        longest = size.longest // size.parts  # bits of a slice
        low = (size.per_word - 1).bit_length()
        full = left[low:].any()  # the memory word has all its values
        opens, held = Const(1, 1), None  # whether a group begins; the width field of the one that does not
        if size.words > 1:
            index, held = Signal(range(size.words), name="index"), Signal(size.field, name="held")
            opens = ~index.any()
        bits, pieces, lengths = window[: size.longest], [], []
        for part in range(size.parts):
            name = f"part_{part}"
            there = Signal(size.slice, name=f"{name}_there")
            more = range(part * size.slice + 1, (part + 1) * size.slice + 1)
            m.d.comb += there.eq(Cat(full | (left[:low] >= i) if i < size.per_word else full for i in more))
            head = Signal(range(size.field + 1), name=f"{name}_head")
            m.d.comb += head.eq(Mux(opens & there[0], size.field, 0))
            field, payload = bits[: size.field], bits[size.field : longest]
            if held is not None:
                field, payload = Mux(opens, field, held), Mux(opens, payload, bits[: longest - size.field])
            stored, ahead = there, head
            if size.zeros:
                present = count_ones(m, there, f"{name}_present")
                stored, ahead = payload[: size.slice] & there, head + present
                # the vector is shorter only where values are missing
                least = (size.slice - 1) * size.word
                short = moved_down(m, payload[: least + size.slice - 1], present[:-1], least, f"{name}_short")
                whole, all_there = payload[size.slice :], there[-1].replicate(size.word)
                payload = Cat(Mux(there[-1], whole[:least], short), whole[least:] & all_there)
            length = Signal(range(longest + 1), name=f"{name}_length")
            payload_bits = product(m, count_ones(m, stored, f"{name}_ones"), field, f"{name}_payload_bits")
            m.d.comb += length.eq((payload_bits + ahead)[: len(length)])
            if part + 1 < size.parts:
                bits = moved_down(m, bits, length, (size.parts - 1 - part) * longest, f"{name}_rest")
            pieces.append({"payload": payload, "field": field, "stored": stored})
            lengths.append(length)
        if held is not None:
            with m.If(self.start):
                m.d.sync += index.eq(0)
            with m.Elif(cuts):
                m.d.sync += [index.eq((index + 1)[: len(index)]), held.eq(field)]
        needed = Signal(range(size.longest + 1), name="needed")
        m.d.comb += needed.eq(sum(lengths[1:], lengths[0])[: len(needed)])
        return pieces, needed

    def spread(self, m, name, payload, field, stored):
        """The values of a slice, apart: a tree of shifts."""
        size = self.layout
        nodes, span = [payload], size.slice
        while span > 1:
            span //= 2
            halves = []
            for i, node in enumerate(nodes):
                what = f"{name}_{span}_{i}"
                ones = count_ones(m, stored[2 * i * span : (2 * i + 1) * span], f"{what}_ones")
                shift = product(m, ones, field, f"{what}_shift")
                halves += [node[: span * size.word], moved_down(m, node, shift, span * size.word, f"{what}_down")]
            nodes = halves
        mask = up_to(m, field, size.word, f"{name}_mask")
        top = mask[:-1] & ~mask[1:]  # the sign; those of the greatest precision are not extended
        for i, node in enumerate(nodes):
            value = node & mask
            if size.signed:
                value |= ~mask & (node[:-1] & top).any().replicate(size.word)
            yield value & stored[i].replicate(size.word)
