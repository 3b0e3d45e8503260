"""The body of a DPRed container from memory words: groups are held until their width is known, then packed."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from rtl.dpred_hold import Holder, group_widths, queued, rotating, seen_bits
from rtl.dpred_layout import below, count_ones, moved_up, product

__all__ = ["Packer", "packer_flip_flops"]


def room(size):
    """Bits between chunks and body words."""
    return size.memory - 1 + size.longest


def packer_flip_flops(size):
    """One-bit registers of a `Packer`."""
    index = (size.words - 1).bit_length()
    held = size.words * size.memory + 4 * index + (size.words > 1) * size.words.bit_length() + seen_bits(size) + 1
    groups = queued(size) * (sum(group_widths(size).values()) + 1)
    chunk = size.longest + size.longest.bit_length() + size.field.bit_length() + 3
    return held + groups + chunk + room(size) + room(size).bit_length() + 2


class Packer(Holder):
    """Memory words in, body words out: each group a field and its values in as many bits as the field says.

    A memory word a cycle, or where its bits are more than a body word, a body word a cycle. A group waits, in
    registers, until its last word is there; another may be complete behind it.

    Parameters
    ----------
    layout : BodyLayout

    Attributes
    ----------
    memory : In(stream)
        `values` of a memory word; in the `last` word of a packet only the first `present` count. `bad` is passed on.
        `table` has a bit for each width that groups of the packet may have.
    body : Out(stream)
        Body words; the `last` is filled with zeros. It is `bad` if the packet's last memory word is, or if a group
        needs more bits than there are widths for.

    Source: Delmas et al., DPRed, for the detection of widths: the OR of a group's values and its leading one.
    """

    def __init__(self, layout):
        self.layout = layout
        values = {"values": layout.values, "present": range(layout.per_word + 1), "last": 1, "bad": 1}
        values["table"] = layout.word + 1
        super().__init__(
            {
                "memory": In(stream.Signature(data.StructLayout(values))),
                "body": Out(stream.Signature(data.StructLayout({"data": layout.memory, "last": 1, "bad": 1}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        reads, leaves = Signal(name="reads"), Signal(name="leaves")  # a held word; the last one of its group
        slots, group, whole = self.hold(m, reads, leaves)
        self.join(m, *self.chunk(m, slots, group, whole, reads, leaves))
        return m

    def chunk(self, m, slots, group, whole, reads, leaves):
        """Make a chunk of each memory word of the first group: its registers, and when they are free."""
        size = self.layout
        valid, free = Signal(name="chunk_valid"), Signal(name="chunk_free")
        stop, present = Const(1, 1), Signal(range(size.per_word + 1), name="chunk_present")
        chosen = rotating(m, size.words, reads, "outof", choose=True)
        word = Signal(size.memory, name="word")
        m.d.comb += word.eq(reduce(or_, (slot & pick.replicate(size.memory) for slot, pick in zip(slots, chosen))))
        opens, ends, skips = Const(1, 1), stop, Const(0, 1)  # a group begins; the chunk is its last; there is none
        if size.words > 1:
            at, stop = Signal(range(size.words), name="at"), Signal(name="stop")
            opens = ~at.any()
            m.d.comb += stop.eq(at == group["stop"])
            with m.If(reads):
                m.d.sync += at.eq(Mux(stop, 0, (at + 1)[: len(at)]))
            ends = stop
            if not size.zeros:  # zeros of no bits, all in the first chunk
                ends, skips, empty = Signal(name="ends"), Signal(name="skips"), Signal(name="empty")
                m.d.comb += [
                    empty.eq(~group["width_0"].any() & group["present"].any()),
                    ends.eq(stop | empty),
                    skips.eq(empty & ~opens),
                ]
        head = Signal(range(size.field + 1), name="head")  # bits of the field
        m.d.comb += head.eq(Mux(opens, count_ones(m, group["longer"], "field_bits"), 0))
        m.d.comb += [
            present.eq(Mux(stop & group["last"], group["present"], size.per_word)),
            reads.eq(whole & free),
            leaves.eq(reads & stop),
        ]
        parts = []
        for part in range(size.parts):
            start = part * size.slice
            values = [word[i * size.word :][: size.word] for i in range(start, start + size.slice)]
            there = Signal(size.slice, name=f"part_{part}_there")
            m.d.comb += there.eq(Cat(present > i for i in range(start, start + size.slice)))
            field = group[f"field_{part}"] & opens.replicate(size.field)
            bits, length = self.part(m, values, there, group[f"width_{part}"], f"part_{part}")
            total = Signal(range(size.longest // size.parts + 1), name=f"part_{part}_length")
            m.d.comb += total.eq((length + Mux(there[0], head, 0))[: len(total)])
            parts.append((Cat(field[::-1], bits), total))  # `join` moves the field to where it begins
        while len(parts) > 1:
            parts = [joined(m, low, high, f"pair_{i}_of_{len(parts)}")
                     for i, (low, high) in enumerate(zip(parts[::2], parts[1::2]))]  # fmt: skip
        [(bits, length)] = parts
        chunk = {"bits": bits, "length": length, "head": head, "last": ends & group["last"], "bad": group["bad"]}
        kept = {key: Signal(len(value), name=f"chunk_{key}", reset_less=True) for key, value in chunk.items()}
        with m.If(free):
            m.d.sync += valid.eq(whole & ~skips)
        with m.If(reads):
            m.d.sync += [kept[key].eq(value) for key, value in chunk.items()]
        return kept, valid, free

    def part(self, m, values, there, width, name):
        """The bits of a slice behind its field, of which the values that are `there` count, and their number."""
        size = self.layout
        stored = there
        if size.zeros:
            stored = Signal(size.slice, name=f"{name}_stored")
            m.d.comb += stored.eq(there & Cat(value.any() for value in values))
        mask = below(m, width, size.word, f"{name}_mask")
        nodes, span = [value & mask & stored[i].replicate(size.word) for i, value in enumerate(values)], 1
        while len(nodes) > 1:
            pairs = []
            for i in range(0, len(nodes), 2):
                what = f"{name}_{span}_{i // 2}"
                shift = product(m, count_ones(m, stored[i * span : (i + 1) * span], f"{what}_ones"), width, f"{what}_shift")
                up = moved_up(m, nodes[i + 1], shift, 2 * span * size.word, f"{what}_up")
                pairs.append(nodes[i] | up)
            nodes, span = pairs, 2 * span
        bits, length = nodes[0], product(m, count_ones(m, stored, f"{name}_ones"), width, f"{name}_payload")
        if size.zeros:
            bits, length = joined(m, (stored, count_ones(m, there, f"{name}_present")), (bits, length), f"{name}_vector")
        return bits, length

    def join(self, m, chunk, valid, free):
        """Put chunks behind each other, and words out."""
        size, y = self.layout, self.body.payload
        memory, held = size.memory, room(size)
        bits, fill = Signal(held, name="bits"), Signal(range(held + 1), name="fill")
        ending, bad = Signal(name="ending"), Signal(name="bad", reset_less=True)
        out, finishes, absorbs = Signal(name="out"), Signal(name="finishes"), Signal(name="absorbs")
        left = Signal(range(memory), name="left")  # bits that are less than a word
        low = len(left)
        full, two = Signal(name="full"), fill[low + 1 :].any()  # a word is there; two are
        m.d.comb += [
            full.eq(fill[low:].any()),
            self.body.valid.eq(full | ending),
            y.data.eq(bits[:memory]),
            y.last.eq(ending & (fill <= memory)),
            y.bad.eq(bad),
            out.eq(self.body.valid & self.body.ready),
            finishes.eq(out & y.last),
            absorbs.eq(valid & Mux(ending, finishes, ~full | (out & ~two))),
            free.eq(~valid | absorbs),
            left.eq(Mux(finishes, 0, fill[: len(left)])),
        ]
        after = Signal(held, name="after")
        m.d.comb += after.eq(Mux(out, bits[memory:], bits))
        place = Signal(range(memory + size.field), name="place")
        m.d.comb += place.eq(left + chunk["head"])
        fresh = moved_up(m, chunk["bits"], place, held + size.field, "fresh", start=size.field)
        with m.If(absorbs):
            m.d.sync += [
                bits.eq(after | fresh),
                fill.eq((left + chunk["length"])[: len(fill)]),
                ending.eq(chunk["last"]),
                bad.eq(chunk["bad"]),
            ]
        with m.Elif(out):
            fewer = Cat(fill[:low], (fill[low:] - 1)[: len(fill) - low])
            m.d.sync += [bits.eq(after), fill.eq(Mux(finishes, 0, fewer)), ending.eq(ending & ~finishes)]


def joined(m, low, high, name):
    """`high` behind `low`: pairs of bits and their number."""
    (bits, length), (more, extra) = low, high
    total = Signal(range(len(bits) + len(more) + 1), name=f"{name}_length")
    m.d.comb += total.eq((length + extra)[: len(total)])
    return bits | moved_up(m, more, length, len(bits) + len(more), f"{name}_up"), total
