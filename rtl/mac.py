"""Multipliers of the systolic array: each turns a pair of operand codes into an addend and a carry.

A processing element adds ``addend + carry`` to its sum in one adder: a negative product is the complement of the
operand, and the one that it lacks comes in as carry.
"""

from amaranth import Cat, Const, Signal, signed

from golden.formats import Binary, Integer, Ternary

__all__ = ["product"]


def number(fmt, code):
    """The number of an integer's code, as a value of its sign."""
    return code.as_signed() if fmt.signed else code


def complemented(a, x, negative):
    """The operand, or its complement, with a sign bit: its number is `x` or ``-x - 1``."""
    flipped = x ^ negative.replicate(len(x))
    return flipped if a.signed else Cat(flipped, negative)


def ternary(m, a, w, x, y):
    """``x * {-1, 0, +1}``: complement and mask (Mishra and Marr, WRPN & Apprentice, section 3). Code 10 is worth 0."""
    nonzero, negative = y[0], y[0] & y[1]
    flipped = complemented(a, x, negative)
    masked = flipped[: len(x)] & nonzero.replicate(len(x))
    return Cat(masked, flipped[len(x) :]).as_signed(), negative


def binary(m, a, w, x, y):
    """``x * {-1, +1}``: complement where the weight's code is 0."""
    return complemented(a, x, ~y[0]).as_signed(), ~y[0]


def integer(m, a, w, x, y):
    """``x * y``: a full product, no carry."""
    extra = a.width if a.signed or a.width > 1 else 0  # a single bit makes a product no longer
    result = Signal(signed(w.width + extra), name="product")
    m.d.comb += result.eq(number(a, x) * number(w, y))
    return result, Const(0, 1)


MULTIPLIERS = {Ternary: ternary, Binary: binary, Integer: integer}


def product(m, a, w, x, y):
    """The product of codes `x` of format `a` and `y` of format `w`: (signed addend, carry of one bit)."""
    return MULTIPLIERS[type(w)](m, a, w, x, y)
