"""A torch module trained on a dataset of the user's, kept by a hash of all that decides it."""

import dataclasses

from quant.cache import LOOP, remembered
from quant.train import fit, reproducible

__all__ = ["module"]


def module(make, dataset, settings, seed, build):
    """What `make` makes, trained by `settings` from `seed`, in evaluation mode.

    Parameters
    ----------
    make : type
        A torch module without parameters.
    build : path
        Folder of the cache.
    """
    decides, name = [dataclasses.asdict(settings), seed, dataset.digest], f"{make.__name__} seed {seed}"
    with reproducible(seed) as generator:
        model = make()

        def work(checkpoint):
            fit(model, dataset, settings, generator, name, checkpoint=checkpoint)

        return remembered(model, make.__name__, decides, (make.__module__, *LOOP), build, work)
