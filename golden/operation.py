"""What every operation of a network answers: built for the tensors and parameters of one node, and checked by that."""

from abc import ABC, abstractmethod
from typing import ClassVar

from golden.errors import InputError
from golden.formats import Binary, Integer, Minifloat, PowerOfTwo, parse

__all__ = [
    "REQUIRED",
    "Operation",
    "check_channels",
    "image",
    "integers",
    "listed",
    "result_format",
    "roundable",
    "vectors",
    "widths",
]

REQUIRED = object()


class Operation(ABC):
    """One node's operation, checked.

    Arrays are [N, *shape of a sample], channels along axis 1, in the smallest dtype of their format.

    Parameters
    ----------
    inputs : sequence of Tensor
    parameters : dict
        Role → Parameter.
    attributes : dict
        Setting → value; those left out take their default.

    Attributes
    ----------
    output : Tensor
        What it makes; its unit is None where the operation does not determine it.

    Raises
    ------
    InputError
        If the operation cannot work on these.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1  # of its meaning; a file with a newer one is refused
    exact: ClassVar[bool] = True  # whether it computes on integers alone, so that every implementation agrees
    arity: ClassVar[int | None] = 1  # None: any number from 2 on
    roles: ClassVar[tuple] = ()
    settings: ClassVar[dict] = {}  # attribute → default, or REQUIRED

    def __init__(self, inputs, parameters, attributes):
        if len(inputs) < 2 if self.arity is None else len(inputs) != self.arity:
            wanted = "2 or more" if self.arity is None else self.arity
            raise InputError(f"{self.name} takes {wanted} input{'s' * (wanted != 1)}, not {len(inputs)}")
        if set(parameters) != set(self.roles):
            raise InputError(f"{self.name} takes {listed(self.roles)} as parameters, not {listed(parameters)}")
        if unknown := sorted(set(attributes) - set(self.settings)):
            raise InputError(f"{self.name} has no attribute {unknown[0]!r}; allowed: {listed(self.settings)}")
        self.inputs, self.parameters = tuple(inputs), parameters
        self.attributes = self.settings | attributes
        if missing := [key for key, value in self.attributes.items() if value is REQUIRED]:
            raise InputError(f"{self.name} needs the attribute {missing[0]!r}")
        self.output = self.prepare()

    @abstractmethod
    def prepare(self):
        """Check everything, keep what `run` needs, return the output Tensor."""

    @abstractmethod
    def run(self, *inputs):
        """The output array of the input arrays, whose integers are known to be in range."""


def listed(names):
    """`names` for a message."""
    return ", ".join(names) if names else "nothing"


def image(tensor):
    """The (channels, height, width) of `tensor`, if it is an image."""
    if len(tensor.shape) != 3:
        raise InputError(f"input must be an image of [channels, height, width], not {list(tensor.shape)}")
    return tensor.shape


def integers(format, what):
    """`format`, if it is an `Integer`."""
    if not isinstance(format, Integer):
        raise InputError(f"{what} must be integers, not {format}")
    return format


def roundable(format, what):
    """`format`, if its numbers can be added up: an `Integer` or a `Minifloat`."""
    if not isinstance(format, Integer | Minifloat):
        raise InputError(f"{what} must be integers or minifloats, not {format}")
    return format


def result_format(operation):
    """The attribute `format` of `operation`, if sums are rounded to it."""
    format = parse(operation.attributes["format"])
    if not isinstance(format, Integer | Minifloat | Binary | PowerOfTwo):
        allowed = "integers, minifloats, binary or powers of two"
        raise InputError(f"results of {operation.name} must be {allowed}, not {format}")
    return format


def vectors(parameters, roles):
    """The values of the parameters `roles`, if they are plain integers."""
    for role in roles:
        if parameters[role].format is not None:
            raise InputError(f"parameter {role} must be plain integers, not {parameters[role].format}")
    return tuple(parameters[role].values for role in roles)


def widths(attributes, *names):
    """The attributes `names`, if they are integers."""
    for name in names:
        if type(attributes[name]) is not int:
            raise InputError(f"{name} must be a number of bits, not {attributes[name]!r}")
    return {name: attributes[name] for name in names}


def check_channels(vector, tensor):
    """Refuse parameters of another number of channels than `tensor` has."""
    if vector.size != tensor.shape[0]:
        raise InputError(f"input has {tensor.shape[0]} channels, its parameters have {vector.size}")
