import math

import pytest
import torch

from quant.losses import Outputs, loss, wrong
from quant.settings import Distillation, Settings

LOGITS = [[2.0, 0.0, -1.0], [0.0, 1.0, 3.0], [1.0, 1.0, 0.0]]
LABELS = [0, 1, 1]
TEACHER = [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 3.0, 0.0]]


def outputs(**more):
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor(TEACHER, dtype=torch.float64, requires_grad=True)
    return Outputs(logits, torch.tensor(LABELS), **{"teacher": teacher} | more)


def softmax(z, temperature=1.0):
    found = [math.exp(x / temperature) for x in z]
    return [x / sum(found) for x in found]


def entropy(p, q):
    return -sum(a * math.log(b) for a, b in zip(p, q, strict=True))


def test_wrong_images_are_counted_and_ties_go_to_the_lowest_class():
    assert wrong(outputs()).tolist() == [0.0, 1.0, 1.0]


def test_cross_entropy_alone():
    expected = sum(-math.log(softmax(z)[y]) for z, y in zip(LOGITS, LABELS, strict=True)) / 3
    assert loss(outputs(teacher=None), Settings()).item() == pytest.approx(expected)


def test_apprentice_by_hand():
    given = Distillation(scheme="A", alpha=2.0, beta=0.25, gamma=0.75, temperature=3.0)
    found = loss(outputs(), Settings(distillation=given))
    expected = 0.0
    for z, t, y in zip(LOGITS, TEACHER, LABELS, strict=True):
        expected += 2.0 * -math.log(softmax(t)[y]) + 0.25 * -math.log(softmax(z)[y])
        expected += 0.75 * 9 * entropy(softmax(t, 3.0), softmax(z, 3.0))
    assert found.item() == pytest.approx(expected / 3)


def test_a_teacher_learns_from_labels_alone_and_in_scheme_a_alone():
    for scheme, alpha in (("A", 1.0), ("A", 0.5), ("B", 1.0), ("C", 1.0)):
        given = outputs()
        settings = Settings(distillation=Distillation(scheme=scheme, alpha=alpha))
        loss(given, settings).backward()
        if scheme != "A":
            assert given.teacher.grad is None
            continue
        for row, z, y in zip(given.teacher.grad.tolist(), TEACHER, LABELS, strict=True):
            assert row == pytest.approx([alpha * (p - (i == y)) / 3 for i, p in enumerate(softmax(z))])


def test_images_that_are_right_have_no_error():
    for distillation in (None, Distillation(gamma=2.0)):
        given = outputs(teacher=None) if distillation is None else outputs()
        loss(given, Settings(errors_only=True, distillation=distillation)).backward()
        every = outputs(teacher=None) if distillation is None else outputs()
        loss(every, Settings(distillation=distillation)).backward()
        assert given.logits.grad[0].tolist() == [0.0] * 3
        assert torch.equal(given.logits.grad[1:], every.logits.grad[1:])  # the mean is over all images still


def test_activations_count_for_each_image():
    activity = torch.tensor(60.0, dtype=torch.float64, requires_grad=True)
    given = outputs(teacher=None, activity=activity)
    found = loss(given, Settings(activity=1e-3))
    assert found.item() == pytest.approx(loss(outputs(teacher=None), Settings()).item() + 1e-3 * 60 / 3)
    found.backward()
    assert activity.grad.item() == pytest.approx(1e-3 / 3)
