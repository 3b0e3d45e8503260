import copy
from dataclasses import replace

import pytest
import torch
from quadrants import quadrants, trained
from small_mnist import quick, small_mnist

from golden.errors import InputError
from quant.checkpoint import Checkpoint
from quant.evaluate import compare
from quant.export import export
from quant.masks import nonzero
from quant.pruning import METHODS, Pruning, prune
from quant.run import correct
from quant.settings import Settings
from quant.train import reproducible, train

SETTINGS = Settings(epochs=3, batch=40, rate=3e-3)


def run(**given):
    model = copy.deepcopy(trained())
    with reproducible(0) as generator:
        pruning = Pruning(**given)
        found, masks = prune(model, quadrants(), pruning, SETTINGS, generator, "pruned", progress=False)
    for name, mask in masks.items():
        assert not getattr(model, name).weight[mask == 0].any()
    return found, masks


@pytest.mark.parametrize("method", METHODS)
def test_a_fifth_of_the_weights_does_what_all_do(method):
    found, _ = run(method=method, kept={"conv": 0.5, "hidden": 0.2}, rounds=2)
    shares = nonzero(found.model)
    assert shares["conv"] == pytest.approx(0.5, abs=0.03) and shares["hidden"] == pytest.approx(0.2, abs=0.01)
    assert shares["out"] == 1.0
    assert found.held_out >= correct(copy.deepcopy(trained()), quadrants().held_out) / 200 - 0.03  # chance is 0.25


def test_rounds_prune_more_of_what_is_left():
    found, masks = run(kept=0.25, rounds=2)
    _, once = run(kept=0.5, rounds=1)
    for name, mask in masks.items():
        assert not (mask > once[name]).any()
        assert float(mask.mean()) == pytest.approx(0.25, abs=0.03)


def test_layers_compete_if_asked():
    for method in ("magnitude", "obd", "energy"):
        found, masks = run(method=method, kept=0.3, across=True)
        shares = nonzero(found.model)
        least = 0.2 if method == "energy" else 0.29  # whose steps of shares are 15 %
        assert least < shares[""] < 0.31 and shares["out"] > shares["hidden"] + 0.1
        assert set(masks) == {"conv", "hidden", "out"}


def test_deviations_make_layers_comparable():
    model = copy.deepcopy(trained())
    scores = {"conv": model.conv.weight, "hidden": model.hidden.weight, "out": model.out.weight}
    scores = {name: (w / w.std(correction=0)).abs().detach() for name, w in scores.items()}
    _, masks = run(method="deviation", kept=0.3, across=True)
    threshold = torch.cat([x.flatten() for x in scores.values()]).sort().values[round(0.7 * 852)]
    for name, mask in masks.items():
        assert torch.equal(mask > 0, scores[name] >= threshold)


def test_a_quality_is_a_threshold_in_deviations():
    model = copy.deepcopy(trained())
    weights = {"conv": model.conv.weight, "hidden": model.hidden.weight, "out": model.out.weight}
    found, masks = run(method="deviation", quality=0.8)
    for name, w in weights.items():
        assert torch.equal(masks[name] > 0, w.abs() >= 0.8 * w.std(correction=0))
    _, twice = run(method="deviation", quality=0.8, rounds=2)  # of what is left, the deviation is greater
    assert sum(int(mask.sum()) for mask in twice.values()) < sum(int(mask.sum()) for mask in masks.values())
    _, few = run(method="deviation", quality=1e6)
    assert [int(mask.sum()) for mask in few.values()] == [1, 1, 1]


def test_rounds_resume_from_their_checkpoints(tmp_path):
    def once():
        model, saved = copy.deepcopy(trained()), Checkpoint(tmp_path / "x", "key", "quadrants")
        with reproducible(0) as generator:
            given = Pruning(kept=0.2, rounds=2), SETTINGS, generator, "p"
            return prune(model, quadrants(), *given, checkpoint=saved, progress=False)[0]

    first = once()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-round1", "x-round2"]
    (tmp_path / "x-round2").unlink()
    again = once()
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True))
    assert first.history == again.history


@pytest.mark.parametrize(
    "given, message",
    [
        ({"method": "chance"}, "method of pruning must be one of magnitude, deviation, obd, energy, not 'chance'"),
        ({"kept": 0.0}, "kept of all layers must be above 0 and up to 1, not 0.0"),
        ({"kept": {"conv": 1.5}}, "kept of conv must be above 0 and up to 1, not 1.5"),
        ({"rounds": 0}, "rounds must be at least 1, not 0"),
        ({"quality": -1.0}, "quality must be at least 0, not -1.0"),
        ({"quality": 1.0}, "quality needs the method deviation, without across"),
        ({"across": True, "kept": {"conv": 0.5}}, "across must be off for shares of single layers"),
        ({"kept": {"conv9": 0.5}}, "no layer is called 'conv9'; allowed: conv, hidden, out"),
    ],
)
def test_bad_prunings_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        run(**given)


def test_quantised_networks_are_pruned_by_their_weights_in_full_precision():
    data = small_mnist(256, 40)
    recipe = replace(quick("lenet", "ternary"), pruning=Pruning(kept={"ip1": 0.1, "conv2": 0.3}))
    start = train(recipe.start, data, progress=False).model.state_dict()
    found = train(recipe, data, start, progress=False)
    shares = nonzero(found.model)
    assert shares["ip1"] == pytest.approx(0.1, abs=0.01) and shares["conv2"] == pytest.approx(0.3, abs=0.01)
    for stage in found.model.stages:
        integers, _ = stage.weights.integers(stage.weight.detach())
        assert integers.any() and not integers[stage.weight == 0].any()
    with pytest.raises(InputError, match="layer conv1 must multiply by its weights as they are: prune before"):
        METHODS["energy"](found.model, data.train.images[torch.arange(4)], {"conv1": 0.5}, {}, None)


def test_pruned_weights_can_be_shared_and_exported():
    data = small_mnist(256, 40)
    recipe = replace(quick("lenet", "shared4"), pruning=Pruning(kept={"ip1": 0.1, "conv2": 0.3}))
    start = train(recipe.start, data, progress=False).model.state_dict()
    found = train(recipe, data, start, progress=False).model
    for stage in found.stages[1:3]:
        integers, _ = stage.weights.integers(stage.weight.detach())
        assert len(integers.unique()) <= 16 and torch.equal(integers == 0, stage.weight == 0)
    comparison = compare(found, export(found), data.test.images, progress=False)
    assert comparison.equal
