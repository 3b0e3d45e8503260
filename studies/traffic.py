"""Bits of the tensors of a layer in memory: the DPRed container beside simpler codes and bounds."""

import numpy as np

from golden.dpred import FRAME_BITS, WORD_BITS, DpredSpec
from golden.dpred_widths import best_table

__all__ = ["CODES", "GROUPS", "layer_traffic", "tensor_traffic"]

GROUPS = (4, 8, 16, 32, 64, 128, 256)
CODES = ("uncompressed", "static", "zero_flag", "entropy")
BY_GROUP = ("dpred", "dpred_zeros", "floor", "bare_floor")
STATIC_FIELD = 4  # bits in which a tensor's one width is written


def entropy(counts):
    """Bits of ``-sum(p log2 p)`` a symbol."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def stored(spec, widths, x):
    """How many values of a flat `x` are stored in groups that need 0, 1, 2, … bits, when `widths` are those of its groups."""
    sizes = np.full(len(widths), spec.group)
    sizes[-1] -= spec.group * len(widths) - x.size
    if spec.zeros:
        sizes = np.add.reduceat(x != 0, np.arange(0, x.size, spec.group), dtype=np.int64)
    return np.bincount(widths, sizes, spec.word + 1).astype(np.int64)


def containers(spec, parts, greatest):
    """Bits of the containers of all `parts`, frames and padding included, with the table that the first, the third, …
    of them and `greatest` give.

    Parameters
    ----------
    spec : DpredSpec
    parts : list of (values, groups, what `stored` returned)
    greatest : int
    """
    profile = parts[::2]
    table = best_table(spec.word, sum(counts for *_, counts in profile), sum(groups for _, groups, _ in profile), greatest)
    bits = 0
    for values, groups, counts in parts:
        least = np.flatnonzero(counts)
        widths = np.array(table.widths)[spec.fields(table, least)] if least.size else 0
        body = int((counts[least] * widths).sum()) + table.field_bits * groups + values * spec.zeros
        bits += FRAME_BITS + -(-body // WORD_BITS) * WORD_BITS
    return bits


def tensor_traffic(parts, word, signed, greatest=0):
    """Bits of a tensor, a JSON dictionary.

    Parameters
    ----------
    parts : list of int arrays
        In storage order; each goes into a container of its own, as the activations of each image do.
    word : int
        8 or 16.
    greatest : int
        Bits that no value of any part needs more of: the last width of the containers' one table, which is made from a
        profile, the first, the third, … of the parts.

    Returns
    -------
    dict
        values, zeros (how many of them), precision (the static one), widths (how many groups of 16 have a precision of
        1, 2, …), bits by `CODES`; and by the size of groups: dpred and dpred_zeros, bits of the container without and
        with zero vectors; floor, ``payload + groups * entropy of the precisions`` without them; and bare_floor, the same
        if groups of zeros alone have no payload, of the precision 1 in floor.
    """
    found = {"values": 0, "zeros": 0} | {name: dict.fromkeys(map(str, GROUPS), 0) for name in BY_GROUP}
    precisions, counts = np.zeros(word + 1, np.int64), np.zeros(1 << word, np.int64)
    specs = [DpredSpec(word=word, signed=signed, group=group, zeros=zeros) for group in GROUPS for zeros in (False, True)]
    sizes = {spec: [] for spec in specs}
    for part in parts:
        x = part.ravel()
        found["values"] += x.size
        found["zeros"] += int((x == 0).sum())
        counts += np.bincount(x + (1 << word - 1) * signed, minlength=1 << word)
        widths = specs[0].widths(x)
        for spec in specs:
            if spec.group > GROUPS[0] and not spec.zeros:  # a group's width is the greatest of its halves'
                widths = np.pad(widths, (0, len(widths) % 2)).reshape(-1, 2).max(axis=1)
            sizes[spec].append((x.size, len(widths), stored(spec, widths, x)))
            if not spec.zeros:
                for name, least in (("bare_floor", 0), ("floor", 1)):
                    groups = np.bincount(np.maximum(widths, least), minlength=word + 1)
                    payload = sizes[spec][-1][2] * np.maximum(np.arange(word + 1), least)
                    found[name][str(spec.group)] += int(payload.sum()) + len(widths) * entropy(groups)
                precisions += groups * (spec.group == 16)
    for spec in specs:
        found["dpred_zeros" if spec.zeros else "dpred"][str(spec.group)] = containers(spec, sizes[spec], greatest)
    found["precision"] = int(np.flatnonzero(precisions)[-1])
    found["widths"] = precisions[1:].tolist()
    found["uncompressed"] = word * found["values"]
    found["static"] = STATIC_FIELD * len(parts) + found["precision"] * found["values"]
    found["zero_flag"] = found["values"] + word * (found["values"] - found["zeros"])
    found["entropy"] = found["values"] * entropy(counts)
    return found


def layer_traffic(layer):
    """{"weights": …, "activations": …} of a `Rounded` layer; the activations are those of all its images."""
    return {
        "weights": tensor_traffic([layer.weights], layer.word, True),
        "activations": tensor_traffic(layer.inputs, layer.word, layer.signed, layer.width_a),
    }
