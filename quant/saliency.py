"""What deleting a weight does to the loss, by its second derivative: optimal brain damage."""

import torch

from quant.masks import layers

__all__ = ["curvature", "saliency", "softmax_root", "square_root"]

BATCH, DRAWS = 16, 400


def softmax_root(logits, signs):
    """``S e`` with ``S S' = diag(p) - p p'``, the second derivative of the cross-entropy in the logits."""
    p = torch.softmax(logits, 1)
    return p.sqrt() * signs - p * (p.sqrt() * signs).sum(1, keepdim=True)


def square_root(outputs, signs):
    """``e``: the second derivative of half the squared error in the outputs is 1."""
    return signs


def curvature(model, images, generator, *, root=softmax_root, batch=BATCH, draws=DRAWS):
    """{name: second derivative of the mean loss in each weight} of each layer of `model`, in evaluation mode.

    ``h_kk = E[(d/dw_k sum_n e_n' S_n' z_n)^2] / N`` over batches of N images and random signs e, with z_n the outputs
    and ``S_n S_n'`` the second derivative of the loss in them: an unbiased estimate of the diagonal of J' (S S') J,
    which leaves out second derivatives of the network itself, as LeCun et al. do, is exact for a linear network, and is
    never negative. Its relative error falls as ``(2 / draws)**0.5``.

    Parameters
    ----------
    root : callable
        (outputs, signs) → S e.
    batch, draws : int
        Images of a draw; draws.
    """
    model.eval()
    modules = layers(model)
    weights = [module.weight for module in modules.values()]
    sums = [torch.zeros_like(w) for w in weights]
    for _ in range(draws):
        index = torch.randint(len(images), (batch,), generator=generator)
        outputs = model(images[index])
        signs = 2.0 * torch.randint(2, outputs.shape, generator=generator) - 1
        gradients = torch.autograd.grad((root(outputs.detach(), signs) * outputs).sum(), weights)
        for total, gradient in zip(sums, gradients, strict=True):
            total += gradient**2
    return {name: total / (batch * draws) for name, total in zip(modules, sums, strict=True)}


def saliency(model, images, generator, **settings):
    """{name: h_kk w_k^2 / 2} of each layer; see `curvature`.

    Source: LeCun, Denker and Solla, Optimal Brain Damage, NIPS 1989, equation 5.
    """
    found = curvature(model, images, generator, **settings)
    return {name: h * layers(model)[name].weight.detach() ** 2 / 2 for name, h in found.items()}
