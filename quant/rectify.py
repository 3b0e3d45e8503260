"""Rectifiers of any torch model, wherever it calls them: seen, and given thresholds."""

import types

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["Rectifiers", "thresholded"]

RELUS = {torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_, functional.relu, functional.relu_}
CLIPS = {torch.clamp, torch.Tensor.clamp, torch.fake_quantize_per_tensor_affine}


def rectifies(function, arguments, named, y):
    """Whether a call is that of a rectifier: a ReLU, or a clip or quantiser of a batch whose least number is 0."""
    if function in RELUS:
        return True
    if function not in CLIPS or y.ndim < 2:
        return False
    if function is torch.fake_quantize_per_tensor_affine:
        least = arguments[3] if len(arguments) > 3 else named["quant_min"]
    else:
        least = arguments[1] if len(arguments) > 1 else named.get("min")
    return isinstance(least, int | float) and least == 0


class Rectifiers(TorchFunctionMode):
    """While active, rectifiers make ``y = x if x > threshold else 0``, which zeroes and does not shift.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        Of all, or of each in the order of a forward pass. Without them, those of the model if it is `thresholded`,
        0 otherwise.

    Attributes
    ----------
    calls : int
        How many there were.
    activity : scalar tensor
        Sum of what they passed, all of it at least 0, with its gradient.
    """

    active = None  # there is one at a time

    def __init__(self, thresholds=None):
        super().__init__()
        self.thresholds, self.calls, self.activity = thresholds, 0, 0.0

    def __enter__(self):
        self.outer, Rectifiers.active = Rectifiers.active, self
        return super().__enter__()

    def __exit__(self, *error):
        Rectifiers.active = self.outer
        return super().__exit__(*error)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        named = kwargs or {}
        y = function(*args, **named)
        if rectifies(function, args, named, y):
            several = isinstance(self.thresholds, list | tuple)
            threshold = self.thresholds[self.calls] if several else self.thresholds
            if threshold:
                y = torch.where(y > threshold, y, torch.zeros((), dtype=y.dtype))
            self.calls += 1
            self.activity = self.activity + y.sum()
        return y


def thresholded(model, thresholds):
    """`model`, whose rectifiers from now on have `thresholds`, as `Rectifiers` says, instead of those they had."""
    forward = type(model).forward

    def rectified(self, *arguments):
        watching = Rectifiers.active
        if watching is None:
            with Rectifiers(thresholds):
                return forward(self, *arguments)
        if watching.thresholds is not None:
            return forward(self, *arguments)
        watching.thresholds = thresholds
        try:
            return forward(self, *arguments)
        finally:
            watching.thresholds = None

    model.forward = types.MethodType(rectified, model)
    return model
