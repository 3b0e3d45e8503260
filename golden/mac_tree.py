"""What a MAC tree costs: its cycle model."""

from golden.accumulate import Rounded

__all__ = ["mac_tree_cycles", "mac_tree_latency"]


def mac_tree_latency(lanes, accumulate="exact"):
    """Cycles from the last beat of a sum to its result.

    Exact sums: products; the sum of a beat; the accumulator; the bias; the rounding. Sums in FP32 have a cycle for each
    of the ``ceil(log2(lanes))`` levels of adders in the place of the second.
    """
    return 5 if Rounded.parse(accumulate) is None else 4 + (lanes - 1).bit_length()


def mac_tree_cycles(outputs, k, lanes, accumulate="exact"):
    """Cycles from the first accepted input beat to the last delivered result, both included.

    ``outputs * ceil(k / lanes) + latency``: a beat of `lanes` products a cycle, sums of `k` products one after the
    other without a gap, and the latency once; with every source valid and the sink ready.
    """
    return outputs * -(-k // lanes) + mac_tree_latency(lanes, accumulate)
