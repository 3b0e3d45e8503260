import copy

import pytest
import torch
from small_mnist import small_mnist
from torch import nn
from torch.nn import functional

from golden.formats import Integer
from golden.layer_tables import topology
from quant.models import Classifier
from quant.quantisers_activations import Observed
from quant.rectify import Rectifiers, thresholded
from quant.schemes import ACTIVATIONS, WEIGHTS, activation_quantiser, weight_quantiser

X = torch.tensor([[-1.0, 0.0, 0.01, 0.010001, 0.5, 2.0]])
EVERY = [
    torch.relu,
    functional.relu,
    nn.ReLU(),
    nn.ReLU(inplace=True),
    lambda x: x.relu(),
    lambda x: x.clone().relu_(),
    lambda x: x.clamp(0, 5.0),
    lambda x: torch.clamp(x, min=0.0),
]


@pytest.mark.parametrize("rectifier", EVERY)
def test_every_way_to_write_a_relu_is_seen_once_and_zeroes_up_to_its_threshold(rectifier):
    with Rectifiers() as seen:
        y = rectifier(X.clone())
    assert y.tolist() == [[0, 0, X[0, 2], X[0, 3], 0.5, 2.0]]
    assert seen.calls == 1 and seen.activity.item() == pytest.approx(2.520001)
    with Rectifiers(0.01) as seen:
        y = rectifier(X.clone())
    assert y.tolist() == [[0, 0, 0, X[0, 3].item(), 0.5, 2.0]]
    assert seen.activity.item() == pytest.approx(2.510001)


def test_what_does_not_rectify_is_left_alone():
    with Rectifiers(10.0) as seen:
        assert X.clamp(-1, 1).tolist() == [[-1.0, 0.0, X[0, 2], X[0, 3], 0.5, 1.0]]
        assert X.max().clamp(min=0) == 2.0  # one number: no activations
        assert functional.hardtanh(X)[0, 0] == -1.0 and X.clamp(max=1.0)[0, 0] == -1.0
    assert seen.calls == 0


def test_quantised_activations_rectify_if_they_are_unsigned():
    for fmt, calls in ((Integer(8, signed=False), 1), (Integer(8, signed=True), 0)):
        with Rectifiers(0.4) as seen:
            y = Observed(fmt)(X)
        assert seen.calls == calls
        assert (y == 0).sum() == (4 if calls else 1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_quantiser_behind_a_relu_rectifies_once(name, training):
    widths = ACTIVATIONS[name].widths
    quantiser = activation_quantiser(name + (str(widths[-1]) if widths else ""), True)
    quantiser(X)
    with Rectifiers() as seen:
        quantiser.train(training)(X)
    assert seen.calls == (0 if name.startswith("binary") else 1)  # signs are taken of what no ReLU has seen


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", WEIGHTS)
def test_no_weight_quantiser_rectifies(name, training):
    torch.manual_seed(0)
    layer, widths = topology("lenet").rows[1], WEIGHTS[name].widths
    quantiser = weight_quantiser(name + (str(widths[0]) if widths else ""), layer).train(training)
    w = torch.nn.Parameter(torch.randn(layer.shape))
    with Rectifiers(0.5) as seen:
        quantiser.prepare(w)
        quantiser(w)
    assert seen.calls == 0


def test_formats_of_their_own_rectify_once_too():
    for name in ("uint8e-4", "mini_e4m3"):
        with Rectifiers() as seen:
            activation_quantiser(name, True)(X)
        assert seen.calls == 1


def test_thresholds_one_by_one_and_gradients():
    x = X.clone().requires_grad_()
    with Rectifiers([0.0, 1.0]) as seen:
        first = torch.relu(x)
        second = torch.relu(first)
    assert first.tolist() == X.clamp(min=0).tolist() and second.tolist() == [[0, 0, 0, 0, 0, 2.0]]
    seen.activity.backward()
    assert x.grad.tolist() == [[0, 0, 1, 1, 1, 2]]


def test_a_model_keeps_its_threshold_and_can_get_another():
    images = small_mnist(40, 10).train.images
    torch.manual_seed(0)
    model = Classifier(topology("lenet")).eval()
    with torch.no_grad():
        plain = model(images)
        with Rectifiers(0.3):
            expected = model(images)
        assert not torch.equal(plain, expected)
        assert thresholded(model, 0.3) is model and torch.equal(model(images), expected)
        with Rectifiers() as seen:  # sees what the model's own thresholds leave
            assert torch.equal(model(images), expected)
        with Rectifiers(0.3) as wanted:
            Classifier.forward(model, images)
        assert seen.activity == wanted.activity
        with Rectifiers(0.0):  # thresholds given count instead of the model's
            assert torch.equal(model(images), plain)
        other = copy.deepcopy(model)
        assert torch.equal(thresholded(model, 0.0)(images), plain)
        assert torch.equal(other(images), expected)
