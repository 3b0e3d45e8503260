"""Bits of the tensors of a layer in memory: the DPRed container beside simpler codes and bounds."""

import numpy as np

from golden.dpred import FRAME_BITS, WORD_BITS, DpredSpec

__all__ = ["CODES", "GROUPS", "layer_traffic", "tensor_traffic"]

GROUPS = (4, 8, 16, 32, 64, 128, 256)
CODES = ("uncompressed", "static", "zero_flag", "entropy")
BY_GROUP = ("dpred", "dpred_zeros", "floor")
STATIC_FIELD = 4  # bits in which a tensor's one width is written


def entropy(counts):
    """Bits of ``-sum(p log2 p)`` a symbol."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def container(spec, precisions, x):
    """Bits of the container of a flat `x`, frame and padding included, and of its floor ``payload + groups H(p)``.

    Parameters
    ----------
    spec : DpredSpec
    precisions : int array
        Of each group.
    """
    sizes = np.full(len(precisions), spec.group)
    sizes[-1] -= spec.group * len(precisions) - x.size
    stored = sizes
    if spec.zeros:
        stored = np.add.reduceat(x != 0, np.arange(0, x.size, spec.group), dtype=np.int64)
    payload = int((stored * precisions).sum())
    body = payload + spec.width_bits * len(precisions) + x.size * spec.zeros
    return FRAME_BITS + -(-body // WORD_BITS) * WORD_BITS, payload + len(precisions) * entropy(np.bincount(precisions))


def tensor_traffic(parts, word, signed):
    """Bits of a tensor, a JSON dictionary.

    Parameters
    ----------
    parts : list of int arrays
        In storage order; each goes into a container of its own, as the activations of each image do.
    word : int
        8 or 16.

    Returns
    -------
    dict
        values, zeros (how many of them), precision (the static one), widths (how many groups of 16 have a precision of
        1, 2, …), bits by `CODES`; and by the size of groups: dpred and dpred_zeros, bits of the container without and
        with zero vectors, and floor, ``payload + groups * entropy of the precisions`` without them.
    """
    found = {"values": 0, "zeros": 0} | {name: dict.fromkeys(map(str, GROUPS), 0) for name in BY_GROUP}
    widths, counts = np.zeros(word + 1, np.int64), np.zeros(1 << word, np.int64)
    for part in parts:
        x = part.ravel()
        found["values"] += x.size
        found["zeros"] += int((x == 0).sum())
        counts += np.bincount(x + (1 << word - 1) * signed, minlength=1 << word)
        precisions = DpredSpec(word=word, signed=signed, group=GROUPS[0]).precisions(x)
        for group in GROUPS:
            if group > GROUPS[0]:  # a group's precision is the greatest of its halves'
                precisions = np.pad(precisions, (0, len(precisions) % 2)).reshape(-1, 2).max(axis=1)
            specs = (DpredSpec(word=word, group=group, zeros=zeros) for zeros in (False, True))
            (plain, floor), (zeroed, _) = (container(spec, precisions, x) for spec in specs)
            for name, bits in zip(BY_GROUP, (plain, zeroed, floor), strict=True):
                found[name][str(group)] += bits
            if group == 16:
                widths += np.bincount(precisions, minlength=word + 1)
    found["precision"] = int(np.flatnonzero(widths)[-1])
    found["widths"] = widths[1:].tolist()
    found["uncompressed"] = word * found["values"]
    found["static"] = STATIC_FIELD * len(parts) + found["precision"] * found["values"]
    found["zero_flag"] = found["values"] + word * (found["values"] - found["zeros"])
    found["entropy"] = found["values"] * entropy(counts)
    return found


def layer_traffic(layer):
    """{"weights": …, "activations": …} of a `Rounded` layer; the activations are those of all its images."""
    return {
        "weights": tensor_traffic([layer.weights], layer.word, True),
        "activations": tensor_traffic(layer.inputs, layer.word, layer.signed),
    }
