"""What a search over widths chooses from, and what it says of its choices."""

from dataclasses import dataclass
from typing import Protocol

from golden.errors import InputError

__all__ = ["NARROWEST", "WIDEST", "Found", "Part", "Space", "Try", "width"]

WIDEST, NARROWEST = 16, 1  # bits


def width(bits, what, least=NARROWEST):
    """`bits` if a search whose formats have at least `least` can have them.

    Raises
    ------
    InputError
        If not.
    """
    if type(bits) is not int or not least <= bits <= WIDEST:
        raise InputError(f"width of {what} must be {least} to {WIDEST} bits, not {bits}")
    return bits


@dataclass(frozen=True)
class Part:
    """Numbers that share one format.

    Parameters
    ----------
    kind : str
        "conv" or "dense", for weights, or "outputs".
    names : tuple of str
        The operation whose weights they are, or the tensors.
    count : int
        How many numbers, for one image.
    """

    kind: str
    names: tuple[str, ...]
    count: int

    def __str__(self):
        what = "outputs" if self.kind == "outputs" else "weights"
        return f"{what} of {', '.join(self.names)}"


class Space(Protocol):
    """What can be chosen.

    Attributes
    ----------
    groups : dict
        Name → tuple of parts that have one width at first.
    separate : bool
        Whether parts of a group may differ in format.
    narrowest : int
        Bits of its narrowest formats.
    """

    groups: dict
    separate: bool
    narrowest: int

    def proposals(self, parts, bits):
        """The formats to try for `parts` at a width: a list of {part: format}, the rule's own choice first."""


@dataclass(frozen=True, eq=False)
class Try:
    """One scored choice.

    Parameters
    ----------
    stage : str
        Where in the search: "alone", "uniform", "combined", "repaired", "narrowed".
    what : str
        Group or part that was varied.
    bits : int or None
        Its width; None where the stage is about all groups.
    formats : dict
        Part → format; parts that are missing are float.
    score : float
    """

    stage: str
    what: str
    bits: int | None
    formats: dict
    score: float

    @property
    def total(self):
        """Bits of all numbers that have a format, those of one image."""
        return sum(part.count * fmt.width for part, fmt in self.formats.items())


@dataclass(frozen=True, eq=False)
class Found:
    """What a search ends with.

    Parameters
    ----------
    formats : dict
        Part → format, for all parts.
    score : float
    met : bool
        Whether the score is at least the least one allowed; if not, this is the best that was seen.
    """

    formats: dict
    score: float
    met: bool
