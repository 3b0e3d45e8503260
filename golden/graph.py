"""The words of a network: tensors that carry a format, parameters that carry values, and the nodes between them."""

import sys
from dataclasses import dataclass, field

import numpy as np

from golden.errors import InputError
from golden.formats import Format, UnitFormat, parse

__all__ = ["Tensor", "Parameter", "Node"]


def as_format(value):
    """`value`, a format or the canonical name of one, as a format whose numbers are integers of one unit."""
    found = value if isinstance(value, Format) else parse(value)
    if not isinstance(found, UnitFormat):
        raise InputError(f"tensors of a network need a format of integers, not {found}")
    return found


@dataclass(frozen=True)
class Tensor:
    """What is known of an activation before it is computed.

    Parameters
    ----------
    format : UnitFormat or str
        Of the integers; a string is its canonical name.
    shape : tuple of int
        Of one sample: (channels, height, width) or (features,).
    unit : float or None
        What the integer 1 is worth as a real, where known. Informs; nothing is computed from it.
    """

    format: UnitFormat
    shape: tuple
    unit: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "format", as_format(self.format))
        shape = tuple(self.shape) if isinstance(self.shape, (list, tuple)) else ()
        if len(shape) not in (1, 3) or not all(type(n) is int and n >= 1 for n in shape):
            raise InputError(f"shape of a sample must be [features] or [channels, height, width], not {self.shape!r}")
        object.__setattr__(self, "shape", shape)
        if self.unit is not None:
            if not isinstance(self.unit, (int, float)) or not 0 < self.unit <= sys.float_info.max:
                raise InputError(f"unit must be a finite number above 0 or null, not {self.unit!r}")
            object.__setattr__(self, "unit", float(self.unit))

    def __str__(self):
        return f"{self.format} {list(self.shape)}"


@dataclass(frozen=True, eq=False)
class Parameter:
    """Constant integers of a node: weights in a format, or plain 64-bit integers such as multipliers and shifts.

    Parameters
    ----------
    format : UnitFormat, str or None
        None for plain integers.
    values : array of int
        Kept in the smallest dtype of the format, int64 for plain integers, and read-only.
    """

    format: UnitFormat | None
    values: np.ndarray

    def __post_init__(self):
        values = np.asarray(self.values)
        if self.format is None:
            if values.dtype.kind not in "iu":
                raise InputError(f"a parameter must be an array of integers, not {values.dtype}")
            if values.size and int(values.max()) > np.iinfo(np.int64).max:
                raise InputError(f"a parameter holds {values.max()}, which int64 cannot represent")
            dtype = np.dtype(np.int64)
        else:
            object.__setattr__(self, "format", as_format(self.format))
            self.format.check(values, "a parameter")
            dtype = self.format.dtype
        values = np.array(values, dtype=dtype, order="C")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)


@dataclass(frozen=True)
class Node:
    """One operation of a network: which, on what, with what.

    Parameters
    ----------
    name : str
    op : str
        Name of a row of `golden.operations.OPERATIONS`.
    inputs : tuple of str
        Names of tensors.
    output : str
        Name of the tensor it makes.
    attributes : dict
        Settings of the operation, JSON values.
    parameters : dict
        Role in the operation → name of a parameter of the network.
    version : int
        Of the operation's meaning.
    target : str or None
        The RTL target that runs it, where one is chosen.
    """

    name: str
    op: str
    inputs: tuple
    output: str
    attributes: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    version: int = 1
    target: str | None = None
