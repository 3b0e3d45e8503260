import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_mnist import quick, small_mnist

from golden.errors import InputError
from quant.checkpoint import Checkpoint
from quant.run import Run
from quant.settings import Distillation
from quant.train import train

DATA = small_mnist(256, 40)
TERNARY = replace(
    quick("lenet", epochs=3), schemes=("ternary",) * 4, shift=2, flip=True, patience=1, rule="momentum", rate=1e-2
)
JOINT = replace(
    quick("lenet_caffe", epochs=3), shift=1, activity=1e-6, teacher=quick(), distillation=Distillation(scheme="A")
)
STOCHASTIC = replace(quick("lenet_caffe", epochs=3), schemes=("binaryconnect_stochastic",) * 4, rule="momentum")
THRESHOLD = replace(quick("lenet_caffe", epochs=3), errors_only=True, relu_threshold=0.2, threshold_epochs=2)


class Killed(Exception):
    pass


def killed(recipe, checkpoint, step, monkeypatch):
    """Train until `step`, then fail."""
    take = Run.take

    def mortal(run):
        if run.step == step:
            raise Killed
        take(run)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "take", mortal)
        with pytest.raises(Killed):
            train(recipe, DATA, checkpoint=checkpoint, progress=False)


@pytest.mark.parametrize(
    "recipe", [TERNARY, JOINT, STOCHASTIC, THRESHOLD], ids=["ternary", "joint", "stochastic", "threshold"]
)
def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path, monkeypatch, recipe):
    whole = train(recipe, DATA, progress=False)
    checkpoint = Checkpoint(tmp_path / "x", "key", recipe.title, seconds=0)
    for step in (5, 5, 8, 19):  # of 8 an epoch; in the middle, again at once, at the end of one
        killed(recipe, checkpoint, step, monkeypatch)
    found = train(recipe, DATA, checkpoint=checkpoint, progress=False)
    state = whole.model.state_dict()
    assert all(torch.equal(x, state[name]) for name, x in found.model.state_dict().items())
    assert (found.epoch, found.held_out, found.history) == (whole.epoch, whole.held_out, whole.history)
    again = train(recipe, DATA, checkpoint=checkpoint, progress=False)  # finished: nothing is left to do
    assert all(torch.equal(x, state[name]) for name, x in again.model.state_dict().items())
    with torch.no_grad():
        assert torch.equal(again.model(DATA.test.images), whole.model(DATA.test.images))


def test_checkpoints_are_rarer_than_steps(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "x", "key", "lenet", seconds=3600)
    killed(quick("lenet_caffe", epochs=2), checkpoint, 3, monkeypatch)
    assert checkpoint.load() is None and not checkpoint.due
    checkpoint.remove()


SCRIPT = """
import os, signal, sys
from test_quant_checkpoint import DATA, TERNARY
from quant.cache import Checkpoint, trained
from quant.run import Run

take = Run.take
def mortal(run):
    if run.step == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    take(run)
Run.take = mortal
Checkpoint.due = True
trained(TERNARY, DATA, build=sys.argv[1], progress=False)
"""


def test_a_killed_process_leaves_a_run_that_goes_on(tmp_path, monkeypatch):
    from quant import cache

    environment = os.environ | {"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parent.parent}"}
    run = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path], env=environment, capture_output=True, text=True)
    assert run.returncode == -signal.SIGKILL, run.stderr
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".checkpoint"
    steps = []
    take = Run.take
    monkeypatch.setattr(Run, "take", lambda run: (steps.append(run.step), take(run)))
    found = cache.trained(TERNARY, DATA, build=tmp_path, progress=False)
    assert steps == list(range(11, 24))
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]
    whole = train(TERNARY, DATA, progress=False).model.state_dict()
    assert all(torch.equal(x, whole[name]) for name, x in found.model.state_dict().items())


def test_checkpoints_of_others_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.checkpoint"
    checkpoint = Checkpoint(path, "key", "lenet_caffe float seed 0", seconds=0)
    killed(quick("lenet_caffe", epochs=2), checkpoint, 3, monkeypatch)

    def refused(recipe, key, message):
        with pytest.raises(InputError, match=message):
            train(recipe, DATA, checkpoint=Checkpoint(path, key, recipe.title), progress=False)

    refused(quick(), "other", r"x.checkpoint is a checkpoint of lenet_caffe float seed 0, not of lenet float seed 0$")
    other = "of lenet_caffe float seed 0 with other settings, data or code, not of lenet_caffe"
    refused(quick("lenet_caffe"), "other", other)
    missing = r"is of another network: it has no stages.0.norm.weight, this one stages.0.norm.weight \[20\]$"
    refused(quick(), "key", missing)
    for data in (path.read_bytes()[:-200], b"", b"nonsense"):
        path.write_bytes(data)
        refused(quick("lenet_caffe"), "key", "x.checkpoint is no checkpoint; remove it to train lenet_caffe float")
