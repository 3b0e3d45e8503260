"""What streaming codecs of DPRed containers do beyond `golden.dpred`: with what is wrong, and in how many cycles."""

import numpy as np

from golden.dpred import WORD_BITS, body, decode, framed, read_header, walk
from golden.dpred_widths import least_widths
from golden.errors import InputError
from golden.precision import grouped

__all__ = ["decoded", "decoder_cycles", "encoded", "encoder_cycles"]

GOOD, BAD, NOTHING = 0, 1, 3  # verdicts of the decoder


def counted(spec, x, count):
    """The values that an encoder of `count` values takes from the memory words of `x`, and how `count` fits them.

    Returns
    -------
    values : int64
    extra : int
        Memory words behind those of `count` values; negative if there are too few.
    """
    words = -(-x.size // spec.per_word)
    x = np.pad(x, (0, words * spec.per_word - x.size))
    needed = -(-count // spec.per_word)
    if needed < words or count == 0:  # words are whole where others follow
        return np.where(np.arange(needed * spec.per_word) < count, x[: needed * spec.per_word], 0), words - needed
    return x[:count], words - needed


def chosen(spec, mask, values):
    """What an encoder writes for the groups of `values` when `mask` says which widths there are.

    Returns
    -------
    widths, fields : int arrays
        Of each group; the width is 0 where the group needs more than any of `mask`.
    field_bits : int
    wrong : bool
        Whether there is such a group, or `mask` is no table.
    """
    least, known = least_widths(grouped(values, spec.group), spec.signed), np.array([k for k in range(17) if mask >> k & 1])
    fields = np.searchsorted(known, least)
    widths = np.append(known, 0)[fields].astype(np.int64)
    wrong = bool((fields == known.size).any()) or known.size > spec.word or mask < 2
    most = (spec.word - 1).bit_length()
    return widths, fields, min((max(known.size, 1) - 1).bit_length(), most), wrong


def encoded(spec, x, count, mask):
    """What an encoder makes of a packet of the memory words of `x`: (words of the container, whether it is wrong).

    A packet whose length does not fit `count`, or whose values do not fit the widths, makes a container that no
    decoder takes: of the values that it has, up to `count` filled with zeros to a memory word; with a further zero
    word if it is too long and its body is one of whole words, or if its body is empty; with its CRC inverted.

    Parameters
    ----------
    spec : DpredSpec
    x : int64 [values]
        At least one; the last memory word is filled with zeros.
    count : int
        0 to 2**32 - 1.
    mask : int
        Bit k is one if groups may have the width k, 0 to ``spec.word``.
    """
    values, extra = counted(spec, x, count)
    *choice, wrong = chosen(spec, mask, values)
    bits = body(spec, values, *choice)
    if extra > 0 or not bits.size:
        bits = np.pad(bits, (0, WORD_BITS - bits.size % WORD_BITS))
    words, wrong = framed(spec, mask, count, bits), wrong or extra != 0
    if wrong:
        words[-1] ^= np.uint64(0xFFFFFFFF)
    return words, wrong


def word_bits(spec, values, widths, field_bits):
    """Bits that each memory word of `values` [N] becomes, and whether it is one that an encoder skips.

    That is where a group goes on whose values are all zeros of no bits.
    """
    slices = grouped(values, spec.slice)
    there = np.arange(slices.size).reshape(slices.shape) < values.size
    widths = np.repeat(widths, spec.group // spec.slice)[: len(slices)]
    opens = np.arange(len(slices)) * spec.slice % spec.group == 0
    bits = widths * (slices != 0 if spec.zeros else there).sum(axis=1)
    bits += field_bits * opens + there.sum(axis=1) * spec.zeros
    skipped = ~opens & (widths == 0) & (not spec.zeros)
    parts = spec.per_word // spec.slice
    return grouped(bits, parts).sum(axis=1), skipped[::parts]


def encoder_cycles(spec, x, count, mask):
    """Cycles of an encoder from the first memory word to its verdict, both included, without a stall.

    A memory word is taken while there is room for those of a group; it is read when its group is whole, made a chunk
    of bits, and put behind those before it once less than a container word of them is left. A container word leaves a
    cycle, the header first. See `docs/dpred.md`.
    """
    values, extra = counted(spec, x, count)
    widths, _, field_bits, _ = chosen(spec, mask, values)
    bits, skipped = (part.tolist() for part in word_bits(spec, values, widths, field_bits))
    gaps = [1] * len(bits)
    if extra > 0:  # the last of them counts as an empty one
        bits, gaps = [*bits, 0], [*gaps, extra if bits else extra - 1]
        last = (len(bits) - 1) * spec.slice // spec.group * spec.group // spec.slice  # group, of which none is skipped
        skipped = [*skipped[:last], *[False] * (len(bits) - last)]
    gaps[0] -= bool(values.size)
    room, final = spec.group // spec.slice, max(i for i in range(len(bits)) if not skipped[i])
    written, read, chunked, out, total = [], [], [], [1], 0  # cycles; out[0] is the header's
    for start in range(0, len(bits), room):
        group = range(start, min(start + room, len(bits)))
        for i in group:
            before = written[-1] if written else 0
            written.append(max(before + gaps[i], read[i - room] if i >= room else 0))
        for i in group:
            free = max(read[-1] + 1, chunked[-1]) if read else 0
            read.append(max(free, written[-1] + 1))
            if skipped[i]:
                chunked.append(chunked[-1])
                continue
            behind = chunked[-1] + 1 if chunked else 0
            chunked.append(max(read[i] + 1, behind, out[total // WORD_BITS] if total >= WORD_BITS else 0))
            total += bits[i]
            whole = total // WORD_BITS
            if i == final:
                whole = max(-(-total // WORD_BITS), whole + (extra > 0), 1)
            while len(out) <= whole:
                out.append(max(out[-1], chunked[i]) + 1)
    return out[-1] + 3


def opened(spec, words):
    """Table, count and the bytes of the body of `words`; a count of 0 if the header is wrong, or there is none."""
    if words.size > 1:
        try:
            found, table, count = read_header(int(words[0]))
        except InputError:
            found = None
        if found == spec:
            return table, count, words[1:-1].astype("<u8").tobytes()
    return None, 0, b""


def cut_points(spec, words):
    """The end of each memory word that lies wholly in the body of `words`, in bits; none if the header is wrong."""
    table, count, octets = opened(spec, words)
    if not count:
        return []
    starts, widths, masks, *_ = walk(spec, table, count, octets)
    ends = [start + width * mask.bit_count() for start, width, mask in zip(starts, widths, masks)]
    parts = spec.per_word // spec.slice
    whole = ends[parts - 1 :: parts]
    if len(ends) % parts and len(ends) == -(-count // spec.slice):
        whole.append(ends[-1])
    return [end for end in whole if end <= 8 * len(octets)]


def decoded(spec, words):
    """What a decoder of `spec` says of a packet `words`, and what it delivers.

    Returns
    -------
    verdict : int
        0 if it is a container of `spec`; 1 if it is none, and memory words were delivered; 3 if none were.
    delivered : int
        Memory words.
    x : int64
        The values, none unless the verdict is 0.
    """
    delivered = len(cut_points(spec, words))
    try:
        found, x = decode(words)
    except InputError:
        found = None
    if found != spec:
        return BAD if delivered else NOTHING, delivered, np.zeros(0, np.int64)
    return GOOD, delivered, x


def decoder_cycles(spec, words):
    """Cycles of a decoder from the first word of a packet to its verdict, both included, without a stall.

    A word is taken when fewer bits than the longest memory word becomes are left in the window, or no more are needed;
    a memory word is cut when its bits are there. See `docs/dpred.md`.
    """
    ends = cut_points(spec, words)
    table, count, _ = opened(spec, words)
    if not count:
        return words.size + 1
    field = (spec.word - 1).bit_length()  # bits before a payload in the window, of which those of a field count
    longest = spec.per_word // spec.slice * (field + spec.slice * (spec.word + spec.zeros))
    needed = -(-count // spec.per_word)
    taken, cuts = [0], []  # cycles; taken[0] is the header's

    def full(j):
        """Whether the window is, with `j` body words and what has been cut."""
        before = field - table.field_bits * (len(cuts) * spec.per_word % spec.group == 0)
        return j * WORD_BITS - (ends[len(cuts) - 1] if cuts else 0) + before * (len(cuts) < needed) >= longest

    def cut():
        end = ends[len(cuts)]
        cuts.append(max(cuts[-1] if cuts else 0, taken[-(-end // WORD_BITS)]) + 1)

    for j in range(words.size - 2):
        while len(cuts) < len(ends) and full(j):
            cut()
        room = cuts[-1] + full(j) if cuts else 0  # that no more are needed shows a cycle later
        taken.append(max(taken[-1] + 1, room))
    while len(cuts) < len(ends):
        cut()
    closes = max(taken[-1] + 1, cuts[-1] if cuts else 0) + 1
    return closes + 2 + bool(cuts)
