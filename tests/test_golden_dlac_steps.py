"""golden.dlac_steps: what steps compute and what is kept of them."""

import numpy as np
import pytest
import torch

from golden.errors import InputError
from golden.dlac_steps import Steps, Y, pointwise
from golden.formats import parse
from golden.window import Window

FP32, FP16 = parse("fp32"), parse("fp16")


def numbers(fmt, rng, *shape):
    return fmt.decode(fmt.encode(rng.normal(size=shape)))


def test_pointwise_operations_are_those_of_numpy_in_the_format():
    rng = np.random.default_rng(1)
    for fmt, dtype in ((FP32, np.float32), (FP16, np.float16)):
        x, y, z = numbers(fmt, rng, 40, 6), numbers(fmt, rng, 6), numbers(fmt, rng, 40, 6)
        np.testing.assert_array_equal(pointwise(fmt, "add", x, y), x.astype(dtype) + y.astype(dtype))
        np.testing.assert_array_equal(pointwise(fmt, "sub", x, y), x.astype(dtype) - y.astype(dtype))
        np.testing.assert_array_equal(pointwise(fmt, "sel", x, y, z, 0.5), np.where(x > 0.5, y + 0 * x, z))
    # once rounded: (1 + e)(1 - e) - 1 = -e^2, which a rounded product loses
    e = 2.0**-12
    assert pointwise(FP32, "madd", np.array(1 + e), np.array(1 - e), np.array(-1.0)) == -(e**2)
    assert np.isnan(pointwise(FP32, "madd", np.array(np.inf), np.array(0.0), np.array(1.0)))
    assert pointwise(FP32, "sel", np.array(np.nan), np.array(1.0), np.array(2.0), np.array(0.0)) == 2.0


def test_products_round_in_order_of_k_and_are_kept():
    steps = Steps(FP16)
    a, w = np.array([[2048.0, 1.0, 1.0]]), np.ones((3, 1))
    assert steps.product("up", a, w) == 2048.0  # 2049 is a tie
    assert steps.product("down", a[:, ::-1], w) == 2050.0
    t = np.array([[1.0], [0.0], [-1.0]])
    assert steps.product("ternary", a, t, ternary=True) == 2047.0
    y = steps.pointwise("bias", steps.done[-1].result, ("add", Y, np.array([1.0])), ("madd", Y, np.array(2.0), Y))
    assert y == 3 * 2048
    both = steps.product("both", a, w, ("sub", Y, np.array([[48.0]])), ("sel", np.array(1.0), Y, a[:, :1], np.array(1.0)))
    assert both == 2048.0
    assert [(step.name, step.ternary, step.macs, step.nonzero) for step in steps.done] == [
        ("up", False, 3, 3),
        ("down", False, 3, 3),
        ("ternary", True, 3, 2),
        ("bias", False, 0, 0),
        ("both", False, 3, 3),
    ]


def test_nonzero_products_are_counted_pair_by_pair():
    rng = np.random.default_rng(2)
    a, w = (numbers(FP32, rng, *shape) * (rng.random(shape) < 0.4) for shape in ((7, 11), (11, 5)))
    steps = Steps(FP32)
    steps.product("x", a, w)
    assert steps.done[0].nonzero == np.count_nonzero(a[:, :, None] * w)


@pytest.mark.parametrize(
    "window",
    [
        Window(kernel=2, stride=2),
        Window(kernel=3, stride=2, padding=1),
        Window(kernel=(2, 3), stride=(1, 2), padding=(0, 1)),
        Window(kernel=3, stride=2, ceil_mode=True),
        Window(kernel=2, stride=3),
    ],
)
def test_pooling_and_its_way_back_are_torchs(window):
    rng = np.random.default_rng(3)
    steps, x = Steps(FP32), rng.integers(-3, 3, (2, 3, 8, 9)).astype(float)  # many ties
    y, place = steps.largest(window, x)
    t = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.max_pool2d(t, window.kernel, window.stride, window.padding, ceil_mode=window.ceil_mode)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    dy = rng.integers(-9, 9, y.shape).astype(float)
    expected.backward(torch.tensor(dy))
    np.testing.assert_array_equal(steps.returned(window, place, dy, x.shape), t.grad.numpy())


def test_overlapping_windows_add_up_in_the_format():
    steps, window = Steps(FP16), Window(kernel=2)
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1.0  # the greatest of all four windows
    _, place = steps.largest(window, x)
    dy = np.array([[[[1.0, 1.0], [1.0, 2048.0]]]])  # its places in them: 3, 2, 1, 0
    assert steps.returned(window, place, dy, x.shape)[0, 0, 1, 1] == 2048.0  # and not 2051
    assert steps.done == []


def test_ternary_weights_are_those_beyond_their_threshold():
    weight = np.array([[0.5, -1.0, 0.25], [-0.35, 0.36, 0.54]])  # mean of the magnitudes 0.5
    codes, scale = Steps(FP32).ternarised(weight)
    np.testing.assert_array_equal(codes, [[1, -1, 0], [0, 1, 1]])
    assert scale == np.float32((0.5 + 1 + 0.36 + 0.54) / 4)
    codes, scale = Steps(FP32).ternarised(np.zeros((2, 2)))
    assert not codes.any() and scale == 0.0


def test_the_loss_is_rounded_in_its_gradient_alone():
    rng = np.random.default_rng(4)
    z, labels = rng.normal(size=(5, 7)), np.array([0, 3, 6, 2, 2])
    loss, gradient = Steps(FP32).loss(z, labels)
    t = torch.tensor(z, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(t, torch.tensor(labels))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-14)
    np.testing.assert_allclose(gradient, t.grad.numpy(), rtol=2**-24, atol=1e-16)
    np.testing.assert_array_equal(gradient, gradient.astype(np.float32))


def test_refusals():
    with pytest.raises(InputError, match="^steps compute in floating point, not in int8$"):
        Steps(parse("int8"))
    with pytest.raises(InputError, match="^a pointwise operation must be one of add, sub, madd, sel, not 'div'$"):
        pointwise(FP32, "div", np.ones(1), np.ones(1))
    with pytest.raises(InputError, match="^madd takes 3 values, not 2$"):
        Steps(FP32).pointwise("x", np.ones((1, 1)), ("madd", Y, np.ones(1)))
