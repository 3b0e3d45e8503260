"""Whether torch and golden compute the same integers."""

from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from golden.network import classify
from quant.data import fitting
from quant.train import reproducible

__all__ = ["Comparison", "compare", "logits", "right"]

BATCH = 500
GOLDEN_BATCH = 10_000


@dataclass
class Comparison:
    """What a comparison saw.

    Parameters
    ----------
    images : int
    compared, differing : dict
        Integers of each tensor, and how many of them differed.
    """

    images: int = 0
    compared: dict = field(default_factory=dict)
    differing: dict = field(default_factory=dict)

    @property
    def equal(self):
        """Whether nothing differed."""
        return not any(self.differing.values())

    def add(self, name, a, b):
        """Take two arrays of the tensor `name` into account; one of another shape differs throughout."""
        unequal = int(np.count_nonzero(a != b)) if a.shape == b.shape else max(a.size, b.size)
        self.compared[name] = self.compared.get(name, 0) + a.size
        self.differing[name] = self.differing.get(name, 0) + unequal


def logits(network, images, prepare=lambda batch: batch):
    """Golden's logits of all `images`, each batch of which may be prepared: [N, classes]."""
    batches = images.split(fitting(images, GOLDEN_BATCH))
    return np.concatenate([network.run(prepare(batch).numpy()) for batch in batches])


def right(network, split):
    """Images of `split` that golden's `network` puts in their class; ties go to the lowest."""
    return int((classify(logits(network, split.images)) == split.labels.numpy()).sum())


def compare(model, network, images, *, progress=False):
    """Every tensor of `model` in evaluation mode against the one of golden's `network`, for all `images`.

    The two work independently of each other from the pixels on. A tensor that one of them lacks counts as differing;
    golden's flattening changes no value and has no counterpart.

    Parameters
    ----------
    images : uint8 tensor [N, C, H, W]
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Comparison
    """
    model.eval()
    found = Comparison(images=len(images))
    with reproducible(0), tqdm(total=len(images), desc="torch = golden", unit="image", disable=not progress) as bar:
        for batch in images.split(fitting(images, BATCH)):
            mine = {name: x.numpy() for name, x in model.steps(batch)}
            for step in network.steps(batch.numpy()):
                if step.node.op != "flatten":
                    missing = np.empty((0,))
                    found.add(step.node.output, mine.pop(step.node.output, missing), step.output)
            for name, x in mine.items():
                found.add(name, x, np.empty((0,)))
            bar.update(len(batch))
    return found
