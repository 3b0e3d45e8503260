"""golden.float_layers against torch's gradients: exactly, on integers, which no sum rounds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from float_networks import TorchNetwork
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.float_layers import FloatLayer, Parameters, backward, forward, ternary, training_step, updated
from golden.float_program import Program
from golden.formats import parse
from golden.window import Window

FP32 = parse("fp32")


@st.composite
def cases(draw):
    kernel = draw(st.tuples(*[st.integers(1, 4)] * 2))
    stride = draw(st.tuples(*[st.integers(1, 3)] * 2))
    padding = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    size = [draw(st.integers(max(1, k - 2 * p), 8)) for k, p in zip(kernel, padding, strict=True)]
    n, c, m = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 4))
    window = draw(st.sampled_from([None, Window(kernel=kernel, stride=stride, padding=padding)]))
    shape = (n, c, *size)
    weight = (m, c * size[0] * size[1]) if window is None else (m, c, *kernel)
    relu, bias, gain = draw(st.sampled_from([None, 0.0, 2.0])), draw(st.booleans()), draw(st.booleans())
    return FloatLayer(name="x", window=window, threshold=relu), shape, weight, bias, gain, draw(st.integers(0, 2**32 - 1))


@given(cases())
@settings(max_examples=150)
def test_forward_and_backward_are_torchs(case):
    layer, shape, weight, bias, gain, seed = case
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.integers(-4, 5, shape).astype(float)

    of = Parameters(
        weight=draw(*weight), bias=draw(weight[0]) if bias else None, gain=draw(weight[0]) if gain else None
    )
    program, x = Program(FP32), draw(*shape)
    y, saved = forward(program, layer, of, x)
    network = TorchNetwork([layer], {"x": of}, torch.float64)
    t = network.tensor(x)
    expected, _ = network.forward(t)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    e = draw(*y.shape)
    expected.backward(torch.tensor(e))
    d, gradients = backward(program, layer, of, saved, e)
    np.testing.assert_array_equal(d, t.grad.numpy())
    assert set(gradients) == {"weight"} | ({"bias"} if bias else set())
    for what, found in gradients.items():
        np.testing.assert_array_equal(found, network.numbers["x"][what].grad.numpy())
    none, alone = backward(Program(FP32), layer, of, saved, e, first=True)
    assert none is None and all(np.array_equal(alone[what], gradients[what]) for what in gradients)


def test_a_step_is_a_list_of_products_and_pointwise_operations():
    rng = np.random.default_rng(5)
    window = Window(kernel=3, stride=2, padding=1)
    layers = [
        FloatLayer(name="conv", window=window, threshold=0.5, pool=Window(kernel=2, stride=2)),
        FloatLayer(name="out"),
    ]
    program = Program(FP32)
    masters = {"conv": program.rounded(rng.normal(size=(3, 2, 3, 3))), "out": program.rounded(rng.normal(size=(4, 12)))}
    parameters = {
        "conv": ternary(program, masters["conv"], np.zeros(3)),
        "out": Parameters(weight=masters["out"]),
    }
    x = program.rounded(rng.normal(size=(2, 2, 7, 7)))
    loss, after = training_step(program, layers, parameters, x, np.array([1, 3]), 0.25)
    assert [(s.name, s.op, s.ternary) for s in program.steps] == [
        ("conv forward", "mm", True),
        ("conv affine", "madd", False),
        ("conv threshold", "sub", False),
        ("conv relu", "sel", False),
        ("out forward", "mm", False),
        ("out weight gradient", "mm", False),
        ("out input error", "mm", False),
        ("out weight update", "madd", False),
        ("conv relu back", "sel", False),
        ("conv weight gradient", "mm", False),
        ("conv bias gradient", "mm", False),
        ("conv bias update", "madd", False),
        ("conv weight update", "madd", False),
    ]
    # the last step is the update, and the weights that products are made with are ternary again
    slope, rate, before = program.steps[-1].operands
    assert rate == -0.25
    np.testing.assert_array_equal(before, masters["conv"].reshape(3, -1))
    np.testing.assert_array_equal(program.steps[-1].result.reshape(3, 2, 3, 3), after["conv"].master)
    assert after["conv"].ternary and set(np.unique(after["conv"].weight)) == {-1.0, 0.0, 1.0}
    codes, scale = program.ternarised(after["conv"].master)
    np.testing.assert_array_equal(after["conv"].weight, codes)
    np.testing.assert_array_equal(after["conv"].gain, np.full(3, scale))
    assert loss > 0 and all(s.result.ndim == 2 for s in program.steps)


def test_the_gradient_of_ternary_weights_is_that_of_weights_times_their_scale():
    rng = np.random.default_rng(6)
    layer, program = FloatLayer(name="x", window=Window(kernel=2)), Program(FP32)
    of = replace(ternary(program, rng.integers(-9, 10, (2, 3, 2, 2)).astype(float)), gain=np.full(2, 4.0))
    x, e = rng.integers(-4, 5, (2, 3, 4, 4)).astype(float), rng.integers(-4, 5, (2, 2, 3, 3)).astype(float)
    _, saved = forward(program, layer, of, x)
    d, gradients = backward(program, layer, of, saved, e)
    network = TorchNetwork([layer], {"x": Parameters(weight=4 * of.weight)}, torch.float64)
    t = network.tensor(x)
    network.forward(t)[0].backward(torch.tensor(e))
    np.testing.assert_array_equal(d, t.grad.numpy())
    np.testing.assert_array_equal(gradients["weight"], network.numbers["x"]["weight"].grad.numpy())
    moved = updated(program, "x", of, {"weight": gradients["weight"]}, 0.5)
    np.testing.assert_array_equal(moved.master, of.master - 0.5 * gradients["weight"])


def test_spread_errors_are_mostly_zeros_to_skip():
    rng = np.random.default_rng(7)
    layer = FloatLayer(name="x", window=Window(kernel=3, stride=2, padding=1))
    program, of = Program(FP32), Parameters(weight=program_weights(rng))
    _, saved = forward(program, layer, of, rng.normal(size=(1, 2, 16, 16)).astype(np.float32).astype(float))
    backward(program, layer, of, saved, np.ones((1, 4, 8, 8)))
    step = program.steps[-1]
    assert step.name == "x input error" and step.operands[0].shape == (256, 36)
    assert 0.22 < step.nonzero / step.macs < 0.25  # a quarter, but for the edges


def program_weights(rng):
    return rng.integers(1, 5, (4, 2, 3, 3)).astype(float)


def test_padding_beyond_the_kernel_is_refused():
    with pytest.raises(InputError, match=r"^padding of c must be less than its kernel, not \(1, 3\) for \(2, 3\)$"):
        FloatLayer(name="c", window=Window(kernel=(2, 3), padding=(1, 3)))
