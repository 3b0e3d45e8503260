"""studies.trials: what a trial measures, when it is measured again, and what is trained first."""

import dataclasses
import json

import pytest
import torch
from one_process import FEW, workers

from quant.cache import trained
from quant.evaluate import Comparison
from quant.settings import Distillation
from studies import progress, trials
from studies.trials import Trial, builds_on, measured, network, run, started

QUICK = {"epochs": 1, "batch": 64, "rate": 3e-3}


def trial(seed=0, **given):
    return Trial(row="row", recipe=network(FEW, "mlp64", seed, **QUICK | given), data=FEW)


def test_a_float_network(tmp_path, capsys):
    found = measured(trial(epochs=3), tmp_path)
    assert found["by"] == "torch" and found["test"] > 0.4 and found["epochs"] == 3 == len(found["history"])  # chance is 0.1
    assert found["weights"] == 64 * (784 + 64 + 64 + 10) == found["macs"] and found["weight_bits"] == 32 * found["weights"]
    assert found["nonzero"] == 1 and 0 < found["activations"] < 1
    line = capsys.readouterr().out
    assert line.startswith(f"row, seed 0: test {found['test']:.2%} by torch, ")


def test_a_narrow_network_is_judged_by_golden(tmp_path):
    one = trial(weights="ternary", activations="int8", start=trial(epochs=3).recipe)
    found = measured(one, tmp_path)
    assert found["by"] == "golden" and found["test"] > 0.4
    model = trained(one.recipe, FEW.load(), build=tmp_path, progress=False).model
    right = int((model(FEW.load().test.images).argmax(1) == FEW.load().test.labels).sum())
    assert found["test"] == right / 200


def test_golden_and_torch_must_agree(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "compare", lambda *_: Comparison(1, {"fc1": 5}, {"fc1": 2}))
    with pytest.raises(RuntimeError, match=r"^torch and golden differ in \{'fc1': 2\} of \{'fc1': 5\} integers$"):
        measured(trial(weights="ternary"), tmp_path)


def test_a_trial_is_measured_once(tmp_path, monkeypatch):
    found = measured(trial(), tmp_path)
    [path] = (tmp_path / "trials").glob("*.json")
    assert json.loads(path.read_text()) == found
    monkeypatch.setattr(trials, "trained", None)
    assert measured(trial(), tmp_path) == found
    changes = [{"recipe": dataclasses.replace(trial().recipe, seed=1)}, {"data": dataclasses.replace(FEW, test=199)}]
    for change in changes:
        with pytest.raises(TypeError):  # what is no longer there is called
            measured(dataclasses.replace(trial(), **change), tmp_path)
    path.write_text("{")
    with pytest.raises(TypeError):
        measured(trial(), tmp_path)


def test_networks_are_of_the_size_of_the_images():
    wide = network(FEW, "mlp64", 3, weights="wrpn2", activations="wrpn8", sizes={"width": 2}, epochs=2)
    assert wide.schemes == ("int8", "wrpn2", "wrpn2", "int8") and wide.seed == 3
    assert wide.model().stages[0].weight.shape == (128, 784)


def test_what_is_built_on_comes_first():
    start, teacher = trial().recipe, trial(7, start=trial(7).recipe).recipe
    student = trial(1, start=start, teacher=teacher, distillation=Distillation(scheme="C")).recipe
    assert builds_on(student) == {start: 0, teacher.start: 0, teacher: 1}
    joint = trial(1, teacher=trial().recipe, distillation=Distillation(scheme="A")).recipe
    assert builds_on(joint) == {}


def test_trials_share_what_they_build_on(tmp_path, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(trials, "workers", workers)
    monkeypatch.setattr(trials, "prepare", lambda job, build: made.append(job))
    monkeypatch.setattr(trials, "measured", lambda trial, build: {"seed": trial.recipe.seed})
    start = trial().recipe
    found = run([trial(1, start=start), dataclasses.replace(trial(2, start=start), row="other")], tmp_path)
    assert made == [(start, FEW)] and found == {"row": {1: {"seed": 1}}, "other": {2: {"seed": 2}}}


def test_an_interrupted_study_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "workers", workers)
    several = [trial(seed, start=trial(seed).recipe, weights="ternary") for seed in (0, 1)]
    monkeypatch.setattr(trials, "measured", lambda one, build: measured(one, build) if one.recipe.seed == 0 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(several, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*seed-0*")}
    monkeypatch.setattr(trials, "measured", measured)
    found = run(several, tmp_path)
    assert set(found["row"]) == {0, 1} and times
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_what_was_trained_before_is_counted(tmp_path, monkeypatch):
    several = [trial(seed, start=trial(seed).recipe, weights="ternary") for seed in (0, 1)]
    assert started(several, tmp_path) == (0, 4)
    trials.prepare((trial().recipe, FEW), tmp_path)
    assert started(several, tmp_path) == (1, 4)
    [path] = tmp_path.glob("*.safetensors")
    path.rename(tmp_path / path.name.replace(".weights.safetensors", ".checkpoint"))  # as of a run that was interrupted
    assert started(several, tmp_path) == (1, 4) and started([trial(2)], tmp_path) == (0, 1)


def test_long_training_says_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS", 0)
    measured(trial(epochs=2), tmp_path)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split(": ")[1][:9] for line in lines if "epoch" in line] == ["epoch 1/2", "epoch 2/2"] and err == ""
    assert any(line.startswith("mlp64 float seed 0:") and "/20 [" in line for line in lines)  # of the bar
    assert lines[-1].startswith("row, seed 0")


def test_prepared_networks_are_in_the_cache(tmp_path, capsys):
    trials.prepare((trial().recipe, FEW), tmp_path)
    assert capsys.readouterr().out.startswith("mlp64 float seed 0: held-out ")
    [path] = tmp_path.glob("*.safetensors")
    before = path.stat().st_mtime_ns
    trials.prepare((trial().recipe, FEW), tmp_path)
    assert path.stat().st_mtime_ns == before and torch.get_num_threads() >= 1
