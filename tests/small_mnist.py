"""A few hundred images of MNIST, and recipes that take a second on them."""

from dataclasses import replace

from quant.data import Dataset, mnist
from quant.recipes import recipe

__all__ = ["small_mnist", "quick"]


def small_mnist(train=512, other=200):
    """The first images of each part."""
    whole = mnist()
    return Dataset(whole.train[:train], whole.held_out[:other], whole.test[:other], f"small {train} {other}")


def quick(network="lenet", weights="float", *, seed=0, epochs=1):
    """The usual recipe with small batches and few epochs."""
    usual = recipe(network, weights, seed=seed)
    settings = {"epochs": epochs, "batch": 32, "shift": 0}
    start = usual.start and replace(usual.start, **settings)
    return replace(usual, **settings | {"epochs": min(epochs, usual.epochs)}, start=start)
