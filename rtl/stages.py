"""Where functions of hardware can be cut into pipeline stages."""

from amaranth import Signal, Value

__all__ = ["Cuts", "uncut"]


def uncut(m, place, *values):
    """No registers: what a function that can be cut calls, at each named place, with all values that pass it.

    What it returns goes on; None stands for a value that is not there.
    """
    return values


class Cuts:
    """Registers at some of the places where a function can be cut: a stage ends there.

    Parameters
    ----------
    places : sequence of str
        Of the function, the most useful cut first.
    stages : int
        How many of them have registers: the first ones.

    Attributes
    ----------
    flip_flops : int
        One-bit registers made so far.
    """

    def __init__(self, places, stages):
        self.chosen = places[:stages]
        self.flip_flops = 0

    def __call__(self, m, place, *values):
        if place not in self.chosen:
            return values
        return tuple(None if value is None else self.register(m, value, f"after_{place}_{i}") for i, value in enumerate(values))

    def register(self, m, value, name):
        kept = Signal(len(Value.cast(value)), name=name, reset_less=True)
        m.d.sync += kept.eq(value)
        self.flip_flops += len(kept)
        return kept
