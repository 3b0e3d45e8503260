"""ONNX models for tests, written node by node."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Model", "floats"]

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
