"""What a bench sends, and what it must get back."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from rtl.beats import Beats

__all__ = ["Failure", "Case", "directed", "random_cases", "extremes", "joined", "compare", "check_padding"]


class Failure(AssertionError):
    """A simulated design did not do what golden says: a bug of the design, not of its input."""


@dataclass(frozen=True, eq=False)
class Case:
    """Operands for an engine, their beats and what golden makes of them."""

    engine: object
    operands: dict
    what: str = "random"

    def __post_init__(self):
        object.__setattr__(self, "operands", self.engine.check(self.operands))
        object.__setattr__(self, "inputs", self.engine.pack(self.operands))
        object.__setattr__(self, "results", self.engine.golden(self.operands))
        object.__setattr__(self, "beats", self.engine.beats(self.operands))
        object.__setattr__(self, "cycles", self.engine.cycles(self.operands))

    def ends(self, role):
        """``tlast`` of every beat of an output."""
        return self.engine.ends(role, self.operands, self.inputs)

    def __str__(self):
        shapes = ", ".join(f"{key} {list(np.shape(value))}" for key, value in self.operands.items())
        return f"{self.what} case, {shapes}"


def directed(engine, rng, amount=1):
    """Cases with every size at and around each boundary of the engine, and all sizes 1; `extremes`; the engine's own.

    Of the engine's own directed operands come `amount` times as many as a bench takes.
    """
    shapes = [dict.fromkeys(engine.sizes, 1)]
    for name in engine.sizes:
        for value in engine.boundaries[name]:
            others = {other: int(rng.choice(values)) for other, values in engine.boundaries.items()}
            shapes.append(others | {name: value})
    return [
        *(Case(engine, engine.stimulus(rng, **shape), "directed") for shape in shapes),
        *extremes(engine, rng),
        *(Case(engine, operands, "engine's own") for operands in engine.directed(rng, amount)),
    ]


def extremes(engine, rng):
    """Cases in which each operand that is `shaped` is its least or its greatest value throughout."""
    draws = [engine.stimulus(rng) for _ in range(30)]  # of random values, many are limits of their formats
    limits = {key: {int(pick(draw[key])) for draw in draws for pick in (np.min, np.max)} for key in engine.shaped}
    choices = product(*([(key, min(values)), (key, max(values))] for key, values in limits.items()))
    filled = (draws[0] | {key: np.full_like(draws[0][key], value) for key, value in choice} for choice in choices)
    return [Case(engine, operands, "extreme") for operands in filled]


def random_cases(engine, rng, count):
    """`count` cases of the engine's own stimulus."""
    return [Case(engine, engine.stimulus(rng)) for _ in range(count)]


def joined(cases, rng=None):
    """The input beats of `cases`, one behind the other.

    Where two streams go in step, so that the end of a packet on either ends it on both, only one of them (`rng` says
    which) has the end; the very last beat ends both.
    """
    inputs = {role: [case.inputs[role] for case in cases] for role in cases[0].inputs}
    beats = {
        role: Beats(np.concatenate([part.data for part in parts]), np.concatenate([part.last for part in parts]))
        for role, parts in inputs.items()
    }
    pair = cases[0].engine.in_step
    if rng is not None and pair and set(pair) <= set(beats):
        ends, share = beats[pair[0]].last, rng.random(len(beats[pair[0]]))
        share[-1] = 0.5
        for role, silent in zip(pair, (share < 0.3, share > 0.7)):
            beats[role] = Beats(beats[role].data, ends & ~silent)
    return beats


def compare(cases, outputs):
    """Require of the beats `outputs` that they are exactly those of `cases`, in order: the results of each.

    Raises
    ------
    Failure
        Naming the first case that differs.
    """
    start, found = dict.fromkeys(outputs, 0), []
    for case in cases:
        part = {}
        for role, beats in outputs.items():
            stop = start[role] + case.beats[role]
            part[role] = Beats(beats.data[start[role] : stop], beats.last[start[role] : stop])
            if len(part[role]) < case.beats[role]:
                raise Failure(f"{case}: {len(part[role])} of {case.beats[role]} beats of {role} arrived")
            if not np.array_equal(part[role].last, case.ends(role)):
                raise Failure(f"{case}: tlast of {role} is wrong")
            start[role] = stop
        results = case.engine.unpack(case.operands, part)
        for key, expected in case.results.items():
            if not np.array_equal(results[key], expected):
                bad = np.argwhere(np.asarray(results[key]) != expected)[0]
                got, want = results[key][tuple(bad)], expected[tuple(bad)]
                raise Failure(f"{case}: {key}{bad.tolist()} is {got}, golden says {want}")
        found.append({key: value.astype(np.int64) for key, value in results.items()})
    for role, beats in outputs.items():
        if len(beats) > start[role]:
            raise Failure(f"{len(beats) - start[role]} beats of {role} too many")
    return found


def check_padding(beats, widths):
    """Require that ``tdata`` above the `widths` (role -> bits) of the outputs `beats` is zero."""
    for role, width in widths.items():
        bits = np.unpackbits(beats[role].data, axis=1, bitorder="little")
        if bits[:, width:].any():
            raise Failure(f"the padding of {role} is not zero")
