"""Memory words held until their group is whole, so that its width is known."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Mux, Signal
from amaranth.lib import wiring

from rtl.dpred_widths import fitting, lengths

__all__ = ["Holder", "group_widths", "queued", "rotating", "seen_bits"]


def group_widths(size):
    """Bits of what is known of a complete group or, if a memory word holds more, of its groups."""
    fields = {f"{key}_{part}": getattr(size, key) for part in range(size.parts) for key in ("width", "field")}
    fields["longer"] = size.field  # of `lengths`
    stop = {"stop": (size.words - 1).bit_length()} if size.words > 1 else {}
    return fields | stop | {"present": size.per_word.bit_length(), "last": 1, "bad": 1}


def seen_bits(size):
    """Registers that say how many bits the values of a group have needed so far."""
    return (size.words > 1) * (size.word - size.signed)


def queued(size):
    """Complete groups that may wait."""
    return 2 if size.words > 1 else 1


def rotating(m, size, moves, name, choose=False):
    """One bit for each of `size` places: the one whose turn it is, until it `moves`; unless to `choose`, only then."""
    if size == 1:
        return [Const(1, 1)] if choose else [moves]
    place = Signal(range(size), name=name)
    with m.If(moves):
        m.d.sync += place.eq((place + 1)[: len(place)])
    picks = Signal(size, name=f"{name}_place")
    m.d.comb += picks.eq((Const(1, 1) << place)[:size])
    return [pick if choose else pick & moves for pick in picks]


class Holder(wiring.Component):
    """What a `Packer` takes its memory words into; it has the `layout` and the stream `memory`."""

    def hold(self, m, reads, leaves):
        """Take memory words until their group is complete: their registers, the first group, and whether it is whole."""
        size, x = self.layout, self.memory.payload
        enters, complete, comes = Signal(name="enters"), Signal(name="complete"), Signal(name="comes")
        present = Signal(range(size.per_word + 1), name="present")
        m.d.comb += present.eq(x.present)
        masked = [x.values[i] & (present > i).replicate(size.word) for i in range(size.per_word)]
        _, longer = lengths(m, x.table, size, "table")
        found, fits = {"longer": longer}, Signal(size.parts, name="fits")
        for part in range(size.parts):
            needs = self.needs(m, masked, part, enters, complete)
            width, field, fit = fitting(m, needs, x.table, longer, size, f"part_{part}")
            found |= {f"width_{part}": width, f"field_{part}": field}
            m.d.comb += fits[part].eq(fit)
        misfit, bad = Signal(name="misfit"), Signal(name="misfits")  # a group of the packet needs more than there is
        m.d.comb += bad.eq(misfit | ~fits.all())
        with m.If(enters):
            m.d.sync += misfit.eq(bad & ~x.last)
        index = Signal(range(size.words), name="index")
        if size.words > 1:
            found["stop"] = index
            m.d.comb += complete.eq(x.last | index.all())
            with m.If(enters):
                m.d.sync += index.eq(Mux(complete, 0, (index + 1)[: len(index)]))
        else:
            m.d.comb += complete.eq(1)
        found |= {"present": present, "last": x.last, "bad": x.bad | bad}

        slots = [Signal(size.memory, name=f"slot_{i}", reset_less=True) for i in range(size.words)]
        writes = rotating(m, size.words, enters, "into")
        for slot, write in zip(slots, writes):
            with m.If(write):
                m.d.sync += slot.eq(Cat(masked))
        first, whole, room_for_group = self.queue(m, found, comes, leaves)
        free = room_for_group  # for a group of one word, there is then room for the word
        if size.words > 1:
            level = Signal(range(size.words + 1), name="level")
            free = (~level[-1] | reads) & (~complete | room_for_group)
            with m.If(enters & ~reads):
                m.d.sync += level.eq((level + 1)[: len(level)])
            with m.Elif(reads & ~enters):
                m.d.sync += level.eq((level - 1)[: len(level)])
        m.d.comb += [
            self.memory.ready.eq(free),
            enters.eq(self.memory.valid & self.memory.ready),
            comes.eq(enters & complete),
        ]
        return slots, first, whole

    def queue(self, m, found, comes, leaves):
        """Up to two complete groups, or one of a single word: the first, whether it is there, and room for another."""
        size = self.layout
        groups = [{key: Signal(width, name=f"group_{i}_{key}", reset_less=True)
                   for key, width in group_widths(size).items()} for i in range(queued(size))]  # fmt: skip
        whole = [Signal(name=f"group_{i}_whole") for i in range(queued(size))]
        if len(groups) == 1:
            following, follows = found, comes
        else:
            following, follows = {key: Mux(whole[1], groups[1][key], found[key]) for key in found}, whole[1] | comes
            with m.If(leaves | ~whole[1]):
                m.d.sync += whole[1].eq(comes & whole[0] & (~leaves | whole[1]))
                m.d.sync += [groups[1][key].eq(found[key]) for key in found]
        with m.If(leaves | ~whole[0]):
            m.d.sync += whole[0].eq(follows)
            m.d.sync += [groups[0][key].eq(following[key]) for key in found]
        return groups[0], whole[0], ~whole[-1] | leaves

    def needs(self, m, values, part, enters, complete):
        """As many bits are one as the slice `part` of `values`, or its group so far, needs, the lowest."""
        size = self.layout
        ones = Signal(size.word - size.signed, name=f"ones_{part}")
        those = values[part * size.slice : (part + 1) * size.slice]
        own = reduce(or_, (self.significant(value) for value in those))
        if size.words > 1:
            seen = Signal(len(ones), name="seen")  # in the words of the group before this one
            with m.If(enters):
                m.d.sync += seen.eq(ones & (~complete).replicate(len(seen)))
            own = own | seen
        m.d.comb += ones.eq(own)
        above = [ones[k:].any() for k in range(len(ones))]
        return Cat(above[:1] * size.signed, above)  # signed, 1 has two bits

    def significant(self, value):
        """Bits of which the highest one in a group, numbered from 1, says how many bits it needs; signed, 1 less."""
        if self.layout.signed:
            return (value[:-1] ^ value[-1].replicate(len(value) - 1)) | value[-1]  # so that -1 has a bit
        return value
