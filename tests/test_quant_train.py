from dataclasses import replace

import pytest
import torch
from small_mnist import quick, small_mnist

from golden.errors import InputError
from quant.train import RULES, Recipe, train


def test_training_learns_and_its_seed_decides_it():
    data = small_mnist()
    runs = [train(quick(seed=seed, epochs=3), data, progress=False) for seed in (1, 1, 2)]
    first, again, other = (run.model.state_dict() for run in runs)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stages.3.weight"], other["stages.3.weight"])
    assert runs[0].history == runs[1].history
    assert runs[0].held_out > 0.6  # chance is 0.1


def test_epoch_is_the_best_on_held_out_images_and_the_later_of_equals():
    run = train(quick("lenet_caffe", epochs=4), small_mnist(256, 60), progress=False)
    best = max(epoch["held_out"] for epoch in run.history)
    assert run.held_out == best
    assert run.epoch == max(epoch["epoch"] for epoch in run.history if epoch["held_out"] == best)
    assert [epoch["epoch"] for epoch in run.history] == [1, 2, 3, 4]


def test_ternary_run_starts_from_the_float_one():
    data = small_mnist()
    settings = quick(weights="ternary", epochs=2)
    start = train(settings.start, data, progress=False).model.state_dict()
    tuned = train(settings, data, start, progress=False)
    fresh = train(settings, data, progress=False)
    assert tuned.held_out > 0.6
    assert tuned.history[0]["loss"] < fresh.history[0]["loss"]


def test_calibration_sets_units_and_nothing_else():
    data = small_mnist(1200)
    settings = quick("lenet_caffe", "int8")
    assert settings.epochs == 0
    start = train(settings.start, data, progress=False).model.state_dict()
    run = train(settings, data, start, progress=False)
    state = run.model.state_dict()
    assert {name for name in state if name not in start} == {f"stages.{i}.activation.peak" for i in range(3)}
    assert all(torch.equal(state[name], start[name]) for name in start)
    assert all(state[f"stages.{i}.activation.peak"] > 0 for i in range(3))
    # batch normalisation, where there is one, keeps its statistics
    settings = quick("lenet", "int8")
    start = train(settings.start, data, progress=False).model.state_dict()
    state = train(settings, data, start, progress=False).model.state_dict()
    assert all(torch.equal(state[name], start[name]) for name in start)


def test_training_leaves_the_callers_torch_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    train(quick("lenet_caffe"), small_mnist(64, 10), progress=False)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads and not torch.are_deterministic_algorithms_enabled()


def test_divergence_names_the_step_and_the_loss():
    wild = replace(quick("lenet_caffe", epochs=2), rate=1e20)
    message = r"^training of lenet_caffe float seed 0 diverged: loss (nan|inf) at step \d+, epoch 1$"
    with pytest.raises(InputError, match=message):
        train(wild, small_mnist(), progress=False)


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


def test_every_rule_lowers_the_loss():
    for rule, rate in (("adamw", 3e-3), ("sgd", 1e-2), ("adam", 1e-3)):
        settings = replace(quick("lenet_caffe", epochs=3), rule=rule, rate=rate)
        history = train(settings, small_mnist(), progress=False).history
        assert history[-1]["loss"] < 0.9 * history[0]["loss"], rule


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"network": "alexnett"}, "no network is called 'alexnett'"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"shift": -2}, "shift must be at least 0, not -2"),
        ({"rate": float("nan")}, "rate must be positive, not nan"),
        ({"rule": "newton"}, "rule must be one of adamw, sgd, adam, not 'newton'"),
        ({"epochs": 0}, "epochs must be at least 1 for a network that starts from nothing"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Recipe(**{"network": "lenet"} | settings)


def test_too_few_images_are_refused():
    with pytest.raises(InputError, match="20 training images do not fill a batch of 32"):
        train(quick(), small_mnist(20, 10), progress=False)
