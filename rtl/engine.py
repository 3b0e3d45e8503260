"""What every engine answers, so that benches, synthesis, networks and docs can walk the registry."""

import dataclasses
import operator
from abc import ABC, abstractmethod

import numpy as np

from golden.errors import InputError
from golden.formats import Format, code_dtype, parse

__all__ = ["Engine", "around", "checked_codes", "parameter"]


def parameter(default, help, choices=None):
    """A field of an engine that a user may set: an integer, a number format by its canonical name, or one of `choices`."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


def around(*steps):
    """The sizes at and around multiples of `steps`, ascending: 1, 2, and of each step what lies beside it and its double."""
    return tuple(sorted({1, 2} | {n for step in steps for n in (step - 1, step, step + 1, 2 * step + 1) if n > 0}))


def checked_codes(fmt, codes, key):
    """`codes` of the format `fmt`, unsigned integers, as an array of the narrowest dtype; else `InputError`."""
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu":
        raise InputError(f"{key} must be an array of integers, the codes of {fmt}, not {codes.dtype}")
    outside = (codes < 0) | (codes >> fmt.width != 0)
    if outside.any():
        raise InputError(f"{key} holds {codes[outside].flat[0]}, codes of {fmt} are 0 to {(1 << fmt.width) - 1}")
    return codes.astype(code_dtype(fmt.width))


class Engine(ABC):
    """A configured datapath: a frozen dataclass whose fields are its parameters.

    Operands and results are dictionaries of integer arrays, keyed by `operands` and `results`.
    """

    operands: tuple  # keys, in the order in which a user thinks of them
    results: tuple
    sizes: tuple  # names of the numbers that shape operands, as `stimulus` takes them

    coded = False  # whether operands and results are codes of formats, not integers
    in_step = ("a", "w")  # inputs, if it has them, whose packets have the same beats, so that either may end them

    @property
    @abstractmethod
    def boundaries(self):
        """The values of each size at which, or beside which, the engine's behaviour changes: {size: values}."""

    @property
    @abstractmethod
    def throughput(self):
        """What it does in a cycle at full rate: {"unit": "MAC", "value" or "result", "per_cycle": number}."""

    @abstractmethod
    def component(self):
        """The datapath: a component with one packet stream a role, without AXI ports."""

    @property
    @abstractmethod
    def latency(self):
        """Cycles between the one after the last input could be taken and the last output: what a stream waits once."""

    @property
    @abstractmethod
    def flip_flops(self):
        """One-bit registers of `component`."""

    @abstractmethod
    def check(self, operands):
        """`operands` as arrays, if their keys, shapes, types and ranges suit; else `InputError`."""

    @abstractmethod
    def golden(self, operands):
        """The results that golden defines."""

    @abstractmethod
    def pack(self, operands):
        """The beats of each input role: {role: Beats}."""

    @abstractmethod
    def unpack(self, operands, beats):
        """The results in the beats of each output role, for `operands` of these shapes."""

    @abstractmethod
    def beats(self, operands):
        """How many beats each output role delivers: {role: int}."""

    def ends(self, role, operands, inputs):
        """``last`` of every beat of an output: by default a packet for each of the first input's, all of one length."""
        packets = int(next(iter(inputs.values())).last.sum())
        beats = self.beats(operands)[role]
        return np.arange(1, beats + 1) % (beats // packets) == 0

    @abstractmethod
    def cycles(self, operands):
        """Cycles from the first accepted beat to the last delivered, without a stall: the cycle model."""

    @abstractmethod
    def stimulus(self, rng, **sizes):
        """Random operands over the whole range of their formats; sizes that are not given are drawn."""

    def directed(self, rng, amount=1):
        """Operands made to reach what random ones seldom do, `amount` times as many as a bench takes: [operands]."""
        return []

    def operations(self, operands):
        """How many of the units of `throughput` the `operands` ask for."""
        if self.throughput["unit"] == "MAC":
            return operands["a"].size * operands["w"].shape[1]
        return sum(result.size for result in self.golden(operands).values())

    def parts(self):
        """Parts worth measuring on their own: {name: component with plain ports}."""
        return {}

    def checked(self, key, operand):
        """An operand that has a format, as an array, if the format holds it; else `InputError`."""
        fmt = getattr(self, key)
        return checked_codes(fmt, operand, key) if self.coded else fmt.check(operand, key)

    def codes(self, key, operand):
        """The codes of an operand that has a format."""
        return operand if self.coded else getattr(self, key).codes(operand)

    def require(self, operands):
        """Refuse `operands` whose keys are not the engine's."""
        if set(operands) != set(self.operands):
            raise InputError(
                f"operands must be {', '.join(self.operands)}, not {', '.join(sorted(operands)) or 'none'}"
            )

    @classmethod
    def parameters(cls):
        """The fields that a user may set, by name."""
        return {field.name: field for field in dataclasses.fields(cls) if "help" in field.metadata}

    @classmethod
    def read(cls, settings):
        """Values of the parameters in `settings`, whose values may be strings as typed by a user.

        Raises
        ------
        InputError
            If a name is not a parameter or a value is of the wrong kind.
        """
        values = {}
        for name, value in settings.items():
            if name not in cls.parameters():
                raise InputError(f"no parameter is called {name!r}; allowed: {', '.join(cls.parameters())}")
            field = cls.parameters()[name]
            if (choices := field.metadata["choices"]) is not None:
                if value not in choices:
                    raise InputError(f"{name} must be {' or '.join(choices)}, not {value!r}")
                values[name] = value
                continue
            if issubclass(field.type, Format):
                values[name] = value if isinstance(value, Format) else parse(value)
                continue
            try:
                values[name] = int(value) if isinstance(value, str) else operator.index(value)
            except (ValueError, TypeError):
                raise InputError(f"{name} must be an integer, not {value!r}") from None
        return values

    def settings(self):
        """The parameters' values as they are typed: integers and names."""
        values = {name: getattr(self, name) for name in self.parameters()}
        return {name: value if isinstance(value, int) else str(value) for name, value in values.items()}
