"""The serial inner-product unit: the one datapath of bit-parallel and bit-serial tiles."""

from dataclasses import dataclass

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import Integer
from rtl.arithmetic import add_narrow, widen
from rtl.mac import addend_width, shifted
from rtl.precision import index_bits
from rtl.tree import joined

__all__ = ["Digits", "SerialUnit"]


@dataclass(frozen=True, kw_only=True)
class Digits:
    """How operands are cut into digits, and what follows for the widths of a unit.

    Parameters
    ----------
    a, w : Integer
        Formats; `w` is signed.
    lanes : int
        Products of a unit.
    acc_width : int
        Bits of its sum.
    a_digit, w_digit : int
        Bits of a digit: of `w` one or all, of `a` one, two or four.
    multiplies : bool
        Whether digits are whole numbers, multiplied by a multiplier; else one of them is a bit.
    """

    a: Integer
    w: Integer
    lanes: int
    acc_width: int
    a_digit: int
    w_digit: int
    multiplies: bool = False

    @property
    def a_digits(self):
        """Digits of an activation."""
        return -(-self.a.width // self.a_digit)

    @property
    def w_digits(self):
        """Digits of a weight."""
        return -(-self.w.width // self.w_digit)

    @property
    def negates(self):
        """Whether sums are subtracted now and then: those of the highest bits of signed numbers."""
        return self.w_digit == 1 or (self.a.signed and self.a_digit == 1)

    @property
    def signs(self):
        """Whether a digit of `a` has a sign now and then: the highest one of signed numbers, if it has several bits."""
        return self.a.signed and self.a_digit > 1 and self.a_digits > 1

    @property
    def shift(self):
        """The greatest shift of a sum."""
        return (self.a_digits - 1) * self.a_digit + (self.w_digits - 1) * self.w_digit

    @property
    def shift_bits(self):
        """Bits of the shift."""
        return index_bits(self.shift + 1)

    @property
    def term(self):
        """Bits of the product of two digits, and whether it is signed."""
        if self.multiplies:
            return addend_width(self.a, self.w), True
        if self.w_digit > 1:
            return self.w.width, True
        return self.a_digit + self.signs, self.a.signed and self.a_digit > 1

    def sum_width(self, lanes):
        """Bits of the sum of so many lanes."""
        width, is_signed = self.term
        wide = width + index_bits(lanes) if is_signed else (lanes * ((1 << width) - 1)).bit_length()
        return min(wide, self.acc_width)

    @property
    def flip_flops(self):
        """Registers of a unit."""
        control = 1 + self.negates + self.shift_bits
        return self.lanes * self.term[0] * self.multiplies + self.sum_width(self.lanes) + 2 * self.acc_width + control

    @property
    def stages(self):
        """Cycles from the digits to the accumulator."""
        return 1 + self.multiplies


class SerialUnit(wiring.Component):
    """``total <- (0 if fresh else total) +- (sum over lanes of a * w) << shift``, digits of a and w.

    The sum of the lanes is registered, with a multiplier the products too; the accumulator is one cycle behind it, a
    register that keeps complete sums beside it. A bit times a number is an AND. A sum is subtracted as its complement,
    with the one that this lacks as carry, so that no unit has a negator. What steers the accumulator's data is
    registered in each unit, as it would be slow to drive all of them from one place.

    Parameters
    ----------
    digits : Digits

    Attributes
    ----------
    a, w : In
        A digit of each lane's operands.
    highest : In(1)
        If ``digits.signs``: whether the digits of `a` are the highest, whose upper bit counts negative.
    adds, ends : In(1)
        For the accumulator: whether it adds; whether its new sum is kept.
    fresh, negative, shift : In
        For the accumulator in the cycle that follows: whether it starts anew; if ``digits.negates``, whether the sum is
        subtracted; if ``digits.shift``, how far it is shifted.
    leaves : In(1)
        Whether the kept sum is let out.
    leaving_n : Out(acc_width)
        Its complement then, else all ones: units join theirs by AND.

    Source: Judd et al., Stripes, figure 6; Sharify et al., Loom, figure 3.
    """

    def __init__(self, digits):
        self.digits = digits
        ports = {
            "a": In(data.ArrayLayout(digits.a_digit, digits.lanes)),
            "w": In(data.ArrayLayout(digits.w_digit, digits.lanes)),
            "adds": In(1),
            "fresh": In(1),
            "ends": In(1),
            "leaves": In(1),
            "leaving_n": Out(digits.acc_width),
        }
        ports |= {"highest": In(1)} if digits.signs else {}
        ports |= {"negative": In(1)} if digits.negates else {}
        ports |= {"shift": In(digits.shift_bits)} if digits.shift else {}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        digits, width = self.digits, self.digits.acc_width
        found, _ = joined([(self.term(m, i), 1) for i in range(digits.lanes)], self.adder(m))
        lanes_sum = Signal.like(found, name="lanes_sum", reset_less=True)
        m.d.sync += lanes_sum.eq(found)

        def late(port, name):
            register = Signal(len(port), name=name, reset_less=True)
            m.d.sync += register.eq(port)
            return register

        addend, carry = lanes_sum, None
        if digits.negates:
            carry = late(self.negative, "subtracts")
            addend = lanes_sum.as_unsigned() ^ carry.replicate(len(lanes_sum))
            if not digits.term[1]:
                addend = Cat(addend, carry)[:width]
        if digits.shift:
            most = min(len(addend) + digits.shift, width)
            fill = carry if digits.negates else Const(0, 1)
            addend = shifted(m, addend.as_signed(), late(self.shift, "distance"), fill, "addend", most)
        total = Signal(width, name="total", reset_less=True)
        held = Signal(width, name="held")
        m.d.comb += held.eq(total & (~late(self.fresh, "starts_anew")).replicate(width))
        following = add_narrow(m, held, addend, carry)
        with m.If(self.adds):
            m.d.sync += total.eq(following)
        kept = Signal(width, name="kept", reset_less=True)
        with m.If(self.ends):
            m.d.sync += kept.eq(following)
        m.d.comb += self.leaving_n.eq(~(kept & self.leaves.replicate(width)))
        return m

    def term(self, m, i):
        """The product of lane `i`."""
        digits, a, w = self.digits, self.a[i], self.w[i]
        width, is_signed = digits.term
        if digits.multiplies:
            term = Signal(signed(width), name=f"product_{i}", reset_less=True)
            m.d.sync += term.eq(((a.as_signed() if digits.a.signed else a) * w.as_signed())[:width])
            return term
        if digits.w_digit > 1:
            found = w & a.replicate(width)
        else:
            sign = [] if not digits.signs else [a[-1] & self.highest]
            found = Cat(a, *sign) & w.replicate(width)
        term = Signal(signed(width) if is_signed else width, name=f"term_{i}")
        m.d.comb += term.eq(found)
        return term

    def adder(self, m):
        """What joins two sums, each with the lanes that are in it."""

        def add(x, y, name):
            (x, lanes), (y, others) = x, y
            width, lanes = self.digits.sum_width(lanes + others), lanes + others
            if self.digits.term[1]:
                total = Signal(signed(width), name=f"sum_{name}")
                m.d.comb += total.eq((widen(x, width) + widen(y, width))[:width].as_signed())
            else:
                total = Signal(width, name=f"sum_{name}")
                m.d.comb += total.eq((x + y)[:width])
            return total, lanes

        return add
