"""What a streaming requantisation costs: its cycle model."""

__all__ = ["REQUANT_LATENCY", "requant_cycles"]

REQUANT_LATENCY = 3  # multiply; add; shift, round and saturate


def requant_cycles(beats):
    """Cycles from the first accepted input beat to the last delivered, both included: a beat each, and the latency."""
    return beats + REQUANT_LATENCY
