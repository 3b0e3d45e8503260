"""synth.functions: Liberty's spelling, operator by operator."""

import itertools

import pytest

from synth.functions import to_verilog


@pytest.mark.parametrize(
    ("function", "meaning"),
    [
        ("(!((A B)+C))", lambda a, b, c: not ((a and b) or c)),
        ("A*B+C", lambda a, b, c: (a and b) or c),
        ("A' B | !C", lambda a, b, c: (not a and b) or not c),
        ("A^B^C", lambda a, b, c: a ^ b ^ c),
        ("A & !(B + C)'", lambda a, b, c: a and (b or c)),
        ("A B^C", lambda a, b, c: a and (b ^ c)),
        ("(A+B)'", lambda a, b, c: not (a or b)),
    ],
)
def test_functions(function, meaning):
    code = to_verilog(function).replace("~", "1^")
    for a, b, c in itertools.product((0, 1), repeat=3):
        assert eval(code, {}, {"A": a, "B": b, "C": c}) & 1 == bool(meaning(a, b, c))
