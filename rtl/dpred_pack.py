"""The body of a DPRed container from memory words: groups are held until their precision is known, then packed."""

from functools import reduce
from operator import or_

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.dpred_layout import count_ones, cut, moved_up, product

__all__ = ["Packer", "packer_flip_flops"]


def room(size):
    """Bits between chunks and body words."""
    return size.memory - 1 + size.longest


def group_layout(size):
    """What is known of a complete group or, if a memory word holds more, of its groups."""
    return data.StructLayout(
        {
            "fields": data.ArrayLayout(size.field, size.parts),
            "stop": range(size.words),
            "present": range(size.per_word + 1),
            "last": 1,
            "bad": 1,
        }
    )


def chunk_layout(size):
    """What a memory word becomes."""
    return data.StructLayout({"bits": size.longest, "length": range(size.longest + 1), "last": 1, "bad": 1})


def packer_flip_flops(size):
    """One-bit registers of a `Packer`."""
    index = (size.words - 1).bit_length()
    held = size.words * size.memory + 4 * index + size.words.bit_length() + (size.words > 1) * (size.word - 1)
    groups = 2 * (group_layout(size).size + 1)
    return held + groups + chunk_layout(size).size + 1 + room(size) + room(size).bit_length() + 2


class Chunks:
    """Bits and their number, joined one behind the other by a tree of shifts."""

    def __init__(self, m):
        self.m = m

    def join(self, low, high, name):
        """`high` behind `low`: pairs (bits, length)."""
        (bits, length), (more, extra) = low, high
        joined = Signal(len(bits) + len(more), name=f"{name}_bits")
        total = Signal(range(len(joined) + 1), name=f"{name}_length")
        up = moved_up(self.m, more, length, len(joined), f"{name}_up")
        self.m.d.comb += [joined.eq(bits | up), total.eq((length + extra)[: len(total)])]
        return joined, total

    def values(self, values, stored, field, name):
        """The values that are `stored`, each in ``field + 1`` bits."""
        nodes = [cut(value, field) & stored[i].replicate(len(value)) for i, value in enumerate(values)]
        level = 1
        while len(nodes) > 1:
            pairs = []
            for i in range(0, len(nodes), 2):
                what = f"{name}_{level}_{i // 2}"
                below = count_ones(self.m, stored[i * level : (i + 1) * level], f"{what}_ones")
                joined = Signal(2 * len(nodes[0]), name=what)
                shift = product(self.m, below, field, f"{what}_shift")
                self.m.d.comb += joined.eq(nodes[i] | moved_up(self.m, nodes[i + 1], shift, len(joined), f"{what}_up"))
                pairs.append(joined)
            nodes, level = pairs, 2 * level
        count = count_ones(self.m, stored, f"{name}_ones")
        return nodes[0], product(self.m, count, field, f"{name}_length")


class Packer(wiring.Component):
    """Memory words in, body words out: each group a width field and its values in as many bits as that says.

    A memory word a cycle, or where its bits are more than a body word, a body word a cycle. A group waits, in
    registers, until its last word is there; another may be complete behind it.

    Parameters
    ----------
    layout : BodyLayout

    Attributes
    ----------
    x : In(stream)
        `values` of a memory word; in the `last` word of a packet only the first `present` count, and none is one of
        them if it is the first of a group and `present` is 0. `bad` is passed on.
    y : Out(stream)
        Body words; the `last` is filled with zeros. It has the `bad` of the packet's last memory word.

    Source: Delmas et al., DPRed, for the detection of precisions: the OR of a group's values and its leading one.
    """

    def __init__(self, layout):
        self.layout = layout
        values = data.StructLayout(
            {"values": layout.values, "present": range(layout.per_word + 1), "last": 1, "bad": 1}
        )
        super().__init__(
            {
                "x": In(stream.Signature(values)),
                "y": Out(stream.Signature(data.StructLayout({"data": layout.memory, "last": 1, "bad": 1}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        slots, groups, take = self.held(m)
        chunk = self.chunks(m, slots, groups, take)
        self.words(m, *chunk)
        return m

    def held(self, m):
        """Take memory words until their group is complete: their registers, the first complete group, and when it has
        been packed."""
        size, x = self.layout, self.x.payload
        slots = [Signal(size.memory, name=f"slot_{i}", reset_less=True) for i in range(size.words)]
        into, index = Signal(range(size.words), name="into"), Signal(range(size.words), name="index")
        level = Signal(range(size.words + 1), name="level")
        groups = [Signal(group_layout(self.layout), name=f"group_{i}", reset_less=True) for i in range(2)]
        whole = Signal(2, name="whole")  # which of them are
        reads, leaves = Signal(name="reads"), Signal(name="leaves")  # a word leaves; the last of its group does
        complete, enters = Signal(name="complete"), Signal(name="enters")

        found = Signal(group_layout(self.layout), name="found")
        masked = [x.values[i] & (x.present > i).replicate(size.word) for i in range(size.per_word)]
        for part in range(size.parts):
            those = masked[part * size.slice : (part + 1) * size.slice]
            ones = Signal(size.word - 1, name=f"ones_{part}")
            m.d.comb += ones.eq(reduce(or_, (self.significant(value) for value in those)))
            if size.words > 1:
                seen = Signal(size.word - 1, name="seen")  # in the words of the group before this one
                with m.If(enters):
                    m.d.sync += seen.eq((seen | ones) & (~complete).replicate(len(seen)))
                ones = seen | ones
            above = [ones[k:].any() for k in range(len(ones))]
            leading = Signal(size.field, name=f"leading_{part}")
            for bit in range(size.field):  # of how many of `above` are ones, which are so from the lowest on
                step = 1 << bit
                terms = [above[k - 1] & ~above[k - 1 + step] if k - 1 + step < len(above) else above[k - 1]
                         for k in range(step, size.word, 2 * step)]  # fmt: skip
                m.d.comb += leading[bit].eq(reduce(or_, terms))
            m.d.comb += found.fields[part].eq(leading)

        m.d.comb += [
            complete.eq(x.last | (index == size.words - 1)),
            self.x.ready.eq(((level != size.words) | reads) & (~complete | ~whole[1] | leaves)),
            enters.eq(self.x.valid & self.x.ready),
            found.stop.eq(index),
            found.present.eq(x.present),
            found.last.eq(x.last),
            found.bad.eq(x.bad),
        ]
        m.d.sync += level.eq((level + enters - reads)[: len(level)])
        with m.If(enters):
            for i, slot in enumerate(slots):
                with m.If(into == i):
                    m.d.sync += slot.eq(Cat(masked))
            m.d.sync += [into.eq(into + 1), index.eq(Mux(complete, 0, index + 1))]
        comes = Signal(name="comes")
        m.d.comb += comes.eq(enters & complete)
        with m.If(leaves | ~whole[0]):
            m.d.sync += [groups[0].eq(Mux(whole[1], groups[1], found)), whole[0].eq(whole[1] | comes)]
        with m.If(leaves | ~whole[1]):
            m.d.sync += [groups[1].eq(found), whole[1].eq(comes & whole[0] & (~leaves | whole[1]))]
        return slots, (groups[0], whole[0], leaves), reads

    def significant(self, value):
        """Bits of which the highest one of a group says its precision: 1 more in a field than it is from the lowest."""
        if self.layout.signed:
            sign = value[-1]
            magnitude = value[:-1] ^ sign.replicate(len(value) - 1)
            return magnitude | sign  # so that -1 has a bit
        return value[1:]

    def chunks(self, m, slots, first, reads):
        """Make a chunk of each memory word of the first complete group: its register and when that is free."""
        size = self.layout
        group, whole, leaves = first
        outof, at = Signal(range(size.words), name="outof"), Signal(range(size.words), name="at")
        stop, present = Signal(name="stop"), Signal(range(size.per_word + 1), name="present")
        word = Signal(size.values, name="word")
        valid, free = Signal(name="chunk_valid"), Signal(name="chunk_free")
        m.d.comb += [
            word.eq(Array(slots)[outof] if size.words > 1 else slots[0]),
            stop.eq(at == group.stop),
            present.eq(Mux(stop & group.last, group.present, size.per_word)),
            reads.eq(whole & free),
            leaves.eq(reads & stop),
        ]
        with m.If(reads):
            m.d.sync += [outof.eq(outof + 1), at.eq(Mux(stop, 0, at + 1))]
        chunks, parts = Chunks(m), []
        for part in range(size.parts):
            name, start = f"part_{part}", part * size.slice
            values = [word[start + i] for i in range(size.slice)]
            there = Signal(size.slice, name=f"{name}_there")
            stored = Signal(size.slice, name=f"{name}_stored")
            field = Signal(size.field, name=f"{name}_field")
            m.d.comb += [
                there.eq(Cat(present > start + i for i in range(size.slice))),
                stored.eq(there & Cat(value.any() for value in values) if size.zeros else there),
                field.eq(group.fields[part]),
            ]
            chunk = chunks.values(values, stored, field, name)
            if size.zeros:
                chunk = chunks.join((stored, count_ones(m, there, f"{name}_present")), chunk, f"{name}_vector")
            opens = (at == 0) & there[0]
            head = Signal(range(size.field + 1), name=f"{name}_head")
            m.d.comb += head.eq(Mux(opens, size.field, 0))
            bits, length = chunk
            joined = Signal(size.field + len(bits), name=f"{name}_chunk")
            total = Signal(range(len(joined) + 1), name=f"{name}_total")
            m.d.comb += [
                joined.eq(Mux(opens, Cat(field, bits), bits)),
                total.eq((length + head)[: len(total)]),
            ]
            parts.append((joined, total))
        while len(parts) > 1:
            parts = [chunks.join(low, high, f"pair_{i}_of_{len(parts)}")
                     for i, (low, high) in enumerate(zip(parts[::2], parts[1::2]))]  # fmt: skip
        [(bits, length)] = parts
        chunk = Signal(chunk_layout(size), name="chunk", reset_less=True)
        with m.If(free):
            m.d.sync += valid.eq(whole)
        with m.If(reads):
            m.d.sync += [
                chunk.bits.eq(bits),
                chunk.length.eq(length),
                chunk.last.eq(stop & group.last),
                chunk.bad.eq(group.bad),
            ]
        return chunk, valid, free

    def words(self, m, chunk, valid, free):
        """Put chunks behind each other and words out."""
        size, y = self.layout, self.y.payload
        memory = size.memory
        bits, fill = Signal(room(size), name="bits"), Signal(range(room(size) + 1), name="fill")
        ending, bad = Signal(name="ending"), Signal(name="bad", reset_less=True)
        out, final, absorbs = Signal(name="out"), Signal(name="final"), Signal(name="absorbs")
        left = Signal(range(memory), name="left")
        m.d.comb += [
            self.y.valid.eq((fill >= memory) | ending),
            y.data.eq(bits),
            y.last.eq(ending & (fill <= memory)),
            y.bad.eq(bad),
            out.eq(self.y.valid & self.y.ready),
            final.eq(out & y.last),
            absorbs.eq(valid & Mux(ending, final, (fill < memory) | (out & (fill < 2 * memory)))),
            free.eq(~valid | absorbs),
        ]
        low = (memory - 1).bit_length()
        m.d.comb += left.eq(Mux(final, 0, fill[:low]))
        after = Signal(room(size), name="after")
        m.d.comb += after.eq(Mux(out, bits[memory:], bits))
        fresh = moved_up(m, chunk.bits, left, room(size), "fresh")
        with m.If(absorbs):
            m.d.sync += [
                bits.eq(after | fresh),
                fill.eq((left + chunk.length)[: len(fill)]),
                ending.eq(chunk.last),
                bad.eq(chunk.bad),
            ]
        with m.Elif(out):
            m.d.sync += [bits.eq(after), fill.eq(Mux(final, 0, (fill - memory)[: len(fill)])), ending.eq(ending & ~final)]

