"""Networks whose layers round numbers run as torch and the formats say they should."""

import numpy as np
import pytest
import torch
from random_network import random_images

from golden.builder import Builder
from golden.formats import parse
from golden.mac import mac

functional = torch.nn.functional


def numbers_network(a, w, accumulate="exact"):
    """A residual block and a classifier in numbers: formats `a` of activations and `w` of weights and biases."""
    rng = np.random.default_rng(13)
    builder = Builder("uint8e-8", (2, 9, 8), unit=2.0**-8)
    unit = 2.0 ** parse(a).exponent

    def layer(name, op, x, shape, scale, **attributes):
        drawn = (rng.normal(size=s) * scale for s in (shape, shape[0]))
        values = {role: (w, parse(w).nearest(v)) for role, v in zip(("weight", "bias"), drawn, strict=True)}
        return builder.add(
            name, op, x, parameters=values, attributes=attributes | {"format": a, "accumulate": accumulate}
        )

    def vectors(count, **values):
        return {role: (None, np.full(count, value)) for role, value in values.items()}

    layer("conv", "mac_conv", "input", (6, 2, 3, 3), 0.3, padding=1, relu=True)
    layer("more", "mac_conv", "conv", (6, 6, 3, 3), 0.15, padding=1)
    widths = {"format": a, "m_width": 4, "d_width": 4}
    same = vectors(6, m_a=1, m_b=1, d=0, s=0)
    builder.add("sum", "add", "more", "conv", parameters=same, attributes=widths, unit=unit)
    builder.add("relu", "relu", "sum")
    builder.add("pool", "average_pool", "relu", attributes={"kernel": 2})
    widths = {"format": a, "m_width": 4, "b_width": 4}
    builder.add("mean", "requant", "pool", parameters=vectors(6, m=1, b=0, s=2), attributes=widths, unit=unit)
    builder.add("lrn", "lrn", "mean", attributes={"format": a, "size": 3, "alpha": 1.0})
    builder.add("flatten", "flatten")
    layer("fc", "mac_dense", "flatten", (5, 6 * 4 * 4), 0.2)
    return builder.build()


def torch_numbers(node, inputs, p, format):
    """What torch makes of the float64 numbers `inputs`, whose sums it holds exactly, and the format's rounding."""
    x = inputs[0]
    if node.op == "mac_conv":
        x = functional.conv2d(x, p["weight"], p["bias"], padding=1)
    elif node.op == "mac_dense":
        x = functional.linear(x, p["weight"], p["bias"])
    elif node.op == "lrn":
        x = functional.local_response_norm(x, 3, 1.0, 0.75, 1.0)
    elif node.op == "add":
        x = inputs[0] + inputs[1]
    elif node.op == "average_pool":
        return functional.avg_pool2d(x, 2)
    elif node.op == "flatten":
        x = x.flatten(1)
    rounded = torch.tensor(format.round(x.numpy()))
    return rounded.relu() if node.op == "relu" or node.attributes.get("relu") else rounded


@pytest.mark.parametrize("formats", [("int8e-4", "int8e-6"), ("mini_e4m3", "mini_e4m3"), ("int12e-5", "pow2z_4")])
def test_every_tensor_of_a_network_of_numbers_equals_torch(formats):
    network = numbers_network(*formats)
    x = random_images(np.random.default_rng(14), network, 40)
    arrays = {"input": torch.tensor(x).double() * 2.0**-8}
    for step in network.steps(x):
        stored = {role: network.parameters[name] for role, name in step.node.parameters.items()}
        p = {k: torch.tensor(v.values * 2.0**v.format.exponent) for k, v in stored.items() if v.format is not None}
        expected = torch_numbers(step.node, [arrays[n] for n in step.node.inputs], p, parse(formats[0]))
        unit = network.tensors[step.node.output].unit
        np.testing.assert_array_equal(step.output * unit, expected.numpy(), err_msg=step.node.name)
        arrays[step.node.output] = expected
    assert len(np.unique(step.output)) > 20
    np.testing.assert_array_equal(network.run(x), step.output)


@pytest.mark.parametrize("accumulate", ["exact", "fp32"])
def test_gemms_of_a_network_of_numbers_have_biases(accumulate):
    network = numbers_network("mini_e4m3", "mini_e4m3", accumulate)
    gemms = list(network.gemms(random_images(np.random.default_rng(15), network, 3)))
    assert [g.name for g in gemms] == ["conv", "more", "fc"]
    for g in gemms:
        np.testing.assert_array_equal(mac(g.spec, g.a, g.w, g.bias), g.y)
