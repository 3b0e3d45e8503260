"""What streaming codecs of DPRed containers do beyond `golden.dpred`: with what is wrong, and in how many cycles."""

import numpy as np

from golden.dpred import WORD_BITS, body, decode, framed, walk
from golden.errors import InputError
from golden.precision import group_precision, grouped

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


def encoded(spec, x, count):
    """What an encoder makes of a packet of the memory words of `x`: (words of the container, whether it is wrong).

    A packet whose length does not fit `count` makes a container that no decoder takes: of the values that it has, up
    to `count` filled with zeros to a memory word; with a further zero word if it is too long and its body is one of
    whole words; with its CRC inverted.

    Parameters
    ----------
    spec : DpredSpec
    x : int64 [values]
        At least one; the last memory word is filled with zeros.
    count : int
        0 to 2**32 - 1.
    """
    values, extra = counted(spec, x, count)
    bits = body(spec, values)
    if extra > 0:
        bits = np.pad(bits, (0, WORD_BITS - bits.size % WORD_BITS))
    words = framed(spec, count, bits)
    if extra:
        words[-1] ^= np.uint64(0xFFFFFFFF)
    return words, bool(extra)


def word_bits(spec, values):
    """Bits that each memory word of `values` [N] becomes."""
    slices = grouped(values, spec.slice)
    there = np.arange(slices.size).reshape(slices.shape) < values.size
    precision = group_precision(grouped(values, spec.group), spec.signed)
    precision = np.repeat(precision, spec.group // spec.slice)[: len(slices)]
    bits = precision * (slices != 0 if spec.zeros else there).sum(axis=1)
    bits += spec.width_bits * (np.arange(len(slices)) * spec.slice % spec.group == 0)
    bits += there.sum(axis=1) * spec.zeros
    return grouped(bits, spec.per_word // spec.slice).sum(axis=1)


def encoder_cycles(spec, x, count):
    """Cycles of an encoder from the first memory word to its verdict, both included, without a stall.

    A memory word is taken while there is room for those of a group; it is read when its group is whole, made a chunk
    of bits, and put behind those before it once less than a container word of them is left. A container word leaves a
    cycle, the header first. See `docs/dpred.md`.
    """
    values, extra = counted(spec, x, count)
    bits = word_bits(spec, values).tolist() if values.size else []
    gaps = [1] * len(bits)
    if extra > 0:  # the last of them counts as an empty one
        bits, gaps = [*bits, 0], [*gaps, extra if bits else extra - 1]
    gaps[0] -= bool(values.size)
    room, last = spec.group // spec.slice, len(bits) - 1
    written, read, chunked, out, total = [], [], [], [1], 0  # cycles; out[0] is the header's
    for start in range(0, len(bits), room):
        group = range(start, min(start + room, len(bits)))
        for i in group:
            before = written[-1] if written else 0
            written.append(max(before + gaps[i], read[i - room] if i >= room else 0))
        for i in group:
            free = max(read[-1] + 1, chunked[-1]) if read else 0
            read.append(max(free, written[-1] + 1))
            behind = chunked[-1] + 1 if chunked else 0
            chunked.append(max(read[i] + 1, behind, out[total // WORD_BITS] if total >= WORD_BITS else 0))
            total += bits[i]
            whole = total // WORD_BITS if i < last else max(-(-total // WORD_BITS), total // WORD_BITS + (extra > 0))
            while len(out) <= whole:
                out.append(max(out[-1], chunked[i]) + 1)
    return out[-1] + 3


def cut_points(spec, words):
    """The end of each memory word that lies wholly in the body of `words`, in bits; none if the header is wrong."""
    count = int(words[0]) >> 32
    if int(words[0]) & 0xFFFFFFFF != spec.header or not count or words.size < 2:
        return []
    octets = words[1:-1].astype("<u8").tobytes()
    starts, precisions, masks, _ = walk(spec, count, octets)
    ends = [start + precision * mask.bit_count() for start, precision, mask in zip(starts, precisions, masks)]
    parts = spec.per_word // spec.slice
    whole = ends[parts - 1 :: parts]
    if len(ends) % parts and len(ends) == -(-count // spec.slice):
        whole.append(ends[-1])
    return [end for end in whole if end <= WORD_BITS * (words.size - 2)]


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
    count = int(words[0]) >> 32
    if int(words[0]) & 0xFFFFFFFF != spec.header or not count or words.size < 2:
        return words.size + 1
    longest = spec.per_word // spec.slice * (spec.width_bits + spec.slice * (spec.word + spec.zeros))
    taken, cuts = [0], []  # cycles; taken[0] is the header's

    def cut():
        end = ends[len(cuts)]
        cuts.append(max(cuts[-1] if cuts else 0, taken[-(-end // WORD_BITS)]) + 1)

    for j in range(words.size - 2):
        while len(cuts) < len(ends) and j * WORD_BITS - (ends[len(cuts) - 1] if cuts else 0) >= longest:
            cut()
        room = 0
        if cuts:
            full = j * WORD_BITS - ends[len(cuts) - 1] >= longest
            room = cuts[-1] + full  # that no more are needed shows a cycle later
        taken.append(max(taken[-1] + 1, room))
    while len(cuts) < len(ends):
        cut()
    closes = max(taken[-1] + 1, cuts[-1] if cuts else 0) + 1
    return closes + 2 + bool(cuts)
