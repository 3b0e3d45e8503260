"""Reading a Liberty file: groups, attributes and tables, nothing interpreted."""

import re
from dataclasses import dataclass, field

from golden.errors import InputError

__all__ = ["Group", "parse"]

TOKEN = re.compile(
    r'/\*.*?\*/|\\\r?\n|\s+|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[^\s"(){}:;,]+)|(?P<mark>[(){}:;,])', re.S
)


@dataclass
class Group:
    """``kind (arguments) { attributes, groups }``.

    Attributes
    ----------
    attributes : dict
        Simple attributes as strings, complex ones (``index_1 ("…")``) as lists of strings.
    """

    kind: str
    arguments: list
    attributes: dict = field(default_factory=dict)
    groups: list = field(default_factory=list)

    def all(self, *kinds):
        """The groups of these kinds directly inside."""
        return [group for group in self.groups if group.kind in kinds]

    def number(self, name, default=None):
        """A simple attribute as a number; `default` if it is missing."""
        return float(self.attributes[name]) if name in self.attributes else default


def parse(text, what="the library"):
    """The outermost group of Liberty `text`, the library.

    Raises
    ------
    InputError
        If `text` is not Liberty.
    """
    tokens = []
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise InputError(f"{what} is not a Liberty file: cannot read {text[at : at + 20]!r}")
        at = match.end()
        if match["text"] is not None:
            tokens.append(re.sub(r"\\\r?\n", " ", match["text"]))
        elif match["word"] is not None or match["mark"] is not None:
            tokens.append(match["word"] or Mark(match["mark"]))
    try:
        outer = Group("", [])
        items(iter(tokens), outer)
        [library] = outer.all("library")
    except (StopIteration, ValueError, IndexError):
        raise InputError(f"{what} is not a Liberty file: it holds no complete library group") from None
    return library


class Mark(str):
    """Punctuation, unlike a quoted string of the same characters."""


def items(tokens, group):
    """Read the inside of `group`, up to its closing brace or the end."""
    for name in tokens:
        if isinstance(name, Mark):
            if name == "}":
                return
            continue  # a stray semicolon
        mark = next(tokens)
        if mark == ":":
            value, token = [], next(tokens)
            while not (isinstance(token, Mark) and token == ";"):
                if isinstance(token, Mark) and token in "{}":
                    raise ValueError
                value.append(token)
                token = next(tokens)
            group.attributes[name] = " ".join(value)
            continue
        if not (isinstance(mark, Mark) and mark == "("):
            raise ValueError
        arguments, token = [], next(tokens)
        while not (isinstance(token, Mark) and token == ")"):
            if not isinstance(token, Mark):
                arguments.append(token)
            token = next(tokens)
        after = next(tokens, None)
        if isinstance(after, Mark) and after == "{":
            inner = Group(name, arguments)
            group.groups.append(inner)
            items(tokens, inner)
        else:
            group.attributes[name] = arguments
            if after is not None and not isinstance(after, Mark):
                raise ValueError
    if group.kind:
        raise ValueError  # the text ended inside
