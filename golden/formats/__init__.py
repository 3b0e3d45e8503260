"""Number formats: the only place where the rule of each stands."""

from golden.errors import InputError
from golden.formats.base import Format, UnitFormat, code_dtype
from golden.formats.codebooks import Codebook
from golden.formats.floats import Float
from golden.formats.integers import Binary, Integer, Ternary, fitting, fixed
from golden.formats.minifloats import Minifloat
from golden.formats.powers import PowerOfTwo

__all__ = [
    "FAMILIES",
    "Binary",
    "Codebook",
    "Float",
    "Format",
    "Integer",
    "Minifloat",
    "PowerOfTwo",
    "Ternary",
    "UnitFormat",
    "code_dtype",
    "fitting",
    "fixed",
    "parse",
]

# The first whose pattern fits has the name.
FAMILIES = (Integer, Ternary, Binary, Minifloat, Float, PowerOfTwo, Codebook)


def parse(name):
    """The format of a canonical name: ``parse(f.name) == f``.

    Raises
    ------
    InputError
        If no family has the name, or its width or unit is out of range.
    """
    for family in FAMILIES:
        if match := family.pattern.fullmatch(str(name)):
            if (found := family.from_match(match)).name == name:
                return found
    allowed = "; ".join(family.allowed for family in FAMILIES)
    raise InputError(f"no number format is called {name!r}; allowed: {allowed}")
