import pytest

from golden.errors import InputError
from quant.pruning import Pruning
from quant.settings import RULES, Distillation, Recipe

LENET = Recipe(network="lenet")
TERNARY = {"schemes": ("ternary",) * 4}


def test_schedules():
    rates = [RULES["adamw"].schedule(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True) and 0 < rates[-1] < 0.005
    assert RULES["adamw"].schedule(0, 1) == 1.0
    # Caffe's LeNet falls from 0.01 to 0.0059 over its 10,000 steps
    assert RULES["sgd"].schedule(0, 10_000) == 1.0
    assert 0.01 * RULES["sgd"].schedule(10_000, 10_000) == pytest.approx(0.0059, abs=5e-5)
    assert {RULES["adam"].schedule(step, 10) for step in range(10)} == {1.0}
    assert RULES["momentum"].schedule(9, 10) == 1.0


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"network": "alexnett"}, "no network is called 'alexnett'"),
        ({"seed": -1}, r"seed must be 0 to 2\^63 - 1, not -1"),
        ({"seed": 1 << 63}, r"seed must be 0 to 2\^63 - 1, not 9223372036854775808"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"shift": -2}, "shift must be at least 0, not -2"),
        ({"rate": float("nan")}, "rate must be positive, not nan"),
        ({"rule": "newton"}, "rule must be one of adamw, sgd, adam, momentum, not 'newton'"),
        ({"activity": -1e-6}, "activity must be at least 0, not -1e-06"),
        ({"decay": float("inf")}, "decay must be at least 0, not inf"),
        ({"patience": -1}, "patience must be at least 0, not -1"),
        ({"cut": 1.0}, "cut must be above 0 and below 1, not 1.0"),
        ({"relu_threshold": 0.01}, "threshold_epochs must be 1 to 1, not 0"),
        ({"relu_threshold": 0.01, "threshold_epochs": 2}, "threshold_epochs must be 1 to 1, not 2"),
        ({"threshold_epochs": 1}, "threshold_epochs must be 0 without a relu_threshold, not 1"),
        ({"distillation": Distillation()}, "a teacher and a distillation must come together"),
        ({"teacher": LENET}, "a teacher and a distillation must come together"),
        ({"teacher": LENET, "start": LENET, "distillation": Distillation()}, "of scheme B must start from nothing"),
        ({"teacher": LENET, "distillation": Distillation(scheme="C")}, "scheme C must start from trained weights"),
        (
            {"teacher": LENET, "distillation": Distillation(scheme="A"), "errors_only": True},
            "errors_only must be off in scheme A",
        ),
        ({"start": Recipe(network="lenet_caffe")}, "start must be a run of lenet, not of lenet_caffe"),
        ({"epochs": 0}, "epochs must be at least 1 for a network that starts from nothing"),
        ({**TERNARY, "relu_threshold": 0.1, "threshold_epochs": 1}, "relu_threshold of a network of integers must be 0"),
        ({"pruning": Pruning()}, "pruning needs a trained network to start from, and at least 1 epoch behind it"),
        ({**TERNARY, "start": LENET, "pruning": Pruning(method="energy")}, "energy-aware pruning needs float weights"),
        *(
            (
                {"schemes": ("int8", scheme, scheme, "int8"), "start": LENET, "pruning": Pruning()},
                f"pruning needs weights that can be 0; {scheme}, of layer conv2, has no 0",
            )
            for scheme in ("bwn", "binaryconnect", "bnn", "wrpn1", "pow2_4", "binary")
        ),
        (
            {"network": "alexnet", "schemes": ("ternary",) * 8},
            "layer conv2 of alexnet has 2 groups; golden's convolutions, those of networks of integers, have 1",
        ),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Recipe(**{"network": "lenet"} | settings)


@pytest.mark.parametrize(
    "schemes, activations, quantised",
    [
        ((), "", False),
        ((), "int8", False),
        (("ternary",) * 4, "", True),
        (("ternary",) * 4, "float", False),
        (("ternary",) * 4, "int8,conv2=float", False),
        (("ternary",) * 4, "int8,input=wrpn2", True),
        (("float", *["ternary"] * 3), "", False),
    ],
)
def test_networks_of_integers_have_a_scheme_everywhere(schemes, activations, quantised):
    recipe = Recipe(network="lenet", schemes=schemes, activations=activations)
    assert recipe.quantised == recipe.model().quantised == quantised


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"scheme": "D"}, "scheme of a distillation must be one of A, B, C, not 'D'"),
        ({"alpha": -1.0}, "alpha must be at least 0, not -1.0"),
        ({"gamma": float("nan")}, "gamma must be at least 0, not nan"),
        ({"temperature": 0.0}, "temperature must be positive, not 0.0"),
    ],
)
def test_wrong_distillations_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Distillation(**settings)


def test_titles_tell_methods_apart():
    title = Recipe(network="lenet", schemes=("ternary",) * 4, method="apprentice_b", seed=3, rule="momentum").title
    assert title == "lenet ternary apprentice_b momentum seed 3"
