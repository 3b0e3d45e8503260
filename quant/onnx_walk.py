"""Walking through the nodes of an ONNX file: constants computed, everything else to a handler for its operator."""

import re
from abc import ABC, abstractmethod
from collections import Counter

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from golden.errors import InputError
from quant.onnx_model import STANDARD, Call, line, typename

__all__ = ["FLOATS", "Walk"]

BATCH = 8191  # samples, where the file leaves the number open: a prime that no file's own shapes have
FLOATS = ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")
FOLDED = (  # computed on constants, which is how exporters write down shapes and transposed weights
    "Add Cast Concat ConstantOfShape Div Flatten Gather Identity Mul Neg Reciprocal Reshape Shape Slice Sqrt Squeeze "
    "Sub Transpose Unsqueeze"
).split()


class Walk(ABC):
    """Goes through the nodes that the output needs; what they make is for a subclass to collect.

    Attributes
    ----------
    constants : dict
        Name → array.
    handlers : dict
        Operator → function of (walk, node).
    shape : tuple
        Of one sample of the input; `dtype` is ONNX's name of its type.
    input, output : str

    Raises
    ------
    InputError
        If the graph does not have one input and one output, a size other than the batch is not fixed, or an operator
        is not supported; the message names operator and node.
    """

    handlers = {}
    domains = STANDARD
    dtypes = (*FLOATS, "UINT8")

    def __init__(self, model):
        self.opsets = model.opset_import
        self.constants = {tensor.name: self.array(tensor) for tensor in model.graph.initializer}
        self.taken = {"input"}  # names of results
        self.output = self.only("output", [value.name for value in model.graph.output])
        self.nodes = self.needed(model.graph)
        self.uses = Counter(name for node in self.nodes for name in node.inputs) + Counter([self.output])
        free = {value.name: value for value in model.graph.input if value.name not in self.constants}
        self.input = self.only("input", list(free))
        self.describe(free[self.input])

    def only(self, what, names):
        """The one of `names`."""
        if len(names) != 1:
            raise InputError(f"a network must have one {what}, not {', '.join(names) or 'none'}")
        return names[0]

    def array(self, tensor):
        """The array of an `onnx.TensorProto`."""
        kind = typename(tensor.data_type)
        if tensor.HasField("segment") or kind in ("UNDEFINED", "STRING", None):
            raise InputError(f"constant {tensor.name!r} must be an array of numbers, not of type {kind}")
        try:
            return numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise InputError(f"constant {tensor.name!r} cannot be read: {line(error)}") from None

    def needed(self, graph):
        """The nodes that the output depends on, in order."""
        wanted, found = {self.output}, []
        for node in reversed(graph.node):
            if wanted.intersection(node.output):
                found.append(Call.of(node))
                wanted.update(name for name in node.input if name)
                if extra := wanted.intersection(node.output[1:]):
                    raise InputError(f"node {found[-1].name!r}: output {min(extra)!r} of {node.op_type} cannot be used")
        return found[::-1]

    def describe(self, value):
        """Keep type and shape of the input."""
        tensor = value.type.tensor_type
        self.dtype = typename(tensor.elem_type)
        if self.dtype not in self.dtypes:
            raise InputError(f"input {value.name!r} must be of type {', '.join(self.dtypes)}, not {self.dtype}")
        sizes = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim]
        if len(sizes) not in (2, 4) or not all(isinstance(n, int) and n >= 1 for n in sizes[1:]):
            found = ", ".join(map(str, sizes))
            raise InputError(
                f"input {value.name!r} must be [N, features] or [N, C, H, W] of fixed sizes, not [{found}]"
            )
        self.batch = sizes[0] if isinstance(sizes[0], int) and sizes[0] >= 1 else BATCH
        self.shape = tuple(sizes[1:])

    def walk(self):
        """Take in all nodes: first what is constant, then everything else."""
        for node in [node for node in self.nodes if not self.fold(node)]:
            if not self.fold(node):
                self.take(node)

    def fold(self, node):
        """Whether `node` makes a constant, which is then known."""
        if node.domain not in STANDARD:
            return False
        if node.op == "Constant":
            self.constants[node.output] = self.value(node)
        elif node.op in FOLDED and all(name in self.constants for name in node.inputs if name):
            self.constants[node.output] = self.evaluate(node, {n: self.constants[n] for n in node.inputs if n})
        return node.output in self.constants

    def take(self, node):
        """Take in a node that makes no constant: the shape of a tensor, or what its handler says."""
        if node.op == "Shape" and node.domain in STANDARD:
            span = slice(node.attributes.get("start"), node.attributes.get("end"))
            self.constants[node.output] = np.array((self.batch, *self.sample(node))[span], np.int64)
        elif node.op in self.handlers and node.domain in self.domains:
            self.handlers[node.op](self, node)
        else:
            where = "" if node.domain in STANDARD else f" of {node.domain}"
            allowed = ", ".join(sorted({*self.handlers, "Constant", "Shape"}))
            self.refuse(node, f"is not supported{where}; allowed: {allowed}")

    def value(self, node):
        """The array of a node Constant."""
        ((kind, value),) = node.attributes.items()
        if kind == "value":
            return self.array(value)
        if kind not in ("value_int", "value_ints", "value_float", "value_floats"):
            self.refuse(node, f"must be numbers, not {kind}")
        return np.array(value, np.int64 if "int" in kind else np.float32)

    def evaluate(self, node, inputs):
        """What a node makes of arrays."""
        tensors = [numpy_helper.from_array(np.asarray(x), name) for name, x in inputs.items()]
        result = onnx.helper.make_empty_tensor_value_info(node.output)
        graph = onnx.helper.make_graph([node.proto], "constants", [], [result], tensors)
        try:
            with np.errstate(all="ignore"):  # an infinity is refused where it is used
                (found,) = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=self.opsets)).run(None, {})
        except Exception as error:  # whatever NumPy says of shapes and types
            self.refuse(node, f"cannot be computed: {line(error)}")
        return np.asarray(found)

    def refuse(self, node, why):
        """Raise the error that `node` cannot be imported."""
        raise InputError(f"node {node.name!r}: operator {node.op} {why}")

    def constant(self, node, index, role):
        """The constant that an input must be; None if it is left out."""
        if (name := node.input(index)) is None:
            return None
        if name not in self.constants:
            self.refuse(node, f"must have a constant {role}, not {name!r}")
        return self.constants[name]

    def split(self, node):
        """(index of the input that is a tensor, the constant that is the other one, or None)."""
        held = [index for index, name in enumerate(node.inputs) if name in self.constants]
        return (0, None) if not held else (1 - held[0], self.constants[node.inputs[held[0]]])

    def channels(self, node, values, sample):
        """`values`, which meet a batch of tensors of shape `sample`, as a float64 vector with an element a channel."""
        values = np.asarray(values, np.float64)
        full = (1,) * (1 + len(sample) - values.ndim) + values.shape
        if len(full) != 1 + len(sample) or full[1] not in (1, sample[0]) or any(n != 1 for n in (full[0], *full[2:])):
            self.refuse(
                node, f"must have one number, or one for each of {sample[0]} channels, not {list(values.shape)}"
            )
        return np.broadcast_to(values.reshape(-1), (sample[0],))

    def named(self, node):
        """A name for what `node` makes: its own in letters, digits and single _, not yet in use."""
        name = re.sub(r"[\W_]+", "_", node.name, flags=re.ASCII).strip("_") or node.op
        free, count = name, 0
        while free in self.taken:
            count += 1
            free = f"{name}_{count}"
        self.taken.add(free)
        return free

    @abstractmethod
    def sample(self, node, index=0):
        """The shape of one sample of a tensor that `node` takes."""

    @abstractmethod
    def tensor(self, node, index=0):
        """A tensor that `node` takes, as `add` wants its inputs."""

    @abstractmethod
    def weight(self, node, index):
        """The `quant.onnx_operators.Weight` that an input must be."""

    @abstractmethod
    def alias(self, node):
        """Let what `node` makes be its first input."""

    @abstractmethod
    def cast(self, node):
        """Let what `node` makes be its first input, as floats."""

    @abstractmethod
    def add(self, node, op, attributes=None, *, inputs=None, weight=None, bias=None):
        """Let what `node` makes be the result of an operation of `quant.graph.KINDS`.

        Parameters
        ----------
        inputs : tuple, optional
            Of what `tensor` gives; by default the first input alone.
        weight : Weight, optional
        bias : float32 tensor, optional
        """

    @abstractmethod
    def affine(self, node, index, gain, offset):
        """Let what `node` makes be an input times `gain` plus `offset`: numbers, or arrays that meet a batch."""
