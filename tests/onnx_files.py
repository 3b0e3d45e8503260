"""ONNX models for tests, written node by node."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

__all__ = ["Model", "everything", "floats"]

DOMAIN = "qonnx.custom_op.general"


def floats(rng, *shape, scale=1.0):
    """Normal float32 numbers."""
    return (scale * rng.standard_normal(shape)).astype(np.float32)


class Model:
    """Collects nodes; `save` writes the file, `proto` is the model."""

    def __init__(self, shape, *, dtype=TensorProto.FLOAT, batch="N", opset=17):
        self.shape, self.dtype, self.batch, self.opset = tuple(shape), dtype, batch, opset
        self.nodes, self.initializers, self.last = [], [], "x"

    def constant(self, values):
        """An initializer; its name."""
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, op, *inputs, name=None, domain="", outputs=1, **attributes):
        """Add a node and return the name of its result, called like it; arrays become constants.

        Without inputs, and where one is ..., it is what was made last.
        """
        name = name or f"{op.lower()}{len(self.nodes)}"
        names = [self.last if i is ... else i if isinstance(i, str) else self.constant(i) for i in inputs or (...,)]
        results = [name, *(f"{name}_{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(op, names, results, name, domain=domain, **attributes))
        self.last = name
        return name

    def quant(self, x, scale, bits, *, op="Quant", zero=0.0, domain=DOMAIN, name=None, **attributes):
        """Add QONNX's Quant."""
        attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attributes
        scale, zero, bits = (np.asarray(v, np.float32) for v in (scale, zero, bits))
        return self.add(op, x, scale, zero, bits, name=name, domain=domain, **attributes)

    def proto(self, output=None):
        """The `onnx.ModelProto`."""
        x = helper.make_tensor_value_info("x", self.dtype, [self.batch, *self.shape])
        y = helper.make_tensor_value_info(output or self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "test", [x], [y], self.initializers)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def save(self, path, output=None):
        """Write the file; its path."""
        onnx.save(self.proto(output), str(path))
        return path


class Quant(OpRun):
    """QONNX's Quant, written from its specification: clamp, then round half to even."""

    op_domain = DOMAIN

    def _run(self, x, scale, zeropt, bitwidth, signed=1, narrow=0, rounding_mode="ROUND"):
        assert rounding_mode.upper() == "ROUND"
        bits = int(bitwidth)
        least = -(2 ** (bits - 1)) + narrow if signed else 0
        greatest = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        return (((np.round(np.clip(x / scale + zeropt, least, greatest)) - zeropt) * scale).astype(np.float32),)


class IntQuant(Quant):
    """Its later name."""


class BipolarQuant(OpRun):
    """QONNX's BipolarQuant, written from its specification."""

    op_domain = DOMAIN

    def _run(self, x, scale):
        return ((np.where(x >= 0, 1, -1) * scale).astype(np.float32),)


def everything(model, x):
    """Name → what ONNX's reference implementation computes of `x` for the input and every node of `model`."""
    proto = model.proto()
    if any(node.op_type == "DequantizeLinear" for node in proto.graph.node):
        proto.opset_import[0].version = max(19, model.opset)  # the first version the reference has, and the same
    del proto.graph.output[:]
    names = [name for node in proto.graph.node for name in node.output]
    proto.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    found = ReferenceEvaluator(proto, new_ops=[Quant, IntQuant, BipolarQuant]).run(None, {"x": x})
    return {"x": x, **dict(zip(names, found, strict=True))}
