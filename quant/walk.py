"""From the nodes of an exported program to the operations of a graph."""

import math
import operator
from dataclasses import dataclass

import torch
from torch.fx.node import map_arg
from torch.utils._pytree import tree_leaves

from golden.errors import InputError
from quant.aten import HANDLERS, SUPPORTED, place, sample
from quant.graph import Graph, Op
from quant.trace_lrn import VIEWS, normalisation

__all__ = ["Unconverted", "Walk"]


class Unconverted(InputError):
    """A module that does not convert uint8 pixels to floats."""


@dataclass(frozen=True)
class Value:
    """What a node of the trace is: a graph's tensor, perhaps in another shape.

    Parameters
    ----------
    name : str
        Of the tensor.
    unit : float or None
        What an integer step of pixels is worth there; None for all but the input, converted or scaled.
    """

    name: str
    unit: float | None = None


class Walk:
    """Goes through the nodes of an exported program and collects the operations of a `Graph`.

    Attributes
    ----------
    values, constants, paths : dict
        Node → `Value`, → constant tensor, → path of the parameter that it is.
    shapes : dict
        Tensor → shape of one sample.
    """

    def __init__(self, program, names=None):
        self.program, self.names = program, names or {}
        self.ops, self.unit = [], None
        self.values, self.constants, self.paths, self.shapes = {}, {}, {}, {}

    def graph(self):
        """The graph, without what its output does not need."""
        nodes = list(self.program.graph.nodes)
        calls = [node for node in nodes if node.op == "call_function"]
        self.inputs(nodes)
        found = [normalisation(node) for node in calls if str(node.target) == "aten.div.Tensor"]
        inside = {node for pattern in found if pattern is not None for node in pattern[0]}
        for node in calls:
            if node not in inside:
                self.call(node)
        output = self.output(nodes[-1])
        needed = {output}
        for op in reversed(self.ops):
            if op.name in needed:
                needed.update(op.inputs)
        ops = [op for op in self.ops if op.name in needed]
        return Graph(shape=self.shapes["input"], ops=ops, output=output, unit=self.unit)

    def inputs(self, nodes):
        """Take in parameters, constants and the one input."""
        signature, program = self.program.graph_signature, self.program
        held = {**program.constants, **program.state_dict}
        sources = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        free = []
        for node in nodes:
            if node.op == "placeholder" and node.name in sources:
                self.paths[node] = sources[node.name]
                self.constants[node] = held[sources[node.name]].detach()
            elif node.op == "placeholder":
                free.append(node)
        for node in free:
            if not any(user.users or user.op == "output" for user in node.users):
                raise InputError(f"nothing uses the input {node.name!r} of the network")
        if len(free) != 1:
            raise InputError(f"a network must have one input, not {', '.join(node.name for node in free) or 'none'}")
        if not isinstance(value := free[0].meta["val"], torch.Tensor):
            raise InputError(f"input {free[0].name!r} of the network must be a tensor, not {value!r}")
        self.shapes["input"] = sample(free[0])
        self.values[free[0]] = Value("input", None if value.dtype.is_floating_point else 1.0)

    def output(self, node):
        """The name of the one tensor that the output node returns."""
        results = [x for x in tree_leaves(node.args) if x is not None]
        if len(results) != 1:
            raise InputError(f"a network must have one output, not {', '.join(str(x) for x in results) or 'none'}")
        return self.tensor(results[0], node)

    def call(self, node):
        """Take in a node that calls something."""
        target, arguments = str(node.target), node.all_input_nodes
        if not node.users or target.startswith("aten.sym_"):
            return
        if node.target is operator.getitem and node.args[1] == 0 and node.args[0] in self.values:
            self.values[node] = self.values[node.args[0]]
        elif isinstance(node.target, torch._ops.OpOverload) and all(x in self.constants for x in arguments):
            self.constants[node] = node.target(*map_arg(node.args, self.constants.get), **node.kwargs)
            if len(arguments) == 1 and arguments[0] in self.paths:
                self.paths[node] = self.paths[arguments[0]]
        elif target in HANDLERS:
            HANDLERS[target](self, node, bound(node))
        else:
            self.refuse(node, "is not supported")

    def refuse(self, node, why):
        """Raise the error that `node` cannot be a graph's."""
        path = place(node)
        raise InputError(f"node {node.name!r}{path and ' of ' + path} ({node.target}) {why}; allowed: {SUPPORTED}")

    def tensor(self, argument, node):
        """The name of the tensor that `argument` of `node` is, flattened first if that is its shape."""
        if argument not in self.values:
            self.refuse(node, f"takes {argument}, which does not depend on the input")
        value, shape = self.values[argument], sample(argument)
        if value.unit is not None:
            if not argument.meta["val"].dtype.is_floating_point:
                raise Unconverted(f"node {node.name!r} ({node.target}) takes pixels that are not converted to float")
            if self.unit not in (None, value.unit):
                self.refuse(node, "takes pixels that are scaled differently elsewhere")
            self.unit = value.unit
        if shape == (whole := self.shapes[value.name]):
            return value.name
        if shape != (math.prod(whole),):
            self.refuse(argument, f"makes {list(shape)} of {list(whole)}, which {node.name!r} uses")
        name = self.named(argument if str(argument.target) in VIEWS else None, None, "flatten")
        self.append(argument, Op(name, "flatten", (value.name,)), shape)
        return name

    def constant(self, argument, node, role):
        """The constant that `argument` of `node` is, float32, or None."""
        if argument is None:
            return None
        if argument not in self.constants:
            self.refuse(node, f"must have a constant {role}")
        return self.constants[argument].float()

    def named(self, node, parameter, kind):
        """A name for the operation of `node` that is not yet in use."""
        if parameter in self.paths:
            path = self.paths[parameter].rpartition(".")[0]
        else:
            path = "" if node is None else place(node, leaf=True)
        name = self.names.get(path, (path or kind or node.name).replace(".", "_"))
        name = free = f"layer{name}" if name[0].isdigit() else name
        count = 0
        while free in self.shapes:
            count += 1
            free = f"{name}_{count}"
        return free

    def add(self, node, op, inputs, attributes=None, *, parameter=None, kind=None, shape=None, **tensors):
        """Add an operation, with the `tensors` of an `Op`; its result is that of `node`, of `shape` if that is another."""
        names = tuple(self.tensor(x, node) for x in inputs)
        made = Op(self.named(node, parameter, kind), op, names, attributes or {}, **tensors)
        self.append(node, made, sample(node) if shape is None else shape)

    def append(self, node, op, shape):
        """Let `node` be what `op` makes."""
        self.ops.append(op)
        self.values[node], self.shapes[op.name] = Value(op.name), shape

    def alias(self, node, argument, factor=1.0):
        """Let `node` be what its argument is; pixels, times a factor."""
        if argument not in self.values:
            self.refuse(node, f"takes {argument}, which does not depend on the input")
        value = self.values[argument]
        self.values[node] = Value(value.name, value.unit and value.unit * factor)


def bound(node):
    """Name of an argument → its value, defaults included."""
    found = {}
    for index, argument in enumerate(node.target._schema.arguments):
        given = node.args[index] if index < len(node.args) else node.kwargs.get(argument.name, argument.default_value)
        found[argument.name] = given
    return found
