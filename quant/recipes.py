"""The settings of this project's training runs. They were chosen on held-out images."""

from golden.errors import InputError
from quant.models import network_layers, schemes
from quant.settings import Recipe

__all__ = ["recipe"]

COMMON = {"batch": 128, "decay": 1e-2, "shift": 2}
FLOAT = {
    "adamw": COMMON | {"epochs": 10, "rate": 3e-3},
    # Caffe's solver of its LeNet, which has 10,000 steps: whole images, no shifts, 12 epochs of 859 steps
    "sgd": {"rule": "sgd", "epochs": 12, "batch": 64, "rate": 1e-2, "decay": 5e-4},
}
TERNARY = COMMON | {"epochs": 8, "rate": 2e-3}
CALIBRATED = COMMON | {"epochs": 0}


def recipe(network, weights="float", *, seed=0, epochs=None, base="adamw"):
    """The `Recipe` for a network and its weights.

    Quantised networks start from the float network of the same seed. Those with ternary layers train on; those with
    8-bit layers alone are only calibrated.

    Parameters
    ----------
    weights : str
        "float", or what `quant.models.schemes` reads.
    epochs : int, optional
        Of the run itself; the float run that a quantised one starts from keeps its own.
    base : str
        How the float network is trained: "adamw", this project's best, or "sgd", as Caffe's LeNet is.

    Raises
    ------
    InputError
        If there is no such network, weight scheme or layer, or a number is out of range.
    """
    if not 0 <= seed < 1 << 63:
        raise InputError(f"seed must be 0 to 2^63 - 1, not {seed}")
    chosen = schemes(weights, network_layers(network))
    if base not in FLOAT:
        raise InputError(f"base must be one of {', '.join(FLOAT)}, not {base!r}")
    settings = FLOAT[base] if not chosen else TERNARY if "ternary" in chosen else CALIBRATED
    if epochs is not None:
        settings = settings | {"epochs": epochs}
    start = recipe(network, seed=seed, base=base) if chosen else None
    return Recipe(network=network, schemes=chosen, seed=seed, start=start, **settings)
