"""The settings of this project's training runs. They were chosen on held-out images."""

from dataclasses import dataclass, field, fields

from golden.errors import InputError
from golden.layer_tables import topology
from quant.models import schemes
from quant.pruning import METHODS as PRUNINGS
from quant.pruning import Pruning
from quant.schemes import activation_schemes, coarse
from quant.settings import SCHEMES, Distillation, Recipe, Settings

__all__ = ["METHODS", "Method", "recipe"]

COMMON = {"batch": 128, "decay": 1e-2, "shift": 2}
FLOAT = {
    "adamw": COMMON | {"epochs": 10, "rate": 3e-3},
    # Caffe's solver of its LeNet, which has 10,000 steps: whole images, no shifts, 12 epochs of 859 steps
    "sgd": {"rule": "sgd", "epochs": 12, "batch": 64, "rate": 1e-2, "decay": 5e-4},
}
TERNARY = COMMON | {"epochs": 8, "rate": 2e-3}
CALIBRATED = COMMON | {"epochs": 0}


@dataclass(frozen=True)
class Method:
    """A way to train, which can be combined with others.

    Parameters
    ----------
    what : str
        For a reader.
    settings : dict
        Of `quant.settings.Settings`, in place of the usual.
    scheme : str or None
        Of Apprentice, a row of `SCHEMES`.
    pruning : str or None
        A row of `quant.pruning.METHODS`.
    pretrained : bool or None
        Whether the run starts from the float network; None where the usual stays: quantised networks do.
    """

    what: str
    settings: dict = field(default_factory=dict)
    scheme: str | None = None
    pruning: str | None = None
    pretrained: bool | None = None


METHODS = {
    "scratch": Method("from nothing, in low precision from the first step", pretrained=False),
    "reg": Method("activations are regularised", {"activity": 1e-5}),
    "gradupdate": Method("images that are right have no error", {"errors_only": True}),
    "relut": Method("rectifiers have a threshold in the end", {"relu_threshold": 0.01, "threshold_epochs": 2}),
    "lr": Method("the rate is cut where training stalls", {"rule": "adam", "decay": 0.0, "patience": 3, "cut": 0.1}),
    "apprentice_a": Method(SCHEMES["A"], scheme="A", pretrained=False),
    "apprentice_b": Method(SCHEMES["B"], scheme="B", pretrained=False),
    "apprentice_c": Method(SCHEMES["C"], {"rate": 2e-4}, scheme="C", pretrained=True),
} | {
    f"prune_{name}": Method(f"weights are pruned by {name}", pruning=name, pretrained=True) for name in PRUNINGS
}
TEACHERS = ", ".join(name for name, method in METHODS.items() if method.scheme is not None)
PRUNERS = ", ".join(name for name, method in METHODS.items() if method.pruning is not None)
KINDS = ((Settings, "distillation"), (Distillation, "scheme"), (Pruning, "method"))  # and what methods alone decide


def combined(text):
    """What the methods in `text`, joined by +, say: a `Method`.

    Raises
    ------
    InputError
        If there is no such method, or two disagree.
    """
    settings, by, single = {}, {}, {"scheme": None, "pruning": None, "pretrained": None}
    for name in text.split("+") if text else ():
        if name not in METHODS:
            raise InputError(f"no method is called {name!r}; allowed: {', '.join(METHODS)}, joined by +")
        method = METHODS[name]
        asked = method.settings | {what: x for what in single if (x := getattr(method, what)) is not None}
        for what, value in asked.items():
            if what in by and (settings | single)[what] != value:
                raise InputError(f"methods {by[what]} and {name} cannot be combined: they disagree on {what}")
            (single if what in single else settings)[what] = value
            by[what] = name
    return Method(text, settings, **single)


def typed(name, value, default):
    """`value`, which may be text, as what the setting `name` is."""
    if not isinstance(value, str) or isinstance(default, str):
        return value
    try:
        return bool(("off", "on").index(value)) if isinstance(default, bool) else type(default)(value)
    except ValueError:
        allowed = "on or off" if isinstance(default, bool) else "an integer" if isinstance(default, int) else "a number"
        raise InputError(f"{name} must be {allowed}, not {value!r}") from None


def given(settings):
    """Those of the loop, of a distillation and of pruning among `settings`, each a dictionary."""
    parts = [{f.name: f.default for f in fields(kind) if f.name != without} for kind, without in KINDS]
    for name in settings:
        if not any(name in part for part in parts):
            raise InputError(f"no setting is called {name!r}; allowed: {', '.join(x for part in parts for x in part)}")
    return [{name: typed(name, settings[name], part[name]) for name in part if name in settings} for part in parts]


def recipe(
    network,
    weights="float",
    activations="",
    *,
    seed=0,
    epochs=None,
    base="adamw",
    method="",
    teacher=None,
    settings=None,
):
    """The `Recipe` for a network and its weights.

    Unless the method says otherwise, quantised networks start from the float network of the same seed; those with
    fewer bits train on, those with 8-bit weights and activations alone are only calibrated.

    Parameters
    ----------
    weights : str
        "float", or what `quant.schemes.schemes` reads; unless it says more, the first and the last layer have 8 bits.
    activations : str
        What `quant.schemes.activation_schemes` reads; "" for 8 bits, or floats where weights are.
    epochs : int, optional
        Of the run itself; the float run that a quantised one starts from keeps its own.
    base : str
        How the float network is trained: "adamw", this project's best, or "sgd", as Caffe's LeNet is.
    method : str
        Rows of `METHODS`, joined by +.
    teacher : str, optional
        The network whose float version teaches, if a method has a teacher; by default the same.
    settings : dict, optional
        Of `quant.settings.Settings`, `Distillation` and `quant.pruning.Pruning`, as values or text; they go before all
        others.

    Raises
    ------
    InputError
        If there is no such network, weight scheme, layer, method or setting, they do not fit together, or a number is
        out of range.
    """
    net = topology(network)
    chosen = schemes(weights, net)
    rounds = (*chosen, *(activation_schemes(activations, net).values() if activations else ()))
    if base not in FLOAT:
        raise InputError(f"base must be one of {', '.join(FLOAT)}, not {base!r}")
    way, (own, distilled, pruned) = combined(method), given(settings or {})
    needed = (way.scheme, TEACHERS, [*distilled, *["teacher"] * (teacher is not None)]), (way.pruning, PRUNERS, pruned)
    for there, methods, asked in needed:
        if there is None and asked:
            raise InputError(f"{next(iter(asked))} needs one of the methods {methods}")
    pretrained = bool(rounds) if way.pretrained is None else way.pretrained
    usual = FLOAT[base] if not pretrained else TERNARY if not rounds or any(map(coarse, rounds)) else CALIBRATED
    decided = usual | way.settings | ({} if epochs is None else {"epochs": epochs}) | own
    if decided["epochs"] == 0 and (idle := [*([method] if method else []), *(name for name in own if name != "epochs")]):
        raise InputError(f"{idle[0]} decides nothing in 0 epochs, which only calibrate; give 1 epoch or more")
    idle = {
        "cut": ("without patience", not decided.get("patience")),
        "alpha": ("outside scheme A", way.scheme not in (None, "A")),
        "kept": ("beside quality", bool(pruned.get("quality"))),
    }
    for name, (where, nothing) in idle.items():
        if name in (settings or {}) and nothing:
            raise InputError(f"{name} decides nothing {where}")
    if way.scheme is not None:
        decided["distillation"] = Distillation(scheme=way.scheme, **distilled)
        decided["teacher"] = recipe(teacher or network, seed=seed, base=base)
    if way.pruning is not None:
        decided["pruning"] = Pruning(method=way.pruning, **pruned)
    if pretrained:
        decided["start"] = recipe(network, seed=seed, base=base)
    return Recipe(network=network, schemes=chosen, activations=activations, seed=seed, method=method, **decided)
