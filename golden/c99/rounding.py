"""How the C file rounds to a format: a function for each, which calls the helper of its family."""

from dataclasses import replace

from golden.c99.text import literal
from golden.formats import Binary, Integer, Minifloat, PowerOfTwo, Ternary

__all__ = ["rounding"]


def limits(format):
    return format.lo, format.hi


# family → helper, and what it takes behind the total and its shift
FAMILIES = {
    Integer: ("round_integer", limits),
    Ternary: ("round_integer", limits),
    Binary: ("round_binary", lambda format: ()),
    Minifloat: ("round_minifloat", lambda format: (format.mantissa_bits, int(format.subnormals), format.hi)),
    PowerOfTwo: ("round_power", lambda format: (format.hi.bit_length() - 1, int(format.zero))),
}


def rounding(format):
    """The name of the function that rounds to `format`, the helper it needs, and its text.

    Integers that differ in their unit alone share it.
    """
    helper, settings = FAMILIES[type(format)]
    name = f"to_{replace(format, exponent=0) if isinstance(format, Integer) else format}"
    arguments = ", ".join(["total", "shift", *map(literal, settings(format))])
    return (
        name,
        helper,
        f"static int64_t {name}(int64_t total, count shift)\n{{\n    return {helper}({arguments});\n}}\n",
    )
