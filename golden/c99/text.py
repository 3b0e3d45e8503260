"""The words of C: types, literals, arrays, identifiers and comments."""

import re

import numpy as np

__all__ = ["WIDTH", "Names", "array", "comment", "ctype", "literal"]

WIDTH = 120  # of a line
KEYWORDS = set(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while".split()
)


def ctype(dtype):
    """The C type of the integers of a NumPy dtype."""
    return f"{np.dtype(dtype).name}_t"


def literal(value):
    """An integer of at most 64 bits as C writes it: the least of int64 has no literal of its own."""
    return "-INT64_C(9223372036854775807) - 1" if value == -(1 << 63) else str(value)


def array(dtype, name, values):
    """The definition of a constant array."""
    words = [literal(value) for value in values.ravel().tolist()]
    longest = max(map(len, words))
    line = max(1, (WIDTH - 4) // (longest + 2))
    rows = (", ".join(f"{word:>{longest}}" for word in words[i : i + line]) for i in range(0, len(words), line))
    body = ",\n".join(f"    {row}" for row in rows)
    return f"static const {ctype(dtype)} {name}[{len(words)}] = {{\n{body},\n}};"


def comment(text):
    """`text` as it may stand in a comment of C."""
    return re.sub(r"[^\w .,:;()\[\]<>+=/-]", "_", text, flags=re.ASCII)


class Names:
    """C identifiers for the names of a network, each its own and none of `taken`."""

    def __init__(self, taken=()):
        self.taken = KEYWORDS.union(taken)

    def new(self, text):
        """An identifier like `text`. Names all in capitals get an underscore: they could be macros."""
        base = re.sub(r"\W", "_", text, flags=re.ASCII).lstrip("_")
        base = base if base[:1].isalpha() else f"n{base}"
        base += "_" * base.isupper()
        name, count = base, 1
        while name in self.taken:
            count += 1
            name = f"{base}_{count}"
        self.taken.add(name)
        return name
