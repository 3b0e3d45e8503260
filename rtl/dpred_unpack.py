"""Memory words from the body of a DPRed container: a window of bits, of which each cycle cuts a memory word's."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.dpred_layout import count_ones, cut, moved_down, moved_up, product

__all__ = ["Unpacker", "unpacker_flip_flops"]


def room(size):
    """Bits of the window."""
    return size.longest - 1 + size.memory


def piece_layout(size):
    """What is cut for a memory word: of each slice its payload, its width field and which values have bits."""
    part = {"payload": size.slice * size.word, "field": size.field, "stored": size.slice}
    return data.ArrayLayout(data.StructLayout(part), size.parts)


def unpacker_flip_flops(size, count_bits):
    """One-bit registers of an `Unpacker`."""
    group = (size.words > 1) * (size.field + (size.words - 1).bit_length())
    return room(size) + room(size).bit_length() + count_bits + group + piece_layout(size).size + 1


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
    x : In(stream)
        Body words.
    y : Out(stream)
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
                "x": In(stream.Signature(layout.memory)),
                "y": Out(stream.Signature(layout.values)),
                "done": Out(1),
                "lacks": Out(1),
                "clean": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        size = self.layout
        window, fill = Signal(room(size), name="window"), Signal(range(room(size) + 1), name="fill")
        left = Signal(self.count_bits, name="left")
        piece, valid = Signal(piece_layout(size), name="piece", reset_less=True), Signal(name="piece_valid")
        cuts, free, takes = Signal(name="cuts"), Signal(name="free"), Signal(name="takes")
        found, needed = Signal(piece_layout(size), name="found"), Signal(range(size.longest + 1), name="needed")
        self.slices(m, window, left, found, needed, cuts)

        rest = Signal(range(room(size) + 1), name="rest")
        m.d.comb += [
            self.done.eq(left == 0),
            self.lacks.eq(fill < needed),
            self.clean.eq((fill < size.memory) & ~window.any()),
            free.eq(~valid | self.y.ready),
            cuts.eq(~self.done & ~self.lacks & ~self.hold & free),
            rest.eq(Mux(cuts, (fill - needed)[: len(fill)], fill)),
            self.x.ready.eq(rest < size.longest),
            takes.eq(self.x.valid & self.x.ready),
            self.y.valid.eq(valid),
        ]
        gone = Signal(range(size.longest + 1), name="gone")
        m.d.comb += gone.eq(Mux(cuts, needed, 0))
        kept = moved_down(m, window, gone, room(size), "kept")
        place = Signal(range(size.longest), name="place")  # of a word that is taken
        m.d.comb += place.eq(rest)
        fresh = moved_up(m, self.x.payload & takes.replicate(size.memory), place, room(size), "fresh")
        with m.If(self.start):
            m.d.sync += [window.eq(0), fill.eq(0), left.eq(self.count)]
        with m.Elif(cuts | takes):
            m.d.sync += [window.eq(kept | fresh), fill.eq((rest + Mux(takes, size.memory, 0))[: len(fill)])]
            with m.If(cuts):
                m.d.sync += left.eq(Mux(left > size.per_word, (left - size.per_word)[: len(left)], 0))
        with m.If(free):
            m.d.sync += valid.eq(cuts)
        with m.If(cuts):
            m.d.sync += piece.eq(found)
        for part in range(size.parts):
            slots = [self.y.payload[part * size.slice + i] for i in range(size.slice)]
            self.spread(m, piece[part], slots, f"value_{part}")
        return m

    def slices(self, m, window, left, found, needed, cuts):
        """What the next memory word is made of, `found`, and how many bits that is, `needed`."""
        size = self.layout
        bits, total = window[: size.longest], Const(0, 1)
        opens = Const(1, 1)  # a group begins
        if size.words > 1:
            index, held = Signal(range(size.words), name="index"), Signal(size.field, name="held")
            opens = index == 0
            with m.If(self.start):
                m.d.sync += index.eq(0)
            with m.Elif(cuts):
                m.d.sync += [index.eq(index + 1), held.eq(found[0].field)]
        for part in range(size.parts):
            name = f"part_{part}"
            there = Signal(size.slice, name=f"{name}_there")
            m.d.comb += there.eq(Cat(left > part * size.slice + i for i in range(size.slice)))
            head = Signal(range(size.field + 1), name=f"{name}_head")
            field = bits[: size.field] if size.words == 1 else Mux(opens, bits[: size.field], held)
            m.d.comb += [head.eq(Mux(opens & there[0], size.field, 0)), found[part].field.eq(field)]
            body = Mux(opens, bits[size.field :], bits)[: size.slice * (size.word + size.zeros)]
            length = Signal(range(size.longest + 1), name=f"{name}_length")
            stored, payload, vector = there, body, Const(0, 1)
            if size.zeros:
                vector = count_ones(m, there, f"{name}_present")
                stored = body[: size.slice] & there
                payload = moved_down(m, body, vector, size.slice * size.word, f"{name}_payload")
            m.d.comb += [found[part].stored.eq(stored), found[part].payload.eq(payload)]
            ones = count_ones(m, found[part].stored, f"{name}_ones")
            m.d.comb += length.eq((product(m, ones, found[part].field, f"{name}_bits") + head + vector)[: len(length)])
            if part + 1 < size.parts:
                ahead = (size.parts - 1 - part) * (size.longest // size.parts)
                bits = moved_down(m, bits, length, ahead, f"{name}_rest")
            total = total + length
        m.d.comb += needed.eq(total[: len(needed)])

    def spread(self, m, part, slots, name):
        """Bring the values of a slice into their `slots`, a tree of shifts."""
        size = self.layout
        field, stored = part.field, part.stored
        nodes = [part.payload]
        while len(nodes) < len(slots):
            half = len(slots) // len(nodes) // 2
            halves = []
            for i, node in enumerate(nodes):
                what = f"{name}_{half}_{i}"
                below = count_ones(m, stored[2 * i * half : (2 * i + 1) * half], f"{what}_ones")
                shift = product(m, below, field, f"{what}_shift")
                halves += [node[: half * size.word], moved_down(m, node, shift, half * size.word, f"{what}_down")]
            nodes = halves
        for i, (slot, node) in enumerate(zip(slots, nodes)):
            value = cut(node, field)
            if size.signed:
                sign = Signal(name=f"{name}_sign_{i}")
                m.d.comb += sign.eq(node.bit_select(field, 1))
                value = value | Cat(sign & (field < k) for k in range(size.word))
            m.d.comb += slot.eq(value & stored[i].replicate(size.word))
