"""What training lowers: terms, each a weight from the settings and a number of each image."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from quant.settings import Distillation

__all__ = ["TERMS", "Outputs", "loss", "wrong"]

ALONE = Distillation(alpha=0.0, beta=1.0, gamma=0.0)  # weights without a teacher


@dataclass(frozen=True)
class Outputs:
    """What a batch made.

    Parameters
    ----------
    logits : tensor [N, classes]
    labels : int64 tensor [N]
    teacher : tensor [N, classes] or None
        Its logits; without a gradient if it stays as it is.
    activity : scalar tensor or None
        Sum of the magnitudes of all activations.
    """

    logits: torch.Tensor
    labels: torch.Tensor
    teacher: torch.Tensor | None = None
    activity: torch.Tensor | None = None


@dataclass(frozen=True)
class Term:
    """A part of the loss.

    Parameters
    ----------
    weight : callable
        (settings, distillation) → number; a term of weight 0 is not computed.
    value : callable
        (outputs, distillation) → tensor [N], or one number for each image alike.
    error : bool
        Whether it is 0 for an image that the network gets right, if only errors count.
    """

    weight: Callable
    value: Callable
    error: bool = False


def taught(outputs, d):
    """Cross-entropy of the teacher's probabilities and the student's, both of logits over T, times T^2."""
    targets = torch.softmax(outputs.teacher.detach() / d.temperature, 1)
    return d.temperature**2 * functional.cross_entropy(outputs.logits / d.temperature, targets, reduction="none")


TERMS = {
    "labels": Term(
        lambda s, d: d.beta,
        lambda outputs, d: functional.cross_entropy(outputs.logits, outputs.labels, reduction="none"),
        error=True,
    ),
    "teacher": Term(lambda s, d: d.gamma, taught, error=True),
    "labels of the teacher": Term(
        lambda s, d: d.alpha if d.scheme == "A" else 0.0,
        lambda outputs, d: functional.cross_entropy(outputs.teacher, outputs.labels, reduction="none"),
    ),
    # the sum over an image's activations, so that its weight is small: 1e-6 to 1e-5
    "activity": Term(lambda s, d: s.activity, lambda outputs, d: outputs.activity / len(outputs.labels)),
}


def wrong(outputs):
    """1.0 for each image that is not put in its class, ties going to the lowest class, else 0.0: [N]."""
    return (outputs.logits.argmax(1) != outputs.labels).to(outputs.logits.dtype)


def loss(outputs, settings):
    """The mean over the batch of the weighted sum of `TERMS`: a scalar tensor."""
    distillation = ALONE if settings.distillation is None else settings.distillation
    total = 0.0
    for term in TERMS.values():
        if weight := term.weight(settings, distillation):
            value = term.value(outputs, distillation)
            if term.error and settings.errors_only:
                value = value * wrong(outputs)
            total = total + weight * value
    return total.mean()
