"""Networks run as torch says they should, in any batch, and refuse what is not sound."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from random_network import random_images, random_network

from golden.builder import Builder
from golden.errors import InputError
from golden.graph import Node, Parameter, Tensor
from golden.network import BATCH, Network, classify

functional = torch.nn.functional


def per_channel(values, x):
    return torch.tensor(values).reshape(-1, *[1] * (x.ndim - 2))


def rounded(total, s):
    """``rne(total * 2**-s)`` of int64 through the float64 that holds `total` exactly."""
    assert total.abs().max() < 2**53
    return torch.round(total.double() * 2.0 ** -s.double())


def torch_operation(node, inputs, network):
    """What torch makes of the float64 integers `inputs`."""
    x, attributes, format = inputs[0], node.attributes, network.tensors[node.output].format
    p = {role: torch.tensor(network.parameters[name].values) for role, name in node.parameters.items()}
    pooling = {key: attributes[key] for key in ("stride", "padding", "ceil_mode") if key in attributes}
    if node.op == "conv":
        return functional.conv2d(x, p["weight"].double(), padding=attributes.get("padding", 0))
    if node.op == "dense":
        return functional.linear(x, p["weight"].double())
    if node.op == "requant":
        m, b, s = (per_channel(p[role].numpy(), x) for role in "mbs")
        return rounded(x.long() * m + b, s).clamp(format.lo, format.hi)
    if node.op == "add":
        m_a, m_b, d, s = (per_channel(p[role].numpy(), x) for role in ("m_a", "m_b", "d", "s"))
        return rounded(x.long() * m_a + inputs[1].long() * m_b + d, s).clamp(format.lo, format.hi)
    if node.op == "max_pool":
        return functional.max_pool2d(x, attributes["kernel"], **pooling)
    if node.op == "average_pool":
        if attributes["divisor"] == "window":
            sums = functional.avg_pool2d(x, attributes["kernel"], divisor_override=1, **pooling)
            return sums
        scale = network.tensors[node.inputs[0]].unit / network.tensors[node.output].unit
        include = attributes["divisor"] == "padded"
        means = functional.avg_pool2d(x, attributes["kernel"], count_include_pad=include, **pooling)
        return torch.round(means * scale)
    if node.op == "concat":
        return torch.cat(inputs, 1)
    assert node.op == "flatten"
    return x.flatten(1)


@pytest.mark.parametrize("seed", range(12))
def test_every_tensor_of_a_network_no_flow_has_seen_equals_torch(seed):
    network = random_network(seed)
    x = random_images(np.random.default_rng(seed), network, 6)
    arrays = {"input": torch.tensor(x).double()}
    for step in network.steps(x):
        inputs = [arrays[name] for name in step.node.inputs]
        expected = torch_operation(step.node, inputs, network)
        np.testing.assert_array_equal(step.output, expected.numpy(), err_msg=step.node.name)
        assert step.output.dtype == network.tensors[step.node.output].format.dtype
        arrays[step.node.output] = expected
    assert len(np.unique(step.output)) > 15  # of 30: the network did not die on the way


@pytest.mark.parametrize("seed", range(4))
def test_a_run_in_batches_equals_its_steps(seed):
    network = random_network(seed, shape=(3, 8, 8))
    x = random_images(np.random.default_rng(seed), network, 2 * BATCH + 5)
    logits = network.run(x)
    *_, last = network.steps(x)
    np.testing.assert_array_equal(logits, last.output)
    assert logits.dtype == np.int64 and logits.shape == (2 * BATCH + 5, 5)
    np.testing.assert_array_equal(network.run(x[3:4]), logits[3:4])
    assert network.run(x[:0]).shape == (0, 5)


@pytest.mark.parametrize("seed", range(4))
def test_gemms_are_those_of_the_network(seed):
    network = random_network(seed)
    x = random_images(np.random.default_rng(seed), network, 3)
    steps = {step.node.name: step for step in network.steps(x)}
    gemms = list(network.gemms(x))
    assert [g.name for g in gemms] == [n.name for n in network.nodes if n.op in ("conv", "dense")]
    for g in gemms:
        np.testing.assert_array_equal(g.a.astype(np.int64) @ g.w.astype(np.int64), g.y)
        g.spec.a.check(g.a), g.spec.w.check(g.w), g.spec.y.check(g.y)
        output = steps[g.name].output
        pixels = output if output.ndim == 2 else np.moveaxis(output, 1, -1)
        np.testing.assert_array_equal(g.y, pixels.reshape(g.y.shape))


def test_max_pool_and_requantisation_keep_their_order():
    """With a negative multiplier the greatest accumulator becomes the least activation."""
    x = np.array([[[[1, 9], [4, 2]]]], dtype=np.uint8)
    identity = {"weight": ("int8", np.ones((1, 1, 1, 1), np.int8))}
    negate = {"m": (None, [-1]), "b": (None, [20]), "s": (None, [0])}
    pool = {"kernel": 2}
    outputs = []
    for order in (("requant", "max_pool"), ("max_pool", "requant")):
        builder = Builder("uint8", (1, 2, 2))
        builder.add("conv", "conv", parameters=identity)
        for op in order:
            settings = {"requant": (negate, {"format": "uint8"}), "max_pool": ({}, pool)}[op]
            builder.add(op, op, parameters=settings[0], attributes=settings[1])
        outputs.append(builder.build().run(x).item())
    assert outputs == [19, 11]


def test_a_tensor_used_twice_and_an_output_in_the_middle():
    builder = Builder("int8", (4,))
    ones = {role: (None, [1] * 4) for role in ("m_a", "m_b")} | {role: (None, [0] * 4) for role in ("d", "s")}
    builder.add("sum", "add", "input", "input", parameters=ones, attributes={"format": "int9"})
    builder.add("more", "add", "sum", "input", parameters=ones, attributes={"format": "int10"})
    x = np.array([[-128, -1, 0, 127]], dtype=np.int8)
    np.testing.assert_array_equal(builder.build("sum").run(x), 2 * x.astype(int))
    np.testing.assert_array_equal(builder.build().run(x), 3 * x.astype(int))


def test_ties_go_to_the_lowest_class():
    assert classify(np.array([[1, 7, 7], [3, 3, 3], [-5, -9, -5]])).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 2, 11, 9)), "network input must be an array of integers, not float64"),
        (np.zeros((1, 11, 9), np.uint8), r"network input must be \[N, 2, 11, 9\], not \[1, 11, 9\]"),
        (np.zeros((2, 11, 9), np.uint8), r"network input must be \[N, 2, 11, 9\]"),
        (np.uint8(3), r"network input must be \[N, 2, 11, 9\], not \[\]"),
        (np.full((1, 2, 11, 9), -1), "network input holds -1, which uint8"),
        (np.full((1, 2, 11, 9), 256), "network input holds 256, which uint8"),
    ],
)
def test_wrong_input_is_refused(x, message):
    network = random_network(0)
    for use in (network.run, network.steps, lambda x: list(network.gemms(x))):
        with pytest.raises(InputError, match=message):
            use(x)


def small():
    """The parts of a sound network: dense, then requant."""
    return {
        "nodes": (
            Node("fc", "dense", ("input",), "sums", parameters={"weight": "w"}),
            Node("q", "requant", ("sums",), "y", {"format": "uint8"}, {"m": "m", "b": "b", "s": "s"}),
        ),
        "tensors": {
            "input": Tensor("uint8", (3,)),
            "sums": Tensor("int32", (2,)),
            "y": Tensor("uint8", (2,)),
        },
        "parameters": {
            "w": Parameter("ternary", [[1, 0, -1], [1, 1, 1]]),
            "m": Parameter(None, [1, 1]),
            "b": Parameter(None, [0, 0]),
            "s": Parameter(None, [0, 1]),
        },
        "input": "input",
        "output": "y",
    }


def changed(part, **changes):
    """The parts with entries of `part` replaced, or removed where the change is None."""
    parts = small()
    entries = {key: value for key, value in (parts[part] | changes).items() if value is not None}
    return parts | {part: entries}


def with_node(position, **changes):
    parts = small()
    nodes = list(parts["nodes"])
    nodes[position] = replace(nodes[position], **changes)
    return parts | {"nodes": nodes}


def test_the_small_network_is_sound():
    np.testing.assert_array_equal(Network(**small()).run(np.array([[5, 1, 2], [0, 0, 9]])), [[3, 4], [0, 4]])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (with_node(0, op="softmax"), "node 'fc': no operation is called 'softmax'; allowed: conv, dense"),
        (with_node(0, version=2), "node 'fc': dense of version 2 is unknown; allowed: up to 1"),
        (with_node(0, version=0), "dense of version 0 is unknown"),
        (with_node(0, inputs=("y",)), "node 'fc': input 'y' is made by no node before it"),
        (with_node(0, inputs=("sums",)), "input 'sums' is made by no node before it"),
        (with_node(0, inputs=("nowhere",)), "input 'nowhere' is made by no node before it"),
        (with_node(0, inputs=("input", "input")), "dense takes 1 input, not 2"),
        (with_node(0, inputs=()), "dense takes 1 input, not 0"),
        (with_node(0, output="input"), "output 'input' is the network's input"),
        (with_node(1, output="sums"), "tensor 'sums' is made more than once"),
        (with_node(1, name="fc"), "node 'fc' is made more than once"),
        (with_node(1, output="z"), "tensor 'z' has no format and shape"),
        (with_node(0, parameters={"weight": "v"}), "parameter 'v' is not there"),
        (with_node(0, parameters={}), "dense takes weight as parameters, not nothing"),
        (with_node(0, attributes={"stride": 1}), "dense has no attribute 'stride'; allowed: accumulate"),
        (with_node(0, attributes={"accumulate": 10}), "sums of 3 products of uint8 and ternary need the range"),
        (with_node(1, attributes={}), "node 'q': requant needs the attribute 'format'"),
        (with_node(1, attributes={"format": "uint99"}), "width of unsigned integer must be 1 to 16, not 99"),
        (with_node(1, attributes={"format": "int8"}), r"'y' is declared uint8 \[2\], but requant makes int8 \[2\]"),
        (changed("tensors", sums=Tensor("int32", (4,))), r"declared int32 \[4\], but dense makes int32 \[2\]"),
        (changed("tensors", sums=Tensor("int31", (2,))), r"declared int31 \[2\], but dense makes int32 \[2\]"),
        (changed("tensors", input=Tensor("uint8", (4,))), r"input must be \[3\] features, not \[4\]"),
        (changed("tensors", input=None), "tensor 'input' has no format and shape"),
        (changed("tensors", extra=Tensor("int8", (1,))), "tensor 'extra' belongs to no node"),
        (changed("parameters", extra=Parameter(None, [1])), "parameter 'extra' belongs to no node"),
        (changed("parameters", w=Parameter(None, [[1, 0, -1]])), "weight of dense must have a format and 2 axes"),
        (changed("parameters", w=Parameter("int8", [1, 0])), r"weight of dense must have .* 2 axes, not int8 \[2\]"),
        (changed("parameters", m=Parameter(None, [1 << 15, 1])), "m must be -32768 to 32767, not 1 to 32768"),
        (changed("parameters", s=Parameter(None, [0, 50])), "s must be 0 to 49, not 0 to 50"),
        (changed("parameters", b=Parameter(None, [0, 1 << 47])), "b must be"),
        (changed("parameters", s=Parameter("uint8", [0, 1])), "parameter s must be plain integers, not uint8"),
        (changed("parameters", s=Parameter(None, [1])), "m, b and s must be vectors of one length"),
        (small() | {"output": "elsewhere"}, "output 'elsewhere' is a tensor that no node makes"),
        (small() | {"input": "elsewhere"}, "tensor 'elsewhere' has no format and shape"),
    ],
)
def test_an_unsound_network_is_refused(parts, message):
    with pytest.raises(InputError, match=message):
        Network(**parts)
