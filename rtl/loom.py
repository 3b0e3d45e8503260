"""Loom: both operands bit by bit."""

from dataclasses import dataclass

import numpy as np

from golden.bitserial import loom_cycles, weight_groups
from golden.errors import InputError
from golden.precision import group_precision, planes
from rtl.beats import Beats
from rtl.bitserial import SerialGemm
from rtl.engine import parameter
from rtl.precision import PrecisionDetector
from rtl.tile_plan import TilePlan

__all__ = ["Loom"]


@dataclass(frozen=True, kw_only=True)
class Loom(SerialGemm):
    """A `SerialGemm` with both operands bit by bit: weights in planes, as many as their pass needs."""

    windows: int = parameter(4, "windows, which share weights, 1 to 16")
    s: int = parameter(1, "bits of the activations in a cycle: 1, 2 or 4")
    dense: int = parameter(0, "1: columns of their own weights for the activations of one window, for dense layers")

    def flags(self):
        super().flags()
        if self.s not in (1, 2, 4):
            raise InputError(f"s must be 1, 2 or 4, not {self.s}")

    @property
    def plan(self):
        return TilePlan(shape=self.shape, digits=self.digits(a_digit=self.s, w_digit=1))

    def parts(self):
        if self.a.width <= self.s:
            return super().parts()
        return super().parts() | {"detector": PrecisionDetector(fmt=self.a, count=self.plan.activations, digit=self.s)}

    @property
    def slowest_pass(self):
        step = -(-self.a.width // self.s)
        return self.w.width * max(step, self.windows if self.dense else 1)

    def weights(self, operands, down):
        groups = weight_groups(self.shape, operands["w"])
        across, passes, _ = groups.shape
        columns = self.shape.windows if self.shape.dense else 1
        precision = group_precision(groups, True)
        beats = []
        for group, count in zip(groups.reshape(across * passes, columns, -1), precision.reshape(-1)):
            bits = planes(group, count).transpose(2, 0, 1)  # [planes, columns, weights]
            whole = np.broadcast_to(np.arange(1, count + 1)[:, None, None] == count, (*bits.shape[:2], 1))
            beats.append(np.concatenate([bits, whole], axis=2).reshape(-1, bits.shape[2] + 1))
        data = np.tile(np.packbits(np.concatenate(beats).astype(np.uint8), axis=1, bitorder="little"), (down, 1))
        return Beats(data, np.ones(len(data), bool))

    def cycles(self, operands):
        return loom_cycles(self.shape, operands["a"], operands["w"], self.a.signed, digit=self.s)
