"""LeNet with the smallest weights of each layer cut off, as Deep Compression has it, and the others trained on."""

import dataclasses
import hashlib

from quant.cache import FLOAT, remembered
from quant.pruning import Pruning, prune
from quant.recipes import recipe
from quant.settings import Settings
from quant.train import reproducible

__all__ = ["KEPT", "PRUNING", "RETRAINING", "pruned"]

KEPT = {"conv1": 0.66, "conv2": 0.12, "ip1": 0.08, "ip2": 0.19}  # of the weights: Han et al., Deep Compression
PRUNING = Pruning(kept=KEPT)
RETRAINING = Settings(epochs=1, batch=128, rate=1e-3, shift=2)
CODE = (*FLOAT, "quant.masks", "quant.pruning", "studies.pruned")


def pruned(start, dataset, build, *, pruning=PRUNING, settings=RETRAINING, progress=True):
    """`start`, pruned: a Classifier.

    Parameters
    ----------
    start : Classifier
        A LeNet of floats. It is left as it was.
    build : path
        Folder of the cache.
    pruning : Pruning
    settings : Settings
        Of the training behind it.
    """
    before = hashlib.sha256(b"".join(x.numpy().tobytes() for x in start.state_dict().values())).hexdigest()
    decides = [dataclasses.asdict(pruning), dataclasses.asdict(settings), dataset.digest, before]
    with reproducible(0) as generator:
        model = recipe("lenet").model()
        model.load_state_dict(start.state_dict())

        def work(checkpoint):
            given = {"checkpoint": checkpoint, "progress": progress}
            prune(model, dataset, pruning, settings, generator, "pruned lenet", **given)

        return remembered(model, "pruned", decides, CODE, build, work)
