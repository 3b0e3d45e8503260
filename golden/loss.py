"""The loss of a classifier."""

import numpy as np

__all__ = ["cross_entropy"]


def cross_entropy(z, labels):
    """(mean over the rows of ``log sum exp z - z[label]``, its gradient in `z`), float64.

    Parameters
    ----------
    z : float64 array [N, classes]
        Logits.
    labels : int array [N]
    """
    shifted = z - z.max(axis=1, keepdims=True)
    total = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(z))
    gradient = np.exp(shifted - total)
    gradient[rows, labels] -= 1
    return float((total[:, 0] - shifted[rows, labels]).mean()), gradient / len(z)
