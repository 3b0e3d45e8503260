import copy
import math

import pytest
import torch
from quadrants import quadrants, trained

from golden.errors import InputError
from golden.layer_tables import topology
from quant.activation_pruning import activation_thresholds, pruned
from quant.models import Classifier
from quant.rectify import Rectifiers, thresholded
from quant.run import correct


def test_thresholds_are_powers_of_two_that_cost_what_they_may():
    data, model = quadrants().held_out, copy.deepcopy(trained())
    before = correct(model, data)
    with Rectifiers() as dense, torch.no_grad():
        model(data.images)
    found = activation_thresholds(model, data, 0.05)
    assert len(found) == 2 and all(t == 0 or math.log2(t).is_integer() for t in found) and max(found) > 0
    assert correct(model, data) >= before - 10
    with Rectifiers() as sparse, torch.no_grad():
        model(data.images)
    assert sparse.activity < dense.activity
    last = [found[0], found[1] * 2 or 2.0**-8]
    assert correct(thresholded(model, last), data) < before - 10  # the next power of two would cost more
    freer = activation_thresholds(copy.deepcopy(trained()), data, 1.0)
    assert freer == [16.0, 16.0]  # the greatest that are tried


def test_what_is_as_great_as_the_threshold_stays():
    x = torch.tensor([[0.25, 0.2499999, 0.5, 0.0, -1.0]])
    assert pruned(torch.nn.ReLU(), [0.25])(x).tolist() == [[0.25, 0, 0.5, 0, 0]]
    assert pruned(torch.nn.ReLU(), [0.0])(x).tolist() == [[0.25, x[0, 1].item(), 0.5, 0, 0]]


def test_networks_without_rectifiers_or_of_integers_are_refused():
    with pytest.raises(InputError, match="the network has no rectifier"):
        activation_thresholds(torch.nn.Flatten(), quadrants().held_out, 0.1)
    model = Classifier(topology("lenet"), ("ternary",) * 4)
    with pytest.raises(InputError, match="need a network of floats, not of integers"):
        activation_thresholds(model, quadrants().held_out, 0.1)
    with pytest.raises(InputError, match="margin must be a share of 0 to 1, not 5"):
        activation_thresholds(trained(), quadrants().held_out, 5)
