"""golden.dlac_bounds: torch's training step lies within, wrong steps do not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from float_networks import SHAPES, SMALL, TorchNetwork, drawn

import golden.dlac_networks as networks
from golden.errors import InputError
from golden.dlac_bounds import Bounds, choices
from golden.dlac_networks import Shape, logits, ternary, training_step
from golden.dlac_steps import Steps
from golden.formats import parse
from golden.window import Window
from quant.data import mnist

FP32 = parse("fp32")
LENET = (
    Shape(name="conv1", window=Window(kernel=5), pool=Window(kernel=2, stride=2)),
    Shape(name="conv2", window=Window(kernel=5), pool=Window(kernel=2, stride=2)),
    Shape(name="ip1", threshold=0.0),
    Shape(name="ip2"),
)
LENET_SHAPES = {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "ip1": (500, 800), "ip2": (10, 500)}
RATE = 0.03125


def losses(g, layers, parameters, x, labels, rate=RATE):
    """(loss before a step, loss after it)."""
    before, after = training_step(g, layers, parameters, x, labels, rate)
    z, saved = logits(g, layers, after, x)
    return before, g.loss(z, labels)[0]


def traced(bounds, parameters):
    fields = ("weight", "bias", "gain")
    return {
        name: replace(of, **{f: bounds.keep(v) for f in fields if (v := getattr(of, f)) is not None})
        for name, of in parameters.items()
    }


def bounded(layers, parameters, x, labels):
    """[(loss of golden, bound)] before and after a step."""
    bounds = Bounds(FP32)
    found = losses(bounds, layers, traced(bounds, parameters), bounds.keep(x), labels)
    return [(float(loss.value), bounds.bound(loss)) for loss in found]


def small(seed):
    rng = np.random.default_rng(seed)
    x = FP32.decode(FP32.encode(rng.normal(size=(3, 2, 9, 9))))
    return SMALL, drawn(FP32, rng), x, rng.integers(3, size=3)


def test_a_training_step_of_lenet_is_torchs_within_the_bound():
    rng, data = np.random.default_rng(8), mnist().train
    parameters = drawn(FP32, rng, LENET_SHAPES)
    x, labels = FP32.decode(FP32.encode(data.images[:2].numpy() / 255)), data.labels[:2].numpy()
    (before, bound_before), (after, bound_after) = bounded(LENET, parameters, x, labels)
    network = TorchNetwork(LENET, parameters)
    expected, decided = network.step(x, labels, RATE)
    assert all(np.array_equal(a, b) for a, b in zip(decided, choices(LENET, logits(Steps(FP32), LENET, parameters, x)[1]), strict=True))
    assert abs(before - expected) <= bound_before < 2e-3
    assert abs(after - network.step(x, labels, RATE)[0]) <= bound_after < 2e-3
    assert abs(before - after) > 50 * bound_after  # without the step the bound would be broken


@pytest.mark.parametrize("seed", range(4))
def test_small_networks_lie_within_tight_bounds(seed):
    network = small(seed)
    (before, bound_before), (after, bound_after) = bounded(*network)
    assert 0 < bound_before < 1e-4 and 0 < bound_after < 1e-4
    for dtype in (torch.float32, torch.float64):  # another order, and almost real numbers
        other = TorchNetwork(*network[:2], dtype)
        assert abs(before - other.step(*network[2:], RATE)[0]) <= bound_before
        assert abs(after - other.step(*network[2:], RATE)[0]) <= bound_after


def test_the_bound_is_of_the_format():
    """Steps in narrower numbers err more than FP32's bound, less than their own."""
    layers, parameters, x, labels = small(0)
    (before, bound), _ = bounded(layers, parameters, x, labels)
    for fmt in (parse("bf16"), parse("fp16")):
        narrow = {
            name: replace(of, **{what: fmt.decode(fmt.encode(v)) for what, v in vars(of).items() if isinstance(v, np.ndarray)})
            for name, of in parameters.items()
        }
        rounded = fmt.decode(fmt.encode(x))
        exact = TorchNetwork(layers, narrow, torch.float64).step(rounded, labels, RATE)[0]
        found = losses(Steps(fmt), layers, narrow, rounded, labels)[0]
        bounds = Bounds(fmt)
        own = bounds.bound(losses(bounds, layers, traced(bounds, narrow), bounds.keep(rounded), labels)[0])
        assert bound < abs(found - exact) < own


def not_turned(w):
    return w.transpose(0, 2, 3, 1).reshape(-1, w.shape[1])


def shifted(spread):
    return lambda *args: np.roll(spread(*args), 1, axis=0)


@pytest.mark.parametrize("wrong", ["rate", "turned", "spread", "bias", "threshold"])
def test_wrong_steps_break_the_bound(wrong, monkeypatch):
    window = Window(kernel=3)
    first = Shape(name="first", window=window, threshold=0.0)
    layers = (first, *SMALL)
    rng = np.random.default_rng(9)
    x, labels = FP32.decode(FP32.encode(rng.normal(size=(3, 2, 11, 11)))), np.array([0, 2, 1])
    parameters = drawn(FP32, rng, {"first": (2, 2, 3, 3)} | SHAPES)
    (before, bound_before), (after, bound_after) = bounded(layers, parameters, x, labels)
    rate = RATE
    if wrong == "rate":
        rate = RATE * 1.01
    elif wrong == "turned":
        monkeypatch.setattr(networks, "turned", not_turned)
    elif wrong == "spread":
        monkeypatch.setattr(networks, "spread", shifted(networks.spread))
    elif wrong == "bias":
        parameters = parameters | {"hidden": replace(parameters["hidden"], bias=None)}
    else:
        layers = (*layers[:2], replace(layers[2], threshold=0.5), layers[3])
    found = losses(Steps(FP32), layers, parameters, x, labels, rate)
    forward_is_right = wrong in ("rate", "turned", "spread")
    assert (abs(found[0] - before) <= bound_before) == forward_is_right
    assert abs(found[1] - after) > bound_after


def test_the_derivatives_behind_the_bound_are_those_of_differences():
    """A delta put on one number alone gives the loss's change, after the step, for a small change of that number."""
    layers, parameters, x, labels = small(1)
    bounds = Bounds(FP32)
    numbers = traced(bounds, parameters)
    _, after = losses(bounds, layers, numbers, bounds.keep(x), labels)
    change, position = 2.0**-12, (1, 3)
    at = numbers["hidden"].weight
    own = np.zeros(at.shape)
    own[position] = change
    for node in bounds.made:
        object.__setattr__(node, "delta", own if node is at else 0.0)
    expected = bounds.bound(after) / 2
    measured = []
    for sign in (1, -1):
        weight = parameters["hidden"].weight.copy()
        weight[position] += sign * change
        network = TorchNetwork(layers, parameters | {"hidden": replace(parameters["hidden"], weight=weight)}, torch.float64)
        network.step(x, labels, RATE)
        measured.append(network.step(x, labels, RATE)[0])
    assert expected > 1e-7
    assert abs(measured[0] - measured[1]) / 2 == pytest.approx(expected, rel=1e-2)


def test_refusals():
    bounds = Bounds(FP32)
    with pytest.raises(InputError, match="^bounds follow weights in floating point, not ternary ones$"):
        ternary(bounds, bounds.keep(np.ones((2, 2))))
    window = Window(kernel=2)
    y, place = bounds.largest(window, bounds.keep(np.ones((1, 1, 3, 3))))
    with pytest.raises(InputError, match=r"^bounds follow pools that do not overlap, not \(2, 2\) in steps of \(1, 1\)$"):
        bounds.returned(window, place, y, (1, 1, 3, 3))
