"""Quantised networks from QONNX files, and from ONNX files with pairs of QuantizeLinear and DequantizeLinear."""

from dataclasses import replace

import numpy as np
import torch

from golden.builder import Builder
from golden.errors import InputError
from golden.formats import Integer
from quant.affine import Value, binarised, rounded, whole
from quant.onnx_integers import OPERATIONS
from quant.onnx_model import QONNX, STANDARD, quantising, read
from quant.onnx_operators import HANDLERS, Weight
from quant.onnx_quantisers import QUANTISERS, dequantised, quantiser
from quant.onnx_shapes import SHAPES
from quant.onnx_walk import Walk

__all__ = ["ABSENT", "from_qonnx", "is_quantised"]

ABSENT = "absent"  # in the info of a network: its layers that have zeros which are no weights, and how many
LAYOUTS = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")  # of quantised constants
ON_INTEGERS = ("Cast", "DequantizeLinear", "MaxPool", *SHAPES)


def is_quantised(path):
    """Whether an ONNX file is for `from_qonnx`: an operator of it quantises."""
    return quantising(read(path)) is not None


def from_qonnx(path, info=None):
    """The `golden.network.Network` of a quantised file, its weights, activations and scales taken as they are.

    Quant, IntQuant and BipolarQuant of QONNX, and QuantizeLinear with DequantizeLinear, with scales per tensor, of
    weights also per output channel, zero points of 0, and rounding half to even. What lies between one quantiser and
    the next (scales, biases, batch normalisation, ReLU, addition) becomes one requantisation, whose multipliers are
    within 2**-27 of what they stand for with accumulators of 32 bits. Where all scales are powers of two nothing but
    what the file rounds is rounded.

    The input is what the file's first quantiser makes, worth the unit of the network's input; of a file for integers,
    these. The output is that of the last quantiser; if sums follow it, they, with their bias, are the logits.

    Parameters
    ----------
    info : dict
        JSON values for the reader of the artefact; if there is need, `ABSENT` is added.

    Raises
    ------
    InputError
        If the file cannot be read, a number reaches a layer without being quantised, an operator is not supported, or
        quantises in a way that golden does not have; the message names it and its node.
    """
    return Importer(read(path)).network(info)


class Importer(Walk):
    """Writes down golden's nodes.

    Attributes
    ----------
    tensors : dict
        Name in the file → Value.
    weights : dict
        Name in the file → Weight, of constants that are quantised.
    absent : dict
        Node of the network → elements of its weight that are no weights; see `quant.graph.Op`.
    raw : set
        Names in the file of integers that are not dequantised: 1 is worth 1.
    """

    handlers = {op: handler for op, handler in HANDLERS.items() if op != "LRN"}  # which works on floats
    handlers |= {op: lambda walk, node: walk.quantise(node) for op in QUANTISERS}
    handlers |= {"DequantizeLinear": lambda walk, node: walk.dequantise(node)}
    domains = (*STANDARD, *QONNX)
    dtypes = (*Walk.dtypes, "INT8")

    def __init__(self, model):
        super().__init__(model)
        self.tensors, self.weights, self.absent, self.raw = {}, {}, {}, set()

    def network(self, info):
        """golden's network."""
        self.nodes = [node for node in self.nodes if not self.fold(node)]
        self.enter()
        self.walk()
        if (value := self.tensors.get(self.output)) is None:
            raise InputError(f"output {self.output!r} does not depend on the input")
        output = value.tensor
        if value.unit is None:
            output = whole(self.builder, "logits__whole", value)
        return self.builder.build(output=output, info=(info or {}) | ({ABSENT: self.absent} if self.absent else {}))

    def enter(self):
        """Begin the network: its input is quantised, by the file or by what the file says of it."""
        if self.dtype in ("UINT8", "INT8"):
            fmt, unit = Integer(8, signed=self.dtype == "INT8"), None
            self.raw.add(self.input)
        else:
            first = self.entry()
            fmt, unit = first.format, float(first.scale)
        self.builder = Builder(fmt, self.shape, unit)
        self.tensors[self.input] = Value.of("input", 1.0 if unit is None else unit, self.shape[0])

    def entry(self):
        """The `Quantiser` of an input of reals."""
        names, found = {self.input}, []
        for node in self.nodes:
            if not names.intersection(node.inputs) or node.op == "Shape":
                continue
            if node.op in SHAPES:
                names.add(node.output)
            elif node.op in QUANTISERS:
                found.append(self.quantiser(node, 1 + len(self.shape)))
            else:
                self.refuse(node, "must take an input that is quantised")
        if not found:
            raise InputError(f"nothing quantises the input {self.input!r}")
        if not all(found[0].same(other) for other in found):
            raise InputError(f"input {self.input!r} must be quantised in one way, not in several")
        return found[0]

    def quantiser(self, node, axes):
        """The `Quantiser` of a node on a tensor, if it has one scale."""
        found = quantiser(self, node, axes)
        if found.scale.size != 1:
            self.refuse(node, f"must have one scale for a tensor, not {found.scale.size}: only weights have more")
        return replace(found, scale=found.scale.reshape(()))

    def fold(self, node):
        if node.domain not in self.domains or any(name not in self.constants for name in node.inputs if name):
            return False
        if node.op == "DequantizeLinear":
            integers, fmt = self.constants[node.inputs[0]], None
            if (weight := self.weights.get(node.inputs[0])) is not None:
                integers, fmt = weight.values.numpy(), weight.format
            fmt, scale = dequantised(self, node, integers, fmt)
            self.hold(node, integers.astype(np.int64), fmt, self.along(node, scale, integers))
        elif node.op in QUANTISERS:
            x = self.constants[node.inputs[0]]
            if not np.isfinite(x).all():
                self.refuse(node, "must have finite numbers to quantise")
            found = quantiser(self, node, x.ndim)
            scale = self.along(node, found.scale, x)
            self.hold(
                node, found.integers(x), found.weights, np.ones_like(scale) if node.op == "QuantizeLinear" else scale
            )
        elif not super().fold(node):
            return False
        elif node.op in LAYOUTS and (weight := self.weights.get(node.inputs[0])) is not None:
            rest = {name: self.constants[name] for name in node.inputs[1:] if name}
            parts = (self.evaluate(node, {node.inputs[0]: p.numpy()} | rest) for p in (weight.values, weight.scale))
            self.weights[node.output] = Weight(*(torch.from_numpy(part.copy()) for part in parts), weight.format)
        return True

    def along(self, node, scale, x):
        """`scale` for each element of `x`."""
        try:
            return np.broadcast_to(scale, x.shape)
        except ValueError:
            self.refuse(node, f"must have scales for {list(x.shape)} numbers, not {list(scale.shape)}")

    def hold(self, node, integers, fmt, scale):
        """Keep a constant that is quantised."""
        self.weights[node.output] = Weight(torch.from_numpy(integers), torch.from_numpy(scale.astype(np.float64)), fmt)
        with np.errstate(over="ignore"):  # an infinity is refused where it is used
            self.constants[node.output] = integers.astype(np.float32) * scale

    def take(self, node):
        raw = self.raw.intersection(node.inputs)
        if raw and node.op not in ON_INTEGERS:
            self.refuse(node, f"must take floats, not the integers {min(raw)!r}, which nothing dequantises")
        try:
            super().take(node)
        except InputError as error:
            if str(error).startswith("node "):
                raise
            self.refuse(node, str(error))
        if raw and node.op not in ("Cast", "DequantizeLinear"):
            self.raw.add(node.output)

    def quantise(self, node):
        """A rounding, unless the numbers are already what it would make."""
        value = self.tensor(node)
        found = self.quantiser(node, 1 + len(self.sample(node)))
        unit = float(found.scale)
        if not (value.unit == unit and found.keeps(self.builder.tensors[value.tensor].format)):
            add = binarised if found.binary else rounded
            name = add(self.builder, self.named(node), value, found, unit)
            value = Value.of(name, unit, len(value.offset))
        if node.op == "QuantizeLinear":
            value = Value.of(value.tensor, 1.0, len(value.offset))
            self.raw.add(node.output)
        self.tensors[node.output] = value

    def dequantise(self, node):
        if node.inputs[0] not in self.raw:
            self.refuse(node, f"must take integers, not the floats {node.inputs[0]!r}")
        _, scale = dequantised(self, node, None, self.builder.tensors[self.tensor(node).tensor].format)
        if scale.size != 1:
            self.refuse(node, f"must have one scale for a tensor, not {scale.size}: only weights have more")
        value = self.tensor(node)
        self.tensors[node.output] = Value.of(value.tensor, float(scale), len(value.offset))

    def tensor(self, node, index=0):
        if (name := node.input(index)) not in self.tensors:
            self.refuse(node, f"must take what the input makes, not {name!r}")
        return self.tensors[name]

    def sample(self, node, index=0):
        return self.builder.tensors[self.tensor(node, index).terms[0][0]].shape

    def weight(self, node, index):
        self.constant(node, index, "weight")
        if (weight := self.weights.get(node.inputs[index])) is None:
            self.refuse(node, f"must have weights that are quantised, not {node.inputs[index]!r}")
        return weight

    def alias(self, node):
        self.tensors[node.output] = self.tensor(node)

    def cast(self, node):
        self.alias(node)

    def affine(self, node, index, gain, offset):
        value, sample = self.tensor(node, index), self.sample(node, index)
        gain, offset = (self.channels(node, p, sample) for p in (gain, offset))
        if not (np.isfinite(gain).all() and np.isfinite(offset).all()):
            self.refuse(node, "must have finite constants")
        if value.relu and (offset.any() or (gain <= 0).any()):
            self.refuse(node, "must have a quantiser between a Relu and itself, or scales above 0 and no offset")
        self.tensors[node.output] = value.affine(gain, offset)

    def add(self, node, op, attributes=None, *, inputs=None, weight=None, bias=None):
        values = (self.tensor(node),) if inputs is None else inputs
        self.tensors[node.output] = OPERATIONS[op](self, node, values, attributes or {}, weight, bias)
