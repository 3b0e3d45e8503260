"""Float graphs from ONNX files."""

import numpy as np
import torch

from golden.errors import InputError
from quant.graph import KINDS, Graph, Op
from quant.onnx_model import quantising, read
from quant.onnx_operators import HANDLERS, Weight, parameter
from quant.onnx_walk import Walk

__all__ = ["from_onnx"]


def from_onnx(path):
    """The `Graph` of an ONNX file.

    Operations are called as the file's nodes, in letters, digits and _. Weights become float32. A file whose input is
    uint8, which it then casts and may scale, makes a graph of pixels; what it scales by is the unit. Constants that are
    added or multiplied go into the layer before them, if they are its bias, and make a batch_norm otherwise.

    Raises
    ------
    InputError
        If the file cannot be read, it is quantised, or an operator is none of a graph's; the message names it and its
        node.
    """
    model = read(path)
    if (op := quantising(model)) is not None:
        raise InputError(f"{path} is quantised, its operators are {op} among others: see quant.qonnx")
    return Importer(model).graph()


class Importer(Walk):
    """Collects the operations of a `Graph`.

    Attributes
    ----------
    tensors : dict
        Name in the file → name in the graph.
    layers : dict
        Name in the file → the Op with a weight that makes exactly this.
    pixels : dict
        Name of uint8 pixels → their unit; None before they are cast.
    """

    handlers = HANDLERS

    def __init__(self, model):
        super().__init__(model)
        self.ops, self.shapes = {}, {"input": self.shape}
        self.tensors, self.layers, self.unit = {self.input: "input"}, {}, None
        self.pixels = {self.input: None} if self.dtype == "UINT8" else {}

    def graph(self):
        """The graph."""
        self.walk()
        if self.output not in self.tensors:
            raise InputError(f"output {self.output!r} does not depend on the input")
        ops = list(self.ops.values())
        return Graph(shape=self.shape, ops=ops, output=self.tensors[self.output], unit=self.unit)

    def tensor(self, node, index=0):
        """The graph's name of an input of `node`."""
        if (name := node.input(index)) not in self.tensors:
            self.refuse(node, f"must take what the input makes, not {name!r}")
        if name in self.pixels:
            unit = self.pixels[name]
            if unit is None or self.unit not in (None, unit):
                self.refuse(node, "must take pixels that are cast to float, and scaled the same everywhere")
            self.unit = unit
        return self.tensors[name]

    def sample(self, node, index=0):
        name = node.input(index)
        return self.shape if name in self.pixels else self.shapes[self.tensor(node, index)]

    def weight(self, node, index):
        return Weight(parameter(self.constant(node, index, "weight")))

    def alias(self, node):
        name = node.inputs[0]
        if name in self.pixels:
            self.scaled(node, self.pixels[name])
        else:
            self.tensors[node.output] = self.tensor(node)

    def cast(self, node):
        self.alias(node)
        if node.output in self.pixels:
            self.scaled(node, self.pixels[node.output] or 1.0)

    def scaled(self, node, unit):
        """Let what `node` makes be pixels in units of `unit`."""
        self.pixels[node.output], self.tensors[node.output] = unit, "input"

    def add(self, node, op, attributes=None, *, inputs=None, weight=None, bias=None):
        inputs = (self.tensor(node),) if inputs is None else inputs
        parts = {} if weight is None else {"weight": weight.values, "present": weight.present}
        made = Op(self.named(node), op, inputs, attributes or {}, bias=bias, **parts)
        try:
            self.shapes[made.name] = KINDS[op].shape(made, *(self.shapes[name] for name in inputs))
        except InputError as error:
            self.refuse(node, f"is not supported here: {error}")
        self.ops[made.name], self.tensors[node.output] = made, made.name
        if weight is not None:
            self.layers[node.output] = made

    def affine(self, node, index, gain, offset):
        """A unit of pixels, a bias, or else a batch_norm."""
        name = node.inputs[index]
        if (
            (unit := self.pixels.get(name)) is not None
            and np.size(gain) == 1
            and 0 < gain < np.inf
            and not np.any(offset)
        ):
            return self.scaled(node, unit * float(np.reshape(gain, ())))
        x, layer = self.tensor(node, index), self.layers.get(name)
        gain, offset = (parameter(self.channels(node, values, self.shapes[x])) for values in (gain, offset))
        if layer is not None and self.uses[name] == 1 and torch.all(gain == 1):
            layer.bias = offset if layer.bias is None else layer.bias + offset
            self.tensors[node.output] = x
        else:
            zeros, ones = torch.zeros(len(gain)), torch.ones(len(gain))
            attributes = {"mean": zeros, "var": ones, "gamma": gain, "beta": offset, "eps": 0.0}
            self.add(node, "batch_norm", attributes, inputs=(x,))
