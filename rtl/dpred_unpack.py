"""Memory words from the body of a DPRed container: a window of bits, of which each cycle cuts a memory word's."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.dpred_layout import below, count_ones, moved_down, moved_up, product
from rtl.dpred_widths import entries, lengths, picked

__all__ = ["Unpacker", "unpacker_flip_flops"]


def room(size):
    """Bits of the window."""
    return size.longest - 1 + size.memory


def piece_widths(size):
    """Bits of what is cut for a slice: its payload, its width, and which of its values have bits."""
    return {"payload": size.slice * size.word, "width": size.width, "stored": size.slice}


def unpacker_flip_flops(size, count_bits):
    """One-bit registers of an `Unpacker`."""
    group = (size.words > 1) * (size.width + (size.words - 1).bit_length())
    table = (size.width << size.field) + 2 * size.field + 2
    pieces = size.parts * sum(piece_widths(size).values()) + 1
    return room(size) + room(size).bit_length() + count_bits + group + table + pieces


class Unpacker(wiring.Component):
    """Body words in, memory words out, zeros beyond the count of values.

    A memory word a cycle, or where its bits are more than a body word, a body word a cycle. The window has the next
    payload at the same place, and in front of it a group's field; so a field of any length is found at once. Behind `start` it takes a
    body; what has come of one before is forgotten, but not the memory words that have been cut.

    Parameters
    ----------
    layout : BodyLayout
    count_bits : int
        Bits of the count of values.

    Attributes
    ----------
    start : In(1)
        A body of `count` values and the widths of `table` begins behind this cycle.
    count : In(count_bits)
    table : In(layout.word + 1)
        A bit for each width.
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
        The bits that are left are less than a body word, and all zero; there was no field that `table` has not.
    """

    def __init__(self, layout, *, count_bits=32):
        self.layout, self.count_bits = layout, count_bits
        super().__init__(
            {
                "start": In(1),
                "count": In(count_bits),
                "table": In(layout.word + 1),
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
        window, bits = Signal(held, name="window"), size.field.bit_length()
        fill = Cat(Signal(bits, name="fill_low"), Signal(held.bit_length() - bits, name="fill"))
        left = Signal(self.count_bits, name="left")
        valid, free = Signal(name="piece_valid"), Signal(name="piece_free")
        cuts, takes = Signal(name="cuts"), Signal(name="takes")
        table, known, longer, missing = self.keep_table(m)
        head = Signal(range(size.field + 1), name="head")  # bits of a field
        pieces, payload, frames, opens, astray = self.slices(m, window, left, cuts, table, known, longer, head)
        # `payload` comes last: all that is known without it is added up beside it
        spare, base = (Signal(range(held + 1), name=name) for name in ("spare", "base"))
        rest = Signal(range(held + 1), name="rest")  # bits that stay
        gone = Signal(range(size.longest + 1), name="gone")
        strayed = Signal(name="strayed", reset_less=True)
        ends, ahead = Signal(name="ends"), Signal(len(head), name="ahead")  # what the next field takes of its place
        before, after = sum(frames, Const(size.field)), sum(frames, ahead)
        m.d.comb += [
            self.done.eq(~left.any()),
            spare.eq((fill - before)[: len(spare)]),
            base.eq((fill - after)[: len(base)]),
            self.lacks.eq((fill < before) | (spare < payload)),
            self.clean.eq(~fill[low:].any() & ~window.any() & ~strayed),
            head.eq(count_ones(m, longer, "field_bits")),
            ends.eq(~left[last + 1 :].any() & (~left[last] | ~left[:last].any())),  # with this memory word
            ahead.eq(Mux(ends, size.field, Mux(opens, head, 0))),
            free.eq(~valid | self.memory.ready),
            cuts.eq(~self.done & ~self.lacks & ~self.hold & free),
            gone.eq((after + payload)[: len(gone)] & cuts.replicate(len(gone))),
            rest.eq(Mux(cuts, (base - payload)[: len(rest)], fill)),
            self.body.ready.eq(rest < size.longest),
            takes.eq(self.body.valid & self.body.ready),
            self.memory.valid.eq(valid),
        ]
        kept = moved_down(m, window, gone, held, "kept")
        place = rest[: (size.longest - 1).bit_length()]  # of a word that is taken
        fresh = moved_up(m, self.body.payload & takes.replicate(size.memory), place, held, "fresh")
        with m.If(self.start):
            m.d.sync += [window.eq(0), fill.eq(missing), left.eq(self.count), strayed.eq(0)]
        with m.Elif(cuts | takes):
            m.d.sync += [window.eq(kept | fresh), fill.eq(Cat(rest[:low], (rest[low:] + takes)[: len(fill) - low]))]
            with m.If(cuts):
                m.d.sync += strayed.eq(strayed | astray)
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

    def keep_table(self, m):
        """Registers, kept from `start` on: the width of each field, the number of widths, and which bits fields have; and
        how many they have not, at `start`."""
        size = self.layout
        number, new = lengths(m, self.table, size, "table")
        table = [Signal(size.width, name=f"width_{i}", reset_less=True) for i in range(1 << size.field)]
        known, longer = (Signal(len(value), name=name, reset_less=True) for name, value in (("known", number), ("longer", new)))
        with m.If(self.start):
            m.d.sync += [longer.eq(new), known.eq(number)]
            m.d.sync += [width.eq(entry) for width, entry in zip(table, entries(m, self.table, size, "table"))]
        return table, known, longer, count_ones(m, ~new, "missing")

    def slices(self, m, window, left, cuts, table, known, longer, head):
        """The slices of the next memory word.

        Returns
        -------
        list, Value, list of Values, Value, Value
            What they are made of; bits of their values; numbers of their other bits, the first one's field not counted;
            whether the word behind begins with a field; whether they have one that is not of the table.
        """
        size = self.layout
        longest = size.longest // size.parts  # bits of a slice
        low = (size.per_word - 1).bit_length()
        full = left[low:].any()  # the memory word has all its values
        opens, follows, held = Const(1, 1), Const(1, 1), None  # whether a group begins, and behind it; its width if not
        if size.words > 1:
            index, held = Signal(range(size.words), name="index"), Signal(size.width, name="held", reset_less=True)
            opens, follows = ~index.any(), index.all()
        bits, pieces, lengths, frames, astray = window[: size.longest], [], [], [], []
        for part in range(size.parts):
            name = f"part_{part}"
            there = Signal(size.slice, name=f"{name}_there")
            more = range(part * size.slice + 1, (part + 1) * size.slice + 1)
            m.d.comb += there.eq(Cat(full | (left[:low] >= i) if i < size.per_word else full for i in more))
            field, payload = bits[: size.field][::-1] & longer, bits[size.field : longest]
            width = Signal(size.width, name=f"{name}_width")
            m.d.comb += width.eq(picked(table, field) if held is None else Mux(opens, picked(table, field), held))
            astray.append(opens & there[0] & (field >= known))
            stored, frame = there, []
            if size.zeros:
                present = count_ones(m, there, f"{name}_present")
                stored, frame = payload[: size.slice] & there, [present]
                # the vector is shorter only where values are missing
                least = (size.slice - 1) * size.word
                short = moved_down(m, payload[: least + size.slice - 1], present[:-1], least, f"{name}_short")
                whole, all_there = payload[size.slice :], there[-1].replicate(size.word)
                payload = Cat(Mux(there[-1], whole[:least], short), whole[least:] & all_there)
            length = product(m, count_ones(m, stored, f"{name}_ones"), width, f"{name}_length")
            if part + 1 < size.parts:
                after = Signal(range(longest + 1), name=f"{name}_after")
                m.d.comb += after.eq((length + sum(frame, head))[: len(after)])
                bits = moved_down(m, bits, after, (size.parts - 1 - part) * longest, f"{name}_rest")
            pieces.append({"payload": payload, "width": width, "stored": stored})
            lengths.append(length)
            frames += [*frame, *([Mux(there[0], head, 0)] if part else [])]
        if held is not None:
            with m.If(self.start):
                m.d.sync += index.eq(0)
            with m.Elif(cuts):
                m.d.sync += [index.eq((index + 1)[: len(index)]), held.eq(width)]
        total = Signal(range(size.longest + 1), name="payload")
        m.d.comb += total.eq(sum(lengths[1:], lengths[0])[: len(total)])
        return pieces, total, frames, follows, Cat(astray).any()

    def spread(self, m, name, payload, width, stored):
        """The values of a slice, apart: a tree of shifts."""
        size = self.layout
        nodes, span = [payload], size.slice
        while span > 1:
            span //= 2
            halves = []
            for i, node in enumerate(nodes):
                what = f"{name}_{span}_{i}"
                ones = count_ones(m, stored[2 * i * span : (2 * i + 1) * span], f"{what}_ones")
                shift = product(m, ones, width, f"{what}_shift")
                halves += [node[: span * size.word], moved_down(m, node, shift, span * size.word, f"{what}_down")]
            nodes = halves
        mask = below(m, width, size.word, f"{name}_mask")
        top = mask[:-1] & ~mask[1:]  # the sign; those of the greatest width are not extended
        for i, node in enumerate(nodes):
            value = node & mask
            if size.signed:
                value |= ~mask & (node[:-1] & top).any().replicate(size.word)
            yield value & stored[i].replicate(size.word)
