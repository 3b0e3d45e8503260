"""ONNX files, read and checked, and their nodes."""

from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from golden.errors import InputError

__all__ = ["OPSETS", "QONNX", "STANDARD", "Call", "line", "quantising", "read", "typename"]

OPSETS = (7, 28)  # of the standard operators; in 7 broadcasting became what it is, 28 is what onnx 1.23 knows
STANDARD = ("", "ai.onnx")  # domains
QONNX = ("qonnx.custom_op.general", "finn.custom_op.general")
QUANTISING = (
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul ConvInteger MatMulInteger"
).split()


def read(path):
    """The `onnx.ModelProto` of a file, with its external data, checked.

    Raises
    ------
    InputError
        If the file cannot be read, is no ONNX file or not a whole one, or its operators are not of opset 7 to 28.
    """
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
        onnx.load_external_data_for_model(model, str(Path(path).parent))
        if not model.HasField("graph"):
            raise DecodeError("it has no graph")
        for value in model.graph.output:  # nothing here uses its shape, which many files leave out
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.shape.SetInParent()
        onnx.checker.check_model(model)
    except OSError as error:
        raise InputError(f"cannot read {error.filename or path}: {error.strerror or line(error)}") from None
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        raise InputError(f"{path} is no valid ONNX file: {line(error)}") from None
    opset = next((found.version for found in model.opset_import if found.domain in STANDARD), None)
    least, greatest = OPSETS
    if opset is not None and not least <= opset <= greatest:
        raise InputError(f"operators of {path} must be of opset {least} to {greatest}, not {opset}")
    return model


def quantising(model):
    """The first operator of a model that quantises or works on quantised numbers, None if there is none."""
    return next((n.op_type for n in model.graph.node if n.domain in QONNX or n.op_type in QUANTISING), None)


def line(error):
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def typename(number):
    """ONNX's name of a type of elements, None if it has none of this number."""
    return {value: name for name, value in onnx.TensorProto.DataType.items()}.get(number)


def text(value):
    """A string of a file, bytes where it is not UTF-8, on one line; other values as they are."""
    value = value.decode(errors="replace") if isinstance(value, bytes) else value
    return " ".join(value.split()) if isinstance(value, str) else value


@dataclass(frozen=True, eq=False)
class Call:
    """A node as handlers see it.

    Parameters
    ----------
    proto : onnx.NodeProto
    name : str
        For messages: the node's own name, or that of its first output.
    op, domain : str
    inputs : tuple of str
        Names; "" for one left out.
    output : str
    attributes : dict
        Those that the file gives; strings as str.
    """

    proto: onnx.NodeProto
    name: str
    op: str
    domain: str
    inputs: tuple
    output: str
    attributes: dict

    @classmethod
    def of(cls, node):
        """The `Call` of a node."""
        values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        values = {key: text(value) for key, value in values.items()}
        name = text(node.name) or (node.output[0] if node.output else "?")
        return cls(node, name, text(node.op_type), text(node.domain), tuple(node.input), node.output[0], values)

    def input(self, index):
        """The name of an input, None if it is left out."""
        return self.inputs[index] if len(self.inputs) > index and self.inputs[index] else None
