"""studies.curves: means of epochs, and when they are good enough."""

import pytest

from studies.curves import convergence, reached


def history(*values):
    return {"history": [{"held_out": value} for value in values]}


def test_each_epoch_is_the_mean_of_seeds():
    assert convergence({0: history(0.5, 0.8), 1: history(0.7, 0.9)}) == pytest.approx([0.6, 0.85])


@pytest.mark.parametrize(("accuracy", "epoch"), [(0.5, 1), (0.6, 3), (0.8, 3), (0.81, None)])
def test_the_first_epoch_that_reaches(accuracy, epoch):
    assert reached([0.5, 0.4, 0.8], accuracy) == epoch
