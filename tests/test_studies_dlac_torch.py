"""studies.dlac_torch: torch's step lies within the bound of golden's, and what does not is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from golden.dlac_bounds import choices
from golden.dlac_networks import logits, training_step
from golden.dlac_steps import Steps
from golden.formats import parse
from golden.layer_tables import topology
from golden.topology import Topology
from golden.window import Window
from quant.data import Split, mnist
from quant.models import PIXEL_UNIT
from studies.dlac_runs import BATCH, RATE, started
from studies.dlac_torch import beside_torch, torch_step
from tb.cases import Failure

FP32 = parse("fp32")
SMALL = Topology((1, 9, 8))
SMALL.conv("conv", 4, 3, pad=1, norm="bias", pool=Window(kernel=(3, 2), stride=(3, 2), padding=(1, 0)))
SMALL.dense("hidden", 12, norm="bias")
SMALL.logits("out", 5)


def golden_step(net, data, rate):
    """(shapes, parameters before and behind, losses before and behind) of a step of golden's."""
    shapes, parameters = started(net.rows, FP32, 0)
    x, labels = (data.images.float() * PIXEL_UNIT).double().numpy(), data.labels.numpy()
    loss, after = training_step(Steps(FP32), shapes, parameters, x, labels, rate)
    later, _ = Steps(FP32).loss(logits(Steps(FP32), shapes, after, x)[0], labels)
    return shapes, (parameters, after), [loss, later]


def small_data():
    images = torch.randint(256, (3, 1, 9, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return Split(images, torch.tensor([4, 0, 2]))


def test_a_step_from_the_start_is_torchs():
    net, data = topology("lenet_caffe"), mnist().train[:BATCH]
    shapes, parameters, losses = golden_step(net, data, RATE)
    found = beside_torch(net, shapes, parameters, data, RATE, losses)
    assert len(found["torch"]) == len(found["bounds"]) == 2 and 0 < max(found["bounds"]) < 0.02
    assert losses[0] - losses[1] > 10 * max(found["bounds"])


def test_what_is_chosen_is_what_torch_chooses():
    data = small_data()
    shapes, (parameters, _), _ = golden_step(SMALL, data, 0.125)
    _, (before, _) = torch_step(SMALL, parameters, data, 0.125)
    x = (data.images.float() * PIXEL_UNIT).double().numpy()
    found = choices(shapes, logits(Steps(FP32), shapes, parameters, x)[1])
    assert [array.shape for array in found] == [(3, 4, 9, 8), (3, 4, 3, 4), (3, 12)]
    for ours, theirs in zip(found, before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_not_torchs_is_refused():
    data = small_data()
    shapes, (parameters, after), losses = golden_step(SMALL, data, 0.125)
    beside_torch(SMALL, shapes, (parameters, after), data, 0.125, losses)
    for i, when in enumerate(("before", "behind")):
        for wrong in (losses[i] + 1e-3, float("nan")):
            given = [wrong if i == j else loss for j, loss in enumerate(losses)]
            with pytest.raises(Failure, match=rf"^{when} the step the loss is {re.escape(str(wrong))}, torch's .* apart$"):
                beside_torch(SMALL, shapes, (parameters, after), data, 0.125, given)
    turned = after | {"hidden": replace(after["hidden"], weight=-after["hidden"].weight)}
    with pytest.raises(Failure, match=r"^behind the step torch chooses otherwise in \d+ places$"):
        beside_torch(SMALL, shapes, (parameters, turned), data, 0.125, losses)
