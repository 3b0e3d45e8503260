"""A network of integers: checked when it is built, run layer by layer, its matrix multiplications on demand."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from golden.errors import InputError
from golden.gemm import GemmSpec
from golden.graph import Node
from golden.mac import MacSpec
from golden.operations import OPERATIONS, GemmOperation

__all__ = ["Network", "Step", "Gemm", "classify"]

BATCH = 32  # images at a time: the intermediate arrays of a LeNet then stay in a 2 MB cache


def classify(logits):
    """The class of each row of `logits` [N, classes]: the greatest, the lowest index on ties."""
    return np.argmax(logits, axis=1)


@dataclass(frozen=True, eq=False)
class Step:
    """A node at work: its input arrays and the array it made, [N, ...]."""

    node: Node
    inputs: tuple
    output: np.ndarray


@dataclass(frozen=True, eq=False)
class Gemm:
    """A matrix multiplication of a network, by the node and its RTL target if it has one.

    ``y = a w`` of a `GemmSpec`; of a `MacSpec`, with `bias`, what it says.
    """

    name: str
    spec: GemmSpec | MacSpec
    a: np.ndarray
    w: np.ndarray
    y: np.ndarray
    bias: np.ndarray | None = None
    target: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """A directed graph of operations on tensors of integers.

    Parameters
    ----------
    nodes : sequence of Node
        In an order in which each uses only what stands before it.
    tensors : dict
        Name → Tensor, for the input and for what each node makes.
    parameters : dict
        Name → Parameter.
    input, output : str
        Names of tensors.
    info : dict
        JSON values for the reader: name, seed, accuracy. Nothing is computed from them.

    Raises
    ------
    InputError
        If a name is unknown, used twice or not at all, an operation is unknown or newer than this program's, or a
        format, shape or parameter does not fit its operation.
    """

    nodes: tuple
    tensors: dict
    parameters: dict
    input: str
    output: str
    info: dict = field(default_factory=dict)
    operations: dict = field(init=False, repr=False)  # name of node → Operation

    def __post_init__(self):
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "operations", {})
        for what, names in (("node", (n.name for n in self.nodes)), ("tensor", (n.output for n in self.nodes))):
            if repeated := [name for name, count in Counter(names).items() if count > 1]:
                raise InputError(f"{what} {repeated[0]!r} is made more than once")
        made = {self.input: self.declared(self.input)}
        for node in self.nodes:
            try:
                made[node.output] = self.checked(node, made)
            except InputError as error:
                raise InputError(f"node {node.name!r}: {error}") from None
        if self.output not in made:
            raise InputError(f"output {self.output!r} is a tensor that no node makes")
        used = {name for node in self.nodes for name in node.parameters.values()}
        for what, names in (("tensor", set(self.tensors) - set(made)), ("parameter", set(self.parameters) - used)):
            if names:
                raise InputError(f"{what} {min(names)!r} belongs to no node")

    def declared(self, name):
        """The tensor `name`."""
        if name not in self.tensors:
            raise InputError(f"tensor {name!r} has no format and shape")
        return self.tensors[name]

    def checked(self, node, made):
        """The tensor that `node` makes of those `made` before it, if it is the one declared."""
        if node.op not in OPERATIONS:
            raise InputError(f"no operation is called {node.op!r}; allowed: {', '.join(OPERATIONS)}")
        operation = OPERATIONS[node.op]
        if type(node.version) is not int or not 1 <= node.version <= operation.version:
            raise InputError(f"{node.op} of version {node.version} is unknown; allowed: up to {operation.version}")
        if unmade := [name for name in node.inputs if name not in made]:
            raise InputError(f"input {unmade[0]!r} is made by no node before it")
        if node.output in made:
            raise InputError(f"output {node.output!r} is the network's input")
        if unknown := [name for name in node.parameters.values() if name not in self.parameters]:
            raise InputError(f"parameter {unknown[0]!r} is not there")
        parameters = {role: self.parameters[name] for role, name in node.parameters.items()}
        built = operation([made[name] for name in node.inputs], parameters, node.attributes)
        output, makes = self.declared(node.output), built.output
        if (output.format, output.shape) != (makes.format, makes.shape):
            raise InputError(f"output {node.output!r} is declared {output}, but {node.op} makes {makes}")
        if makes.unit is not None and output.unit != makes.unit:
            raise InputError(f"output {node.output!r} is declared in units of {output.unit}, not {makes.unit}")
        self.operations[node.name] = built
        return output

    def check(self, x):
        """`x` [N, *shape of the input] as an array in the input's dtype, if it is one.

        Raises
        ------
        InputError
            If its shape, its dtype or an element does not fit the network's input.
        """
        expected = self.tensors[self.input]
        x = expected.format.check(x, "network input")
        if x.shape[1:] != expected.shape or x.ndim == 0:
            raise InputError(f"network input must be [N, {', '.join(map(str, expected.shape))}], not {list(x.shape)}")
        return x.astype(expected.format.dtype, copy=False)

    def steps(self, x):
        """Run `x` [N, ...], all at once, and yield a `Step` for each node in order. For traces: memory grows with N."""
        return self.trace(self.check(x))

    def trace(self, x):
        """`steps` of an `x` that is checked."""
        uses = Counter(name for node in self.nodes for name in node.inputs)
        arrays = {self.input: x}
        for node in self.nodes:
            inputs = tuple(arrays[name] for name in node.inputs)
            output = self.operations[node.name].run(*inputs)
            yield Step(node, inputs, output)
            arrays[node.output] = output
            for name in node.inputs:
                uses[name] -= 1
                if not uses[name]:
                    arrays.pop(name, None)

    def run(self, x):
        """The output, int64 [N, ...], for `x` [N, ...]; in batches, so that memory does not grow with N."""
        x = self.check(x)
        logits = np.empty((len(x), *self.tensors[self.output].shape), np.int64)
        for start in range(0, len(x), BATCH):
            part = x[start : start + BATCH]
            # images innermost in memory: the rows of patches, pools and channels are then long
            y = part = np.moveaxis(np.ascontiguousarray(np.moveaxis(part, 0, -1)), -1, 0)
            for step in self.trace(part):
                if step.node.output == self.output:
                    y = step.output
            logits[start : start + BATCH] = y
        return logits

    def gemms(self, x):
        """Run `x` [N, ...], all at once, and yield a `Gemm` for each node that is one, in order."""
        for step in self.steps(x):
            operation = self.operations[step.node.name]
            if isinstance(operation, GemmOperation):
                call = operation.lower(*step.inputs)
                y = operation.lower_output(step.output)
                yield Gemm(step.node.name, call.spec, call.a, call.w, y, call.bias, step.node.target)
