"""Quantised networks from QONNX files, and from ONNX files with pairs of QuantizeLinear and DequantizeLinear."""

from dataclasses import replace

import numpy as np
import torch

from golden import pool
from golden.builder import Builder
from golden.errors import InputError
from golden.formats import Binary, Integer, Ternary, fitting
from golden.gemm import Exact, GemmSpec
from golden.window import Window
from quant.affine import Value, binarised, rounded, whole
from quant.onnx_model import QONNX, STANDARD, quantising, read
from quant.onnx_operators import HANDLERS, Weight
from quant.onnx_quantisers import QUANTISERS, dequantised, quantiser
from quant.onnx_shapes import SHAPES
from quant.onnx_walk import Walk

__all__ = ["from_qonnx", "is_quantised"]

LAYOUTS = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")  # of quantised constants
ON_INTEGERS = ("Cast", "DequantizeLinear", "MaxPool", *SHAPES)
ACCUMULATOR = 32  # bits, of every engine; more where sums need more


def is_quantised(path):
    """Whether an ONNX file is for `from_qonnx`: an operator of it quantises."""
    return quantising(read(path)) is not None


def from_qonnx(path, info=None):
    """The `golden.network.Network` of a quantised file, its weights, activations and scales taken as they are.

    Quant, IntQuant and BipolarQuant of QONNX, and QuantizeLinear with DequantizeLinear, with scales per tensor, of
    weights also per output channel, zero points of 0, and rounding half to even. What lies between one quantiser and
    the next (scales, biases, batch normalisation, ReLU, addition) becomes one requantisation, whose multipliers are
    within 2**-28 of what they stand for with accumulators of 32 bits. Where all scales are powers of two nothing but
    what the file rounds is rounded.

    The input is what the file's first quantiser makes, worth the unit of the network's input; of a file for integers,
    these. The output is that of the last quantiser; if sums follow it, they, with their bias, are the logits.

    Parameters
    ----------
    info : dict
        JSON values for the reader of the artefact.

    Raises
    ------
    InputError
        If the file cannot be read, a number reaches a layer without being quantised, an operator is not supported, or
        quantises in a way that golden does not have; the message names it and its node.
    """
    return Importer(read(path)).network(info)


def refuse_lrn(walk, node):
    walk.refuse(node, "works on floats, and cannot be part of a network of integers")


class Importer(Walk):
    """Writes down golden's nodes.

    Attributes
    ----------
    tensors : dict
        Name in the file → Value.
    weights : dict
        Name in the file → Weight, of constants that are quantised.
    raw : set
        Names in the file of integers that are not dequantised: 1 is worth 1.
    """

    domains = (*STANDARD, *QONNX)
    dtypes = (*Walk.dtypes, "INT8")

    def __init__(self, model):
        super().__init__(model)
        self.tensors, self.weights, self.raw = {}, {}, set()

    def network(self, info):
        """golden's network."""
        self.nodes = [node for node in self.nodes if not self.fold(node)]
        self.enter()
        self.walk()
        if (value := self.tensors.get(self.output)) is None:
            raise InputError(f"output {self.output!r} does not depend on the input")
        output = value.tensor
        if value.unit is None:
            output, _ = whole(self.builder, self.free("logits"), value)
        return self.builder.build(output=output, info=info)

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
        constant = all(name in self.constants for name in node.inputs if name)
        if constant and node.op in QUANTISERS and node.op != "QuantizeLinear":
            x = self.constants[node.inputs[0]]
            found = quantiser(self, node, x.ndim)
            self.hold(node, found.integers(x), found.scale, found.weights)
        elif constant and node.op == "QuantizeLinear":
            x = self.constants[node.inputs[0]]
            found = quantiser(self, node, x.ndim)
            self.constants[node.output] = found.integers(x).astype(found.format.dtype)
        elif constant and node.op == "DequantizeLinear":
            x = self.constants[node.inputs[0]]
            fmt, scale = dequantised(self, node, x)
            self.hold(node, x.astype(np.int64), scale, fmt)
        elif not super().fold(node):
            return False
        elif node.op in LAYOUTS and (weight := self.weights.get(node.inputs[0])) is not None:
            rest = {name: self.constants[name] for name in node.inputs[1:] if name}
            parts = (self.evaluate(node, {node.inputs[0]: p.numpy()} | rest) for p in (weight.values, weight.scale))
            self.weights[node.output] = Weight(*map(torch.from_numpy, parts), weight.format)
        return True
