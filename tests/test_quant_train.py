from dataclasses import replace

import pytest
import torch
from small_mnist import quick, small_mnist
from torch.utils import deterministic

from golden.errors import InputError
from quant.data import Dataset, Split
from quant.rectify import Rectifiers
from quant.run import correct
from quant.settings import RULES, Distillation, Settings
from quant.train import fit, reproducible, train


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
    assert deterministic.fill_uninitialized_memory
    train(quick("lenet_caffe"), small_mnist(64, 10), progress=False)
    assert deterministic.fill_uninitialized_memory
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads and not torch.are_deterministic_algorithms_enabled()


def test_divergence_names_the_step_and_the_loss():
    wild = replace(quick("lenet_caffe", epochs=2), rate=1e20)
    message = r"^training of lenet_caffe float seed 0 diverged: loss (nan|inf) at step \d+, epoch 1$"
    with pytest.raises(InputError, match=message):
        train(wild, small_mnist(), progress=False)


@pytest.mark.parametrize("rate", [1e30, 1e39])  # numbers that are great, and that are not finite
def test_divergence_in_the_last_step_is_told_too(rate):
    data = small_mnist(64, 10)
    wild = replace(quick("lenet", "ternary"), start=None, rate=rate, batch=64)
    message = r"^(training of )?lenet int8\+ternary seed 0 (diverged|has no integers).* after loss \d+\.\d+ at step 0, epoch 1"
    with pytest.raises(InputError, match=message):
        train(wild, data, progress=False)
    with pytest.raises(InputError, match=r"diverged: weights are not finite after loss \d+\.\d+ at step 0, epoch 1$"):
        train(replace(quick("lenet_caffe"), rate=1e39, batch=64), data, progress=False)


def test_every_rule_lowers_the_loss():
    for rule, rate in (("adamw", 3e-3), ("sgd", 1e-2), ("adam", 1e-3), ("momentum", 1e-2)):
        settings = replace(quick("lenet_caffe", epochs=3), rule=rule, rate=rate)
        history = train(settings, small_mnist(), progress=False).history
        assert history[-1]["loss"] < 0.9 * history[0]["loss"], rule


def test_data_that_do_not_fit_the_network_are_refused():
    data = small_mnist(64, 10)
    big = replace(data, train=Split(data.train.images.repeat(1, 3, 1, 1), data.train.labels))
    with pytest.raises(InputError, match=r"^lenet float seed 0 cannot take images \[3, 28, 28\]: Given groups=1"):
        train(quick(), big, progress=False)
    many = replace(data, train=Split(data.train.images, data.train.labels + 3))
    with pytest.raises(InputError, match="labels must be below the 10 classes of lenet float seed 0, not 12"):
        train(quick(), many, progress=False)


def test_teachers_that_do_not_fit_are_refused():
    class Other(torch.nn.Module):
        def forward(self, pixels):
            return torch.zeros(len(pixels), 7) if pixels.shape[2] == 2 else pixels.flatten(1) @ torch.zeros(3, 3)

    settings = Settings(epochs=1, batch=16, distillation=Distillation())
    with pytest.raises(InputError, match="^corners has 4 classes, its teacher 7$"):
        run(settings, teacher=Other())
    narrow = replace(quick("lenet_caffe"), distillation=Distillation(), teacher=quick())
    with reproducible(0) as generator, pytest.raises(InputError, match="^the teacher of lenet cannot take images"):
        fit(narrow.model(), small_mnist(64, 10), narrow, generator, "lenet", teacher=Other(), progress=False)


def test_too_few_images_are_refused():
    with pytest.raises(InputError, match="20 training images do not fill a batch of 32"):
        train(quick(), small_mnist(20, 10), progress=False)


class Seen(torch.nn.Module):
    """Four logits from 2 x 2 pixels; counts what it is asked in training."""

    def __init__(self):
        super().__init__()
        self.dense, self.calls = torch.nn.Linear(4, 4), 0

    def forward(self, pixels):
        self.calls += self.training
        return self.dense(pixels.flatten(1).float() / 255)


def corners(n=64):
    """One corner of 2 x 2 pixels is bright: its number is the class."""
    labels = torch.arange(n) % 4
    images = (255 * torch.nn.functional.one_hot(labels, 4)).reshape(n, 1, 2, 2).to(torch.uint8)
    return Dataset(*[Split(images, labels)] * 3, "corners")


def run(settings, *, model=None, seed=0, **more):
    """(Trained, model) of the corners."""
    with reproducible(seed) as generator:
        model = Seen() if model is None else model
        return fit(model, corners(), settings, generator, "corners", progress=False, **more), model


def test_batches_that_are_right_make_no_step():
    settings = Settings(epochs=30, batch=16, rate=1e-2, rule="momentum", errors_only=True)
    found, model = run(settings)
    assert found.history[0]["skipped"] < 4 and found.history[-1]["skipped"] == 4
    assert found.history[-1]["error"] == 0.0
    still = Seen()
    still.load_state_dict(model.state_dict())
    again, _ = run(replace(settings, epochs=1, decay=0.1), model=still)
    assert all(torch.equal(a, b) for a, b in zip(still.parameters(), model.parameters(), strict=True))
    assert again.history[0]["skipped"] == 4
    every, other = run(replace(settings, errors_only=False))
    assert [row["skipped"] for row in every.history] == [0] * 30
    data, entropy = corners().test, torch.nn.functional.cross_entropy
    with torch.no_grad():  # an image that is right already is not learned further
        assert entropy(other(data.images), data.labels) < 0.9 * entropy(model(data.images), data.labels)


def test_the_rate_is_cut_where_the_training_error_stalls(monkeypatch):
    rates = []
    settings = Settings(epochs=12, batch=64, rate=0.5, rule="momentum", patience=3, cut=0.5)

    class Watched(torch.optim.SGD):
        def step(self):
            rates.append(self.param_groups[0]["lr"])
            return super().step()

    watched = replace(RULES["momentum"], optimiser=lambda p, rate, decay: Watched(p, rate))
    monkeypatch.setitem(RULES, "momentum", watched)
    found, _ = run(settings)
    errors, factor, least, stalled, expected = [row["error"] for row in found.history], 1.0, 2.0, 0, []
    for error in errors:
        expected.append(0.5 * factor)
        least, stalled = min(error, least), 0 if error < least else stalled + 1
        if stalled == 3:
            factor, stalled = factor * 0.5, 0
    assert errors[-1] == 0.0 and rates == expected and len(set(rates)) >= 3


def test_thresholds_come_in_the_last_epochs_and_stay():
    data = small_mnist(256, 100)
    settings = replace(quick("lenet_caffe", epochs=3), relu_threshold=0.4, threshold_epochs=1)
    found = train(settings, data, progress=False)
    with Rectifiers() as sparse:
        right = correct(found.model, data.held_out)
    assert found.epoch == 3 and found.held_out == right / 100 == found.history[2]["held_out"]
    del found.model.forward
    with Rectifiers() as dense, torch.no_grad():
        found.model(data.held_out.images)
    assert dense.activity > sparse.activity
    plain = train(replace(settings, relu_threshold=0.0, threshold_epochs=0), data, progress=False)
    assert plain.history[:2] == found.history[:2] and plain.history[2] != found.history[2]
    with pytest.raises(InputError, match=r"relu_threshold of a network of integers must be 0, not 0\.4"):
        fit(quick("lenet_caffe", "ternary").model(), data, settings, torch.Generator(), "ternary", progress=False)


def test_regularised_activations_are_smaller():
    data, sums = small_mnist(256, 100), []
    for weight in (0.0, 1e-2):
        found = train(replace(quick("lenet_caffe", epochs=2), activity=weight), data, progress=False)
        with Rectifiers() as seen, torch.no_grad():
            found.model(data.held_out.images)
        sums.append(float(seen.activity))
    assert 0 < sums[1] < 0.5 * sums[0]


def test_a_student_nears_its_teacher():
    data = small_mnist(512, 200)
    teacher = train(quick(epochs=3), data, progress=False).model
    state = {name: x.clone() for name, x in teacher.state_dict().items()}
    base = quick("lenet_caffe", seed=1, epochs=2)
    taught = replace(base, teacher=quick(epochs=3), distillation=Distillation(beta=0.0, gamma=1.0))
    alone, student = (train(r, data, None, s, progress=False) for r, s in ((base, None), (taught, state)))
    assert all(torch.equal(x, state[name]) for name, x in teacher.state_dict().items())
    with torch.no_grad():
        wanted = torch.softmax(teacher(data.test.images), 1)
        logits = (found.model(data.test.images) for found in (alone, student))
        far, near = (torch.nn.functional.cross_entropy(z, wanted) for z in logits)
    assert near < far
    assert student.held_out > 0.4  # no label was looked at; chance is 0.1


def test_a_teacher_that_is_trained_along_learns_too():
    teacher, student = Seen(), Seen()
    settings = Settings(epochs=20, batch=16, rate=0.3, rule="momentum", distillation=Distillation(scheme="A"))
    found, _ = run(settings, model=student, teacher=teacher)
    assert teacher.calls == student.calls == 80
    assert correct(teacher, corners().test) == 64 and found.held_out == 1.0
    with pytest.raises(InputError, match="a teacher and a distillation must come together"):
        run(settings)


def test_mirrored_images_are_drawn_from_the_generator():
    settings = Settings(epochs=1, batch=16, flip=True)
    seen = []

    class Watching(Seen):
        def forward(self, pixels):
            if self.training:
                seen.append(pixels.clone())
            return super().forward(pixels)

    for seed in (0, 0, 1):
        run(settings, model=Watching(), seed=seed)
    first, again, other = (torch.cat(seen[4 * i : 4 * i + 4]) for i in range(3))
    assert torch.equal(first, again) and not torch.equal(first, other)
