"""golden.dlac_networks against torch's gradients: exactly, on integers, which no sum rounds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from float_networks import TorchNetwork
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.dlac_networks import Parameters, Shape, backward, forward, ternary, training_step
from golden.dlac_steps import Steps, Y
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
    return Shape(name="x", window=window, threshold=relu), shape, weight, bias, gain, draw(st.integers(0, 2**32 - 1))


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
    steps, x = Steps(FP32), draw(*shape)
    y, saved = forward(steps, layer, of, x)
    network = TorchNetwork([layer], {"x": of}, torch.float64)
    t = network.tensor(x)
    expected, _ = network.forward(t)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    e = draw(*y.shape)
    expected.backward(torch.tensor(e))
    d, after = backward(steps, layer, of, saved, e, 0.5)
    np.testing.assert_array_equal(d, t.grad.numpy())
    for what, grown in network.numbers["x"].items():
        if what != "gain":
            expected = getattr(of, what) - 0.5 * grown.grad.numpy()
            np.testing.assert_array_equal(getattr(after, what), expected)
    assert after.gain is of.gain and (after.bias is not None) == bias
    none, alone = backward(Steps(FP32), layer, of, saved, e, 0.5, first=True)
    assert none is None and np.array_equal(alone.weight, after.weight)


def test_a_step_is_a_list_of_products_and_pointwise_operations():
    rng = np.random.default_rng(5)
    window = Window(kernel=3, stride=2, padding=1)
    layers = [
        Shape(name="conv", window=window, threshold=0.5, pool=Window(kernel=2, stride=2)),
        Shape(name="out"),
    ]
    steps = Steps(FP32)
    masters = {"conv": steps.rounded(rng.normal(size=(3, 2, 3, 3))), "out": steps.rounded(rng.normal(size=(4, 12)))}
    parameters = {
        "conv": ternary(steps, masters["conv"], np.zeros(3)),
        "out": Parameters(weight=masters["out"]),
    }
    x = steps.rounded(rng.normal(size=(2, 2, 7, 7)))
    loss, after = training_step(steps, layers, parameters, x, np.array([1, 3]), 0.25)
    found = [(s.name, s.a is not None, [op[0] for op in s.operations], s.ternary) for s in steps.done]
    assert found == [
        ("conv forward", True, ["madd", "sel"], True),
        ("out forward", True, [], False),
        ("out weight update", True, ["madd"], False),
        ("out input error", True, [], False),
        ("conv relu back", False, ["sel"], False),
        ("conv weight update", True, ["madd"], False),
        ("conv bias update", True, ["madd"], False),
    ]
    [(_, y, rate, before)] = steps.done[5].operations
    assert y is Y and rate == -0.25
    np.testing.assert_array_equal(before, masters["conv"].reshape(3, -1).T)
    np.testing.assert_array_equal(steps.done[5].result.T.reshape(3, 2, 3, 3), after["conv"].master)
    assert after["conv"].ternary and set(np.unique(after["conv"].weight)) == {-1.0, 0.0, 1.0}
    codes, scale = steps.ternarised(after["conv"].master)
    np.testing.assert_array_equal(after["conv"].weight, codes)
    np.testing.assert_array_equal(after["conv"].gain, np.full(3, scale))
    assert loss > 0 and all(s.result.ndim == 2 for s in steps.done)


def test_the_gradient_of_ternary_weights_is_that_of_weights_times_their_scale():
    rng = np.random.default_rng(6)
    layer, steps = Shape(name="x", window=Window(kernel=2)), Steps(FP32)
    of = replace(ternary(steps, rng.integers(-9, 10, (2, 3, 2, 2)).astype(float)), gain=np.full(2, 4.0))
    x, e = rng.integers(-4, 5, (2, 3, 4, 4)).astype(float), rng.integers(-4, 5, (2, 2, 3, 3)).astype(float)
    _, saved = forward(steps, layer, of, x)
    d, after = backward(steps, layer, of, saved, e, 0.5)
    network = TorchNetwork([layer], {"x": Parameters(weight=4 * of.weight)}, torch.float64)
    t = network.tensor(x)
    network.forward(t)[0].backward(torch.tensor(e))
    np.testing.assert_array_equal(d, t.grad.numpy())
    expected = of.master - 0.5 * network.numbers["x"]["weight"].grad.numpy()
    np.testing.assert_array_equal(after.master, expected)


def test_spread_errors_are_mostly_zeros_to_skip():
    rng = np.random.default_rng(7)
    layer = Shape(name="x", window=Window(kernel=3, stride=2, padding=1))
    steps, of = Steps(FP32), Parameters(weight=weights(rng))
    _, saved = forward(steps, layer, of, rng.normal(size=(1, 2, 16, 16)).astype(np.float32).astype(float))
    backward(steps, layer, of, saved, np.ones((1, 4, 8, 8)), 0.5)
    step = steps.done[-1]
    assert step.name == "x input error" and step.a.shape == (256, 36)
    assert 0.22 < step.nonzero / step.macs < 0.25  # a quarter, but for the edges


def weights(rng):
    return rng.integers(1, 5, (4, 2, 3, 3)).astype(float)


def test_a_threshold_below_zero_is_refused():
    with pytest.raises(InputError, match="^the threshold of c must be at least 0, not -0.5$"):
        Shape(name="c", threshold=-0.5)


def test_padding_beyond_the_kernel_is_refused():
    with pytest.raises(InputError, match=r"^padding of c must be less than its kernel, not \(1, 3\) for \(2, 3\)$"):
        Shape(name="c", window=Window(kernel=(2, 3), padding=(1, 3)))
