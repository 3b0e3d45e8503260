"""A step of training in golden's numbers beside torch's own step, in float32: losses, their bounds, what is chosen."""

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from golden.dlac_bounds import Bounds, choices
from golden.dlac_networks import logits, training_step
from golden.dlac_steps import Steps
from golden.formats import parse
from quant.models import PIXEL_UNIT, Classifier
from tb.cases import Failure

__all__ = ["Choices", "beside_torch", "bounds", "torch_step"]

FP32 = parse("fp32")


class Choices(TorchFunctionMode):
    """Keeps what decides at each rectifier and each maximum that torch computes in this context.

    Attributes
    ----------
    found : list of array
        As `golden.dlac_bounds.choices` has them.
    """

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        y = function(*args, **kwargs)
        if function is functional.relu:
            self.found.append((y > 0).numpy())
        elif function is functional.max_pool2d:
            _, place = function(*args, **kwargs | {"return_indices": True})
            self.found.append(place.numpy())
        return y


def torch_step(net, parameters, data, rate):
    """(losses, choices) of torch's network before and behind a step of its own: lists of two.

    Parameters
    ----------
    net : Topology
        In floats, with biases or without, but without batch normalisation.
    parameters : dict
        Name of a layer → `golden.dlac_networks.Parameters`, with biases of 0.
    data : quant.data.Split
    rate : float
        Learning rate.
    """
    model, losses, decided = Classifier(net), [], []
    with torch.no_grad():
        for stage in model.stages:
            stage.weight.copy_(torch.from_numpy(parameters[stage.layer.name].weight))
    optimiser = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(2):
        optimiser.zero_grad()
        with Choices() as made:
            loss = functional.cross_entropy(model(data.images), data.labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        decided.append(made.found)
    return losses, decided


def bounds(shapes, parameters, x, labels, rate):
    """[bound of the loss before, behind] a step on the difference of two computations in FP32."""
    g = Bounds(FP32)
    traced = {
        name: replace(of, weight=g.keep(of.weight), bias=None if of.bias is None else g.keep(of.bias))
        for name, of in parameters.items()
    }
    loss, after = training_step(g, shapes, traced, g.keep(x), labels, rate)
    later, _ = g.loss(logits(g, shapes, after, g.keep(x))[0], labels)
    return [g.bound(loss), g.bound(later)]


def beside_torch(net, shapes, parameters, data, rate, losses):
    """JSON values: torch's losses before and behind a step, and what golden's may differ from them by.

    Parameters
    ----------
    net, data, rate
        As of `torch_step`.
    shapes : list of golden.dlac_networks.Shape
        The layers of `net`.
    parameters : (dict, dict)
        Golden's, before and behind its step.
    losses : [float, float]
        Golden's.

    Raises
    ------
    Failure
        If a loss differs from torch's by more than its bound; or if golden chooses otherwise than torch at a rectifier or
        a maximum, for which there is no bound.
    """
    x, labels = (data.images.float() * PIXEL_UNIT).double().numpy(), data.labels.numpy()
    theirs, decided = torch_step(net, parameters[0], data, rate)
    limits = bounds(shapes, parameters[0], x, labels, rate)
    steps = zip(("before", "behind"), parameters, losses, theirs, decided, limits, strict=True)
    for when, of, ours, expected, chosen, limit in steps:
        made = choices(shapes, logits(Steps(FP32), shapes, of, x)[1])
        if differ := sum(np.count_nonzero(one != other) for one, other in zip(made, chosen, strict=True)):
            raise Failure(f"{when} the step torch chooses otherwise in {differ} places")
        if not abs(ours - expected) <= limit:
            raise Failure(f"{when} the step the loss is {ours}, torch's {expected}: more than {limit:.1e} apart")
    return {"torch": theirs, "bounds": limits}
