"""The functions of library cells, as Liberty spells them, in Verilog."""

import re

__all__ = ["to_verilog"]


def to_verilog(function):
    """A Liberty function as a Verilog expression.

    From tight to loose: ``'`` after and ``!`` before, ``^``, a space or ``*`` or ``&``, ``+`` or ``|``.
    """
    tokens = re.findall(r"[A-Za-z_][\w\[\]]*|[()!'^*&+|01]", function)
    at = 0

    def peek():
        return tokens[at] if at < len(tokens) else None

    def take():
        nonlocal at
        at += 1
        return tokens[at - 1]

    def chain(below, marks, joined, implied=False):
        terms = [below()]
        while peek() in marks or (implied and peek() is not None and peek() not in "+|)^"):
            if peek() in marks:
                take()
            terms.append(below())
        return terms[0] if len(terms) == 1 else "(" + joined.join(terms) + ")"

    def unary():
        token = take()
        if token == "!":
            return f"(~{unary()})"
        value = either() if token == "(" else f"1'b{token}" if token in "01" else token
        if token == "(":
            take()
        while peek() == "'":
            take()
            value = f"(~{value})"
        return value

    def exclusive():
        return chain(unary, ("^",), " ^ ")

    def both():
        return chain(exclusive, ("*", "&"), " & ", implied=True)

    def either():
        return chain(both, ("+", "|"), " | ")

    return either()
