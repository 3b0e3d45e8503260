"""The straight-through estimator: other values forward, the gradient back as if nothing had been changed."""

import torch

__all__ = ["straight"]


class Straight(torch.autograd.Function):
    """Values in place of a tensor."""

    @staticmethod
    def forward(ctx, x, values, factor):
        ctx.factor = factor
        return values

    @staticmethod
    def backward(ctx, gradient):
        return gradient if ctx.factor is None else gradient * ctx.factor, None, None


def straight(x, values, factor=None):
    """`values`, through which the gradient reaches `x` as it is, or times `factor`: a mask of what is inside a range.

    Source: Bengio, Léonard and Courville, Estimating or Propagating Gradients Through Stochastic Neurons.
    """
    return Straight.apply(x, values, factor) if x.requires_grad else values
