"""What a bench sends, and what it must get back."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from rtl.beats import Beats

__all__ = ["Failure", "Case", "directed", "random_cases", "extremes", "rounding", "joined", "compare", "check_padding"]


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
        """``tlast`` of every beat of an output: a packet for each packet of the first input, all of one length."""
        packets = int(next(iter(self.inputs.values())).last.sum())
        length = self.beats[role] // packets
        return np.arange(1, self.beats[role] + 1) % length == 0

    def __str__(self):
        shapes = ", ".join(f"{key} {list(np.shape(value))}" for key, value in self.operands.items())
        return f"{self.what} case, {shapes}"


def boundaries(engine):
    """The sizes of operands around which an engine's behaviour may change."""
    numbers = {name: value for name, value in engine.settings().items() if isinstance(value, int)}
    steps = [value for name, value in numbers.items() if not name.endswith("width")]
    return sorted({1, 2} | {n for step in steps for n in (step - 1, step, step + 1, 2 * step + 1) if n > 0})


def directed(engine, rng):
    """Cases with every size at and around each boundary of the engine, and all sizes 1; `extremes`; `rounding`."""
    values = boundaries(engine)
    shapes = [dict.fromkeys(engine.sizes, 1)]
    for name, value in product(engine.sizes, values):
        shapes.append({other: int(rng.choice(values)) for other in engine.sizes} | {name: value})
    return [Case(engine, engine.stimulus(rng, **shape), "directed") for shape in shapes] + [
        *extremes(engine, rng),
        *rounding(engine, rng),
    ]


def extremes(engine, rng):
    """Cases in which each operand is its least or its greatest value throughout."""
    draws = [engine.stimulus(rng) for _ in range(30)]  # of random values, many are limits of their formats
    limits = {key: {int(pick(draw[key])) for draw in draws for pick in (np.min, np.max)} for key in draws[0]}
    choices = product(*([(key, min(values)), (key, max(values))] for key, values in limits.items()))
    filled = ({key: np.full_like(draws[0][key], value) for key, value in choice} for choice in choices)
    return [Case(engine, operands, "extreme") for operands in filled]


def rounding(engine, rng, groups=16):
    """Cases of engines that end in a requantisation, in which what it shifts out is nothing, half, or a bit off either.

    With a single row of accumulators the addends make any sum. Values to round lie around and beyond the results'
    range, and of every size.
    """
    if not {"m", "b", "s"} <= set(engine.operands):
        return []
    rows, channels = ("rows", "channels") if "x" in engine.operands else ("m", "n")
    spec = getattr(engine, "requantisation", None) or engine.spec
    lanes = engine.settings().get("lanes") or engine.cols
    cases = []
    for _ in range(2):
        operands = engine.stimulus(rng, **{rows: 1, channels: groups * lanes})
        x = operands["x"][0] if "x" in operands else operands["a"][0] @ operands["w"]
        size = x.size
        s = rng.integers(0, spec.s_limit, size, endpoint=True)
        near = rng.integers(spec.y.lo - 3, spec.y.hi + 3, size, endpoint=True)
        power = (np.int64(1) << rng.integers(0, spec.b_width - 1, size)) * rng.choice([-1, 1], size)
        whole = np.where(rng.random(size) < 0.6, near, power + rng.integers(-2, 3, size))
        limit = spec.b_limit
        s = np.where(np.abs(whole) < limit >> s, s, rng.integers(0, 3, size))
        half = (np.int64(1) << s) >> 1
        bit = (np.int64(1) << rng.integers(0, np.maximum(s, 1))) * rng.choice([-1, 0, 1], size)
        wanted = (whole << s) + (half * rng.integers(0, 2, size) + bit) * (s > 0)
        b = np.clip(wanted - x * operands["m"], -limit - 1, limit)
        cases.append(Case(engine, operands | {"b": b, "s": s}, "rounding"))
    return cases


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
    if rng is not None and {"a", "w"} <= set(beats):
        ends, share = beats["a"].last, rng.random(len(beats["a"]))
        share[-1] = 0.5
        for role, silent in (("a", share < 0.3), ("w", share > 0.7)):
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
