"""Writing a network down node by node, with formats and shapes worked out."""

from golden.errors import InputError
from golden.graph import Node, Parameter, Tensor
from golden.network import Network
from golden.operations import OPERATIONS

__all__ = ["Builder"]


class Builder:
    """Collects nodes; `build` makes the `Network`.

    Parameters
    ----------
    format : UnitFormat or str
        Of the input.
    shape : tuple of int
        Of one input sample.
    unit : float or None
        What the integer 1 of the input is worth.
    """

    def __init__(self, format, shape, unit=None):
        self.input = "input"
        self.nodes, self.parameters = [], {}
        self.tensors = {self.input: Tensor(format, shape, unit)}

    def add(self, name, op, *inputs, parameters=None, attributes=None, unit=None, target=None):
        """Add a node and return the name of the tensor it makes, which is its own.

        Parameters
        ----------
        inputs : str
            Names of tensors; without any, the one that was made last.
        parameters : dict
            Role → (format or None, array of integers).
        attributes : dict
            Settings of the operation.
        unit : float or None
            What the integer 1 of the result is worth, where the operation does not determine it.
        target : str or None
            The RTL target that runs it.

        Raises
        ------
        InputError
            If the operation is unknown or cannot work on these.
        """
        inputs = inputs or (next(reversed(self.tensors)),)
        if op not in OPERATIONS:
            raise InputError(f"no operation is called {op!r}; allowed: {', '.join(OPERATIONS)}")
        if name in self.tensors:
            raise InputError(f"there is a tensor {name!r} already")
        if unknown := [n for n in inputs if n not in self.tensors]:
            raise InputError(f"node {name!r}: there is no tensor {unknown[0]!r}")
        attributes = dict(attributes or {})
        try:
            values = {role: Parameter(*pair) for role, pair in (parameters or {}).items()}
            output = OPERATIONS[op]([self.tensors[n] for n in inputs], values, attributes).output
        except InputError as error:
            raise InputError(f"node {name!r}: {error}") from None
        names = {role: f"{name}.{role}" for role in values}
        self.parameters |= {names[role]: value for role, value in values.items()}
        self.tensors[name] = Tensor(output.format, output.shape, unit if output.unit is None else output.unit)
        version = OPERATIONS[op].version
        self.nodes.append(Node(name, op, inputs, name, attributes, names, version, target))
        return name

    def build(self, output=None, info=None):
        """The network whose output is the tensor `output`, the last one made if that is None."""
        return Network(
            nodes=self.nodes,
            tensors=self.tensors,
            parameters=self.parameters,
            input=self.input,
            output=next(reversed(self.tensors)) if output is None else output,
            info=info or {},
        )
