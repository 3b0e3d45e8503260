"""Stripes and Dynamic Stripes: activations bit by bit, of a precision that is given or detected."""

from dataclasses import dataclass

import numpy as np

from golden.bitserial import dynamic_stripes_cycles, stripes_cycles
from golden.errors import InputError
from golden.precision import check_precision, group_precision, value_precision
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.bitserial import SerialGemm
from rtl.engine import parameter
from rtl.precision import PrecisionDetector
from rtl.tile_plan import TilePlan

__all__ = ["DynamicStripes", "Stripes"]


@dataclass(frozen=True, kw_only=True)
class Stripes(SerialGemm):
    """A `SerialGemm` with activations bit by bit, of a precision that comes with the layer.

    Operand `p` is that precision, which is known before the activations are: the width that a layer was exported with,
    or one that a profile of other inputs found. An activation that needs more is refused, unless `cut` is 1: then its
    upper bits are not looked at, and result `e` says of each tile whether there was one.
    """

    windows: int = parameter(4, "windows, which share weights, 1 to 16")
    dense: int = parameter(0, "1: columns of their own weights for the activations of one window, for dense layers")

    operands = ("a", "w", "p", "cut")
    results = ("y", "e")
    narrowest = 2

    def __post_init__(self):
        super().__post_init__()
        if self.a.width < self.narrowest:
            raise InputError(f"a must have {self.narrowest} bits or more, not be {self.a}")

    @property
    def plan(self):
        return TilePlan(shape=self.shape, digits=self.digits(), static=True)

    @property
    def slowest_pass(self):
        return max(self.a.width, self.windows if self.dense else 1)

    def check(self, operands):
        self.require(operands)
        found = super().check(operands)
        for key, least, most in (("p", 1, self.a.width), ("cut", 0, 1)):
            value = np.asarray(operands[key])
            if value.shape != () or value.dtype.kind not in "iu" or not least <= int(value) <= most:
                raise InputError(f"{key} must be one integer, {least} to {most}, not {operands[key]!r}")
            found[key] = value.astype(np.int64)
        if not found["cut"]:
            check_precision(found["a"], self.a.signed, int(found["p"]), "a")
        return found

    def operands_of(self, a, w, precision=None):
        precision = self.a.width if precision is None else precision
        return super().operands_of(a, w) | {"p": np.array(precision), "cut": np.array(0)}

    def golden(self, operands):
        a, p = operands["a"], int(operands["p"])
        short = ((value_precision(a, self.a.signed) > p) & (a != 0)).any(axis=1)
        down, across = self.tiles(operands)
        short = np.pad(short, (0, down * self.shape.rows - len(short))).reshape(down, -1).any(axis=1)
        seen = a.astype(np.int64) & ((1 << p) - 1)
        if self.a.signed:
            seen = (seen ^ (1 << p >> 1)) - (1 << p >> 1)
        return super().golden(operands | {"a": seen}) | {"e": np.repeat(short.astype(np.int64), across)}

    def pack(self, operands):
        tiles = np.prod(self.tiles(operands))
        p = np.full((tiles, 1), operands["p"] - 1)
        return super().pack(operands) | {"p": Beats(pack_fields((p, self.plan.top_bits)), np.ones(tiles, bool))}

    def beats(self, operands):
        return super().beats(operands) | {"e": int(np.prod(self.tiles(operands)))}

    def unpack(self, operands, beats):
        [flags] = unpack_fields(beats["e"].data, 1, 1)
        return super().unpack(operands, beats) | {"e": flags[:, 0].astype(np.int64)}

    def cycles(self, operands):
        (m, k), n = operands["a"].shape, operands["w"].shape[1]
        return stripes_cycles(self.shape, m, k, n, int(operands["p"]))

    def stimulus(self, rng, **sizes):
        """Precisions that are just enough, too small, or neither."""
        return self.with_precision(rng, super().stimulus(rng, **sizes))

    def directed(self, rng, amount=1):
        return (self.with_precision(rng, operands) for operands in super().directed(rng, amount))

    def with_precision(self, rng, operands):
        """The operands with a precision that is just enough, too small, or neither."""
        enough = int(group_precision(operands["a"].reshape(-1), self.a.signed))
        p = rng.choice([enough, max(1, enough - 1), rng.integers(1, self.a.width, endpoint=True), self.a.width])
        return operands | {"p": np.array(p), "cut": np.array(1)}


@dataclass(frozen=True, kw_only=True)
class DynamicStripes(SerialGemm):
    """A `SerialGemm` with activations bit by bit, of a precision that is detected for each group of them."""

    windows: int = parameter(4, "windows, which share weights, 1 to 16")
    groups: int = parameter(1, "groups of windows, each with a precision of its own: a divisor of windows")
    run_ahead: int = parameter(0, "passes that a group may be ahead of the slowest, 0 to 7")
    trim: int = parameter(0, "1: passes begin at the lowest bit that any activation of the group has")
    dense: int = parameter(0, "1: columns of their own weights for the activations of one window, for dense layers")

    def flags(self):
        super().flags()
        if not 0 <= self.run_ahead <= 7:
            raise InputError(f"run_ahead must be 0 to 7, not {self.run_ahead}")
        if self.groups < 1 or self.windows % self.groups:
            raise InputError(f"groups must divide the {self.windows} windows, not be {self.groups}")
        if self.dense and (self.groups > 1 or self.run_ahead):
            raise InputError("dense tiles have one group and no run_ahead: their activations are those of one window")

    @property
    def plan(self):
        return TilePlan(
            shape=self.shape,
            digits=self.digits(),
            groups=self.groups,
            run_ahead=self.run_ahead,
            trim=bool(self.trim) and self.a.width > 1,
        )

    def parts(self):
        if self.a.width == 1:
            return super().parts()
        count = self.plan.activations // self.groups
        return super().parts() | {"detector": PrecisionDetector(fmt=self.a, count=count, trim=self.plan.trim)}

    @property
    def slowest_pass(self):
        return max(self.a.width, self.windows if self.dense else 1)

    def cycles(self, operands):
        ahead = dict(groups=self.groups, run_ahead=self.run_ahead, trim=bool(self.trim))
        return dynamic_stripes_cycles(self.shape, operands["a"], operands["w"].shape[1], self.a.signed, **ahead)
