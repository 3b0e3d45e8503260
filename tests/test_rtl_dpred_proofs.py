"""What is proven of the codecs: unpacking undoes packing, whatever the stalls, and outputs keep the rules of streams."""

import pytest
from amaranth import Array, Cat, Mux, Signal

from golden.dpred import DpredSpec
from rtl.dpred_decode import DpredDecoder
from rtl.dpred_encode import DpredEncoder
from rtl.dpred_layout import BodyLayout
from rtl.dpred_pack import Packer
from rtl.dpred_unpack import Unpacker
from rtl.targets import TARGETS
from tb.formal import Property, holds, stream_rules

MOST = 4  # values: two groups of two
ALL = (1, 2, 3, 4)  # widths
UNSTALLED = {4: 12, 8: 9, 16: 7}  # cycles without a stall, by the bits of a memory word


def round_trip(layout, unpacked=None, within=None, widths=None):
    """A body of 1 to 4 values of any kind, with `widths` or any table, packed and unpacked, with any stall at each of the three streams.

    Required are the memory words as they were, zeros beyond the count, and the end said to be bad, or else, if a value
    needs more bits than the greatest width; that the unpacker ends with the last body word and leaves nothing but
    padding; and, where nothing ever stalls, that all is over after as many cycles as `within`.
    """
    property, per_word, words = Property(), layout.per_word, MOST // layout.per_word
    packer, unpacker = Packer(layout), Unpacker(unpacked or layout, count_bits=3)
    property.add("packer", packer)
    property.add("unpacker", unpacker)
    values = [property.constant(layout.word, f"value_{i}") for i in range(MOST)]
    count = property.constant(3, "count")
    table = property.constant(layout.word + 1, "table")
    property.suppose((count >= 1) & (count <= MOST) & table[1:].any() & ~table.all())
    if widths is not None:
        property.suppose(table == sum(1 << width for width in widths))
    fits = Cat((count <= i) | fit(value, table, layout.signed) for i, value in enumerate(values)).all()
    stalls = [Signal(name=f"stall_{i}") for i in range(4)]
    property.free(*stalls)

    m = property.m
    sent, got, needed = (Signal(range(words + 1), name=name) for name in ("sent", "got", "needed"))
    closed, started, stalled = Signal(name="closed"), Signal(name="started"), Signal(name="stalled")
    clock = Signal(range(32), name="clock")
    rows = [range(k * per_word, (k + 1) * per_word) for k in range(words)]
    memory = Array(Cat(values[i] for i in row) for row in rows)
    wanted = Array(Cat(Mux(count > i, values[i], 0) for i in row) for row in rows)
    given, x, body = packer.memory, packer.memory.payload, packer.body
    m.d.comb += [
        needed.eq(sum(count > row[0] for row in rows)),
        given.valid.eq(~stalls[0] & (sent < needed)),
        x.values.eq(memory[sent]),
        x.last.eq(sent + 1 == needed),
        x.table.eq(table),
        x.present.eq(Mux(x.last, count - sent * per_word, per_word)),
        unpacker.start.eq(~started),
        unpacker.count.eq(count),
        unpacker.table.eq(table),
        unpacker.body.payload.eq(body.payload.data),
        unpacker.body.valid.eq(body.valid & ~stalls[1]),
        body.ready.eq(unpacker.body.ready & ~stalls[1]),
        unpacker.hold.eq(stalls[2]),
        unpacker.memory.ready.eq(~stalls[3]),
    ]
    m.d.sync += [started.eq(1), stalled.eq(stalled | Cat(stalls).any()), clock.eq(Mux(clock.all(), clock, clock + 1))]
    with m.If(given.valid & given.ready):
        m.d.sync += sent.eq(sent + 1)
    with m.If(body.valid & body.ready & body.payload.last):
        m.d.sync += closed.eq(1)
    with m.If(unpacker.memory.valid & unpacker.memory.ready):
        m.d.sync += got.eq(got + 1)

    right = unpacker.memory.payload.as_value() == wanted[got]
    property.require(~unpacker.memory.valid | ((got < needed) & (right | ~fits)))
    property.require(~body.valid | ~body.payload.last | (body.payload.bad == ~fits))
    property.require(~fits | ~closed | (~body.valid & Mux(unpacker.done, unpacker.clean, ~unpacker.lacks)))
    over = (got == needed) & closed & unpacker.done
    property.require(~fits | stalled | over | (clock < (within or UNSTALLED[layout.memory])))
    return property


def fit(value, table, signed):
    """Whether one of the widths of `table` holds it; signed, what is not 0 needs 2 bits or more."""
    upper = [value[max(0, width - signed) :] for width in range(len(value))]
    held = [~bits.any() | (bits.all() if signed and width > 1 else 0) for width, bits in enumerate(upper)]
    return table[-1] | (table[:-1] & Cat(held)).any()


def layout(memory, signed, zeros):
    """Values of 4 bits in groups of 2."""
    return BodyLayout(word=4, signed=signed, group=2, zeros=zeros, memory=memory)


@pytest.mark.parametrize(("memory", "cycles", "widths"), [(8, 11, ALL), (16, 9, (0, 2, 3))])
def test_unpacking_undoes_packing(memory, cycles, widths):
    assert holds(round_trip(layout(memory, True, memory == 8), widths=widths), cycles=cycles)


@pytest.mark.long
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_unpacking_undoes_packing_whatever_the_table(signed, zeros):
    assert holds(round_trip(layout(16, signed, zeros)), cycles=9)


@pytest.mark.long
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("widths", [ALL, (0, 2, 3)])
@pytest.mark.parametrize(("memory", "cycles"), [(4, 14), (8, 12), (16, 10)])
def test_unpacking_undoes_packing_for_longer(memory, cycles, widths, signed, zeros):
    assert holds(round_trip(layout(memory, signed, zeros), widths=widths), cycles=cycles)


def test_what_is_wrong_is_found():
    right = layout(16, True, True)
    assert not holds(round_trip(right, unpacked=layout(16, False, True), widths=ALL), cycles=9)  # another sign
    assert not holds(round_trip(right, unpacked=layout(16, True, False), widths=ALL), cycles=9)
    assert not holds(round_trip(right, within=UNSTALLED[16] - 1, widths=ALL), cycles=9)


@pytest.mark.parametrize("name", ["dpred_encoder", "dpred_decoder"])
@pytest.mark.parametrize("settings", TARGETS["dpred_encoder"].bench, ids=str)
def test_outputs_keep_the_rules_of_streams_for_ever(name, settings):
    spec, property = DpredSpec(**settings), Property()
    if name == "dpred_encoder":
        codec, inputs, outputs = DpredEncoder(spec), ("x", "n"), ("c", "e")
    else:
        codec, inputs, outputs = DpredDecoder(spec), ("c",), ("x", "e")
    property.add("codec", codec)
    for role in inputs:
        property.free(getattr(codec, role).valid, getattr(codec, role).payload)
    for role in outputs:
        property.free(getattr(codec, role).ready)
        stream_rules(property, getattr(codec, role), role)
    assert holds(property, induction=2)
