import numpy as np
import pytest
import torch
from quadrants import graph, quadrants

from golden.errors import InputError
from golden.formats import parse
from quant import tune as module
from quant.assignment import Assignment
from quant.checkpoint import Checkpoint
from quant.run import Run
from quant.scores import Scores
from quant.tune import Tuning, tune

COARSE = Assignment(
    weights={"conv": parse("int3e-1"), "hidden": parse("int2e-1"), "out": parse("int3e-1")},
    outputs={"conv": parse("int4e-1"), "hidden": parse("int4"), "out": parse("int4")},
)
SETTINGS = Tuning(epochs=4, batch=20, rate=3e-3)


def weights(found):
    return {op.name: op.weight.numpy() for op in found.graph.ops if op.weight is not None}


@pytest.fixture(scope="module")
def tuned():
    return tune(graph(), COARSE, quadrants(), SETTINGS, progress=False)


def test_tuning_recovers_accuracy_and_says_what_the_hardware_reaches(tuned):
    data = quadrants()
    before = Scores(graph(), data.held_out, "d")(COARSE)
    assert tuned.before == before
    assert tuned.held_out > before + 0.05
    assert Scores(tuned.graph, data.held_out, "d")(COARSE) == tuned.held_out
    assert [row["epoch"] for row in tuned.history] == [1, 2, 3, 4]
    assert tuned.held_out == max(row["held_out"] for row in tuned.history)
    assert tuned.history[tuned.epoch - 1]["held_out"] == tuned.held_out


def test_shadow_weights_are_in_full_precision_and_the_graph_given_stays(tuned):
    before = {op.name: op.weight.numpy() for op in graph().ops if op.weight is not None}
    for name, now in weights(tuned).items():
        assert now.dtype == np.float32 and not np.array_equal(now, before[name])
        assert np.count_nonzero(np.rint(now * 2) != now * 2) > 0.9 * now.size  # no multiples of the formats' units


def test_the_same_settings_give_the_same_weights_and_other_seeds_others(tuned):
    again = tune(graph(), COARSE, quadrants(), SETTINGS, progress=False)
    for name, now in weights(again).items():
        assert np.array_equal(now, weights(tuned)[name])
    assert again.history == tuned.history
    other = tune(graph(), COARSE, quadrants(), Tuning(epochs=1, batch=20, rate=3e-3, seed=1), progress=False)
    assert other.history != tuned.history[:1]


def test_outputs_are_float_while_tuning_unless_asked():
    one = {"epochs": 1, "batch": 20, "rate": 3e-3}
    floats = tune(graph(), COARSE, quadrants(), Tuning(**one), progress=False)
    rounded = tune(graph(), COARSE, quadrants(), Tuning(outputs="quantised", **one), progress=False)
    bare = Assignment(weights=COARSE.weights)
    without = tune(graph(), bare, quadrants(), Tuning(**one), progress=False)
    assert floats.history[0]["loss"] == without.history[0]["loss"]
    assert rounded.history[0]["loss"] != floats.history[0]["loss"]


def test_weights_are_rounded_at_random_unless_asked():
    one = {"epochs": 1, "batch": 20, "rate": 3e-3}
    runs = [
        tune(graph(), COARSE, quadrants(), Tuning(seed=seed, shift=0, weights=kind, **one), progress=False)
        for kind in ("stochastic", "nearest")
        for seed in (0, 0)
    ]
    losses = [found.history[0]["loss"] for found in runs]
    assert losses[0] == losses[1] and losses[2] == losses[3] and losses[0] != losses[2]


def test_what_makes_it_worse_is_not_kept():
    fine = Assignment(weights={"hidden": parse("int16e-13")})
    found = tune(graph(), fine, quadrants(), Tuning(epochs=1, batch=20, rate=3.0), progress=False)
    assert (found.epoch, found.held_out) == (0, found.before)
    assert found.history[0]["held_out"] < found.before
    assert found.graph is graph()


def test_no_epochs_tune_nothing():
    found = tune(graph(), COARSE, quadrants(), Tuning(epochs=0), progress=False)
    assert (found.epoch, found.history, found.graph) == (0, [], graph())


def test_tuned_weights_are_kept(tmp_path, tuned, monkeypatch):
    first = tune(graph(), COARSE, quadrants(), SETTINGS, build=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    monkeypatch.setattr(module, "run", lambda *arguments: pytest.fail("it was computed again"))
    again = tune(graph(), COARSE, quadrants(), SETTINGS, build=tmp_path, progress=False)
    assert (again.epoch, again.held_out, again.before, again.history) == (
        (first.epoch, first.held_out, first.before, first.history)
    )  # fmt: skip
    for a, b in zip(first.graph.ops, again.graph.ops, strict=True):
        assert a.weight is None or torch.equal(a.weight, b.weight)
        assert a.bias is None or torch.equal(a.bias, b.bias)
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:-4])  # cut
    whole = tune(graph(), COARSE, quadrants(), SETTINGS, build=tmp_path, progress=False)
    assert whole.history == first.history
    tune(graph(), COARSE, quadrants(), Tuning(epochs=1, batch=20), build=tmp_path, progress=False)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"weights": "up"}, "weights while tuning must be nearest or stochastic, not 'up'"),
        ({"outputs": "int8"}, "outputs while tuning must be float or quantised, not 'int8'"),
        ({"epochs": -1}, "epochs must be at least 0, not -1"),
        ({"rate": 0.0}, "rate must be positive, not 0.0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
    ],
)
def test_refused_settings(settings, message):
    with pytest.raises(InputError) as error:
        Tuning(**settings)
    assert str(error.value) == message


def test_too_few_images_for_a_batch():
    with pytest.raises(InputError, match="^400 training images do not fill a batch of 500$"):
        tune(graph(), COARSE, quadrants(), Tuning(batch=500), progress=False)


def test_interrupted_tuning_goes_on(tuned, tmp_path, monkeypatch):
    monkeypatch.setattr(Checkpoint, "due", True)
    take = Run.take

    def mortal(run):
        if run.step == 33:
            raise KeyboardInterrupt
        take(run)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "take", mortal)
        tune(graph(), COARSE, quadrants(), SETTINGS, build=tmp_path, progress=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".checkpoint"]
    steps = []
    monkeypatch.setattr(Run, "take", lambda run: (steps.append(run.step), take(run)))
    again = tune(graph(), COARSE, quadrants(), SETTINGS, build=tmp_path, progress=False)
    assert steps == list(range(33, 80)) and [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]
    assert again.history == tuned.history  # stochastic rounding went on with the same numbers
    for name, now in weights(again).items():
        assert np.array_equal(now, weights(tuned)[name])
