"""What a tile of serial inner-product units is made of."""

from dataclasses import dataclass

from golden.bitserial import TileShape
from rtl.column import control_flip_flops
from rtl.precision import index_bits
from rtl.sip import Digits

__all__ = ["TilePlan"]


@dataclass(frozen=True, kw_only=True)
class TilePlan:
    """What a `SerialTile` is made of.

    Parameters
    ----------
    shape : TileShape
    digits : Digits
    groups : int
        Groups of windows, each with a precision of its own; in a dense tile each column works on its own.
    run_ahead : int
        Passes that a group may be ahead of the slowest.
    trim : bool
        Whether passes begin at the lowest plane that holds a one.
    static : bool
        Whether the precision of activations comes as an operand; else it is detected.
    """

    shape: TileShape
    digits: Digits
    groups: int = 1
    run_ahead: int = 0
    trim: bool = False
    static: bool = False

    @property
    def columns(self):
        """Columns of units that work on their own."""
        return self.shape.windows if self.shape.dense else self.groups

    @property
    def together(self):
        """Windows of units in such a column."""
        return self.shape.windows // self.columns

    @property
    def slots(self):
        """Steps that a column holds."""
        return 1 + self.run_ahead

    @property
    def entries(self):
        """Passes whose activations the tile holds."""
        return 2 if self.shape.dense and self.columns > 1 else self.slots

    @property
    def top_bits(self):
        """Bits of the highest digit of a pass."""
        return index_bits(self.digits.a_digits)

    @property
    def fetches(self):
        """Whether digits are one of several, so that they are fetched into registers in the cycle before."""
        return self.digits.a_digits > 1

    @property
    def passing(self):
        """Lowest digits of an activation that are fetched from the port only: every step begins as its pass arrives."""
        return int(self.fetches and self.entries == 1 and self.digits.w_digits == 1 and not self.trim)

    @property
    def kept_width(self):
        """Bits of an activation in an entry."""
        return self.digits.a.width - self.passing * self.digits.a_digit

    @property
    def activations(self):
        """Activations in a pass."""
        return self.shape.rows * self.shape.lanes

    @property
    def weights(self):
        """Weights in a step."""
        return self.shape.filters * self.shape.lanes

    @property
    def in_step(self):
        """Whether a beat of weights goes with each of activations, so that the end of a tile may come with either."""
        return not self.shape.dense and self.digits.w_digits == 1

    @property
    def flip_flops(self):
        """One-bit registers of the tile."""
        digits, planes = self.digits, int(self.digits.w_digits > 1)
        known = self.top_bits * self.groups * (1 + self.trim) + 1
        operands = self.entries * (self.activations * self.kept_width + known)
        weights = self.weights * digits.w_digit + planes
        operands += weights * (self.columns if self.shape.dense else self.slots)
        turns = index_bits(self.columns) if self.shape.dense else 0
        dispatch = index_bits(self.entries) + turns + planes + 3 * self.static
        window = self.shape.filters * digits.flip_flops + self.fetches * self.shape.lanes * digits.a_digit
        control = self.columns * control_flip_flops(digits, self.slots, self.entries)
        return operands + dispatch + control + self.shape.windows * window + index_bits(self.shape.windows)
