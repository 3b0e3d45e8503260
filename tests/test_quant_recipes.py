import pytest

from golden.errors import InputError
from quant.pruning import Pruning
from quant.recipes import recipe
from quant.settings import Distillation


def test_quantised_runs_start_from_the_float_run_of_their_seed():
    floating = recipe("lenet", seed=4)
    assert floating.start is None and floating.schemes == ()
    mixed = recipe("lenet", "ternary,ip2=ternary", seed=4, epochs=3)
    assert mixed.start == floating and mixed.epochs == 3
    assert mixed.schemes == ("int8", "ternary", "ternary", "ternary")
    assert mixed.title == "lenet int8+ternary seed 4"


def test_a_base_is_trained_as_its_authors_did():
    caffe = recipe("lenet_caffe", base="sgd", seed=1)
    assert (caffe.rule, caffe.batch, caffe.rate, caffe.decay, caffe.shift) == ("sgd", 64, 0.01, 5e-4, 0)
    assert caffe.title == "lenet_caffe float sgd seed 1"
    assert recipe("lenet_caffe", "int8", base="sgd").start == recipe("lenet_caffe", base="sgd")
    with pytest.raises(InputError, match="base must be one of adamw, sgd, not 'adam'"):
        recipe("lenet", base="adam")


def test_8_bit_weights_alone_are_not_trained():
    assert recipe("lenet_caffe", "int8").epochs == 0
    assert recipe("lenet_caffe", "int8,ip2=ternary").epochs > 0


@pytest.mark.parametrize(
    "asked, what",
    [
        ({"method": "reg"}, "reg"),
        ({"method": "apprentice_c"}, "apprentice_c"),
        ({"settings": {"rate": "0.1"}}, "rate"),
        ({"method": "gradupdate+lr", "settings": {"batch": 8}}, r"gradupdate\+lr"),
    ],
)
def test_what_decides_training_is_refused_where_there_is_none(asked, what):
    with pytest.raises(InputError, match=f"^{what} decides nothing in 0 epochs, which only calibrate; give 1 epoch or more$"):
        recipe("lenet", "int8", **asked)
    assert recipe("lenet", "int8", epochs=1, **asked).epochs == 1
    assert recipe("lenet", "int8", settings={"epochs": 0}).epochs == 0


def test_unknown_names_and_seeds_are_refused():
    with pytest.raises(InputError, match="no network is called 'vgg19'"):
        recipe("vgg19", "ternary")
    with pytest.raises(InputError, match="no weight scheme is called 'float64'"):
        recipe("lenet", "float64")
    for seed in (-1, 1 << 63):
        with pytest.raises(InputError, match=rf"seed must be 0 to 2\^63 - 1, not {seed}"):
            recipe("lenet", seed=seed)


def test_methods_change_settings_and_combine():
    usual = recipe("lenet", "ternary")
    both = recipe("lenet", "ternary", "float", method="reg+relut")
    assert (both.activity, both.relu_threshold, both.threshold_epochs) == (1e-5, 0.01, 2)
    assert both.start == usual.start and both.epochs == usual.epochs
    assert both.title == "lenet int8+ternary on float reg+relut seed 0"
    assert recipe("lenet", "ternary", method="gradupdate").errors_only
    assert (cut := recipe("lenet", method="lr")).patience == 3 and cut.rule == "adam"
    scratch = recipe("lenet", "ternary", method="scratch")
    assert scratch.start is None and scratch.epochs == recipe("lenet").epochs


def test_apprentice_schemes():
    floating = recipe("lenet", seed=2)
    for scheme, start in (("a", None), ("b", None), ("c", floating)):
        found = recipe("lenet", "ternary", method=f"apprentice_{scheme}", seed=2)
        assert found.distillation == Distillation(scheme=scheme.upper()) and found.teacher == floating
        assert found.start == start
    assert found.rate < recipe("lenet", "ternary").rate
    other = recipe("lenet", method="apprentice_b", teacher="lenet_caffe", settings={"gamma": "2", "temperature": 4.0})
    assert other.teacher == recipe("lenet_caffe") and other.schemes == ()
    assert other.distillation == Distillation(scheme="B", gamma=2.0, temperature=4.0)


def test_settings_are_given_as_values_or_text():
    given = {"rate": "1e-4", "flip": "on", "batch": "64", "rule": "sgd", "decay": 0.0}
    found = recipe("lenet", "ternary", settings=given)
    assert (found.rate, found.flip, found.batch, found.rule, found.decay) == (1e-4, True, 64, "sgd", 0.0)
    assert recipe("lenet", method="reg", settings={"activity": "3e-6"}).activity == 3e-6


def test_pruned_runs_start_from_the_float_run():
    found = recipe("lenet", method="prune_obd", settings={"kept": "0.05", "rounds": "3", "across": "on"})
    assert found.pruning == Pruning(method="obd", kept=0.05, rounds=3, across=True)
    assert found.start == recipe("lenet") and found.title == "lenet float prune_obd seed 0"


@pytest.mark.parametrize(
    "given, message",
    [
        ({"method": "reg+magic"}, "no method is called 'magic'; allowed: scratch, reg, .*, joined by [+]$"),
        ({"method": "scratch+apprentice_c"}, "scratch and apprentice_c cannot be .*: they disagree on pretrained"),
        ({"method": "apprentice_a+apprentice_b"}, "and apprentice_b cannot be combined: they disagree on scheme$"),
        ({"method": "gradupdate+apprentice_a"}, "errors_only must be off in scheme A"),
        ({"settings": {"speed": 1}}, "no setting is called 'speed'; allowed: epochs, .*, kept, quality, across, rounds$"),
        ({"settings": {"gamma": 1.0}}, "gamma needs one of the methods apprentice_a, apprentice_b, apprentice_c$"),
        ({"teacher": "lenet"}, "teacher needs one of the methods apprentice_a"),
        ({"settings": {"kept": 0.1}}, "kept needs one of the methods prune_magnitude, prune_deviation, prune_o"),
        ({"method": "prune_obd+scratch"}, "prune_obd and scratch cannot be combined: they disagree on pretrained"),
        ({"method": "prune_obd", "settings": {"kept": "0"}}, "kept of all layers must be above 0 and up to 1, not 0.0"),
        ({"method": "prune_obd", "epochs": 0}, "prune_obd decides nothing in 0 epochs, which only calibrate"),
        ({"method": "apprentice_b", "teacher": "vgg"}, "no network is called 'vgg'"),
        ({"settings": {"batch": "x"}}, "batch must be an integer, not 'x'"),
        ({"settings": {"rate": "fast"}}, "rate must be a number, not 'fast'"),
        ({"settings": {"flip": "yes"}}, "flip must be on or off, not 'yes'"),
        ({"weights": "ternary", "method": "relut"}, "relu_threshold of a network of integers must be 0, not 0.01"),
        ({"weights": "ternary", "method": "prune_energy"}, "energy-aware pruning needs float weights, which it refits"),
        ({"settings": {"cut": "0.5"}}, "cut decides nothing without patience$"),
        ({"method": "apprentice_b", "settings": {"alpha": 2.0}}, "alpha decides nothing outside scheme A$"),
        ({"method": "prune_deviation", "settings": {"kept": 0.5, "quality": 1.0}}, "kept decides nothing beside quality$"),
        ({"method": "relut", "epochs": 1}, "threshold_epochs must be 1 to 1, not 2"),
    ],
)
def test_what_does_not_exist_or_fit_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        recipe("lenet", **given)
