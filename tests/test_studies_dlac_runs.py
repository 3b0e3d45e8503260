"""studies.dlac_runs: networks in floating point made of trained ones, and what training starts from."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import studies.dlac_runs
from golden.dlac_networks import logits, training_step
from golden.dlac_steps import Steps
from golden.formats import parse
from golden.layer_tables import topology
from golden.topology import Topology
from golden.window import Window
from quant.data import Split, mnist
from quant.models import PIXEL_UNIT, Classifier
from studies.dlac_runs import BATCH, SETTINGS, inference, markdown, normalised, shapes_of, started, training
from tb.cases import Failure

FP32 = parse("fp32")
SMALL = Topology((1, 8, 8))
SMALL.conv("conv", 4, 3, pad=1, pool=Window(kernel=2, stride=2))
SMALL.dense("hidden", 12)
SMALL.logits("out", 5)


def test_batch_normalisation_and_scales_become_gains_and_biases():
    torch.manual_seed(0)
    model = Classifier(SMALL, ("ternary",) * 3)
    for stage in model.stages[:-1]:
        for x in (stage.norm.weight, stage.norm.bias, stage.norm.running_mean):
            x.data.normal_()
        stage.norm.running_var.uniform_(0.5, 2)
    model.eval()
    shapes, parameters = normalised(model, FP32, threshold=0.125)
    assert all(of.ternary and set(np.unique(of.weight)) == {-1, 0, 1} for of in parameters.values())
    pixels = torch.randint(256, (6, 1, 8, 8), dtype=torch.uint8)
    x = pixels.double() * PIXEL_UNIT
    with torch.no_grad():
        for stage in model.stages:
            y = stage.sums(x, stage.weights(stage.weight).double())
            if stage.norm is not None:
                y = stage.norm.double()(y)
                y = stage.pooled(torch.where(y > 0.125, y, 0.0))
            x = y
    g = Steps(FP32)
    found, _ = logits(g, shapes, parameters, g.rounded(pixels.numpy() * PIXEL_UNIT))
    np.testing.assert_allclose(found, x.numpy(), rtol=1e-4, atol=1e-5)
    assert [(s.name, [op[0] for op in s.operations]) for s in g.done] == [
        ("conv forward", ["madd", "sel"]),
        ("hidden forward", ["madd", "sel"]),
        ("out forward", ["madd"]),
    ]


def test_a_layer_that_is_not_ternary_is_named():
    with pytest.raises(ValueError, match="^layer out has weights other than -1, 0 and 1"):
        normalised(Classifier(SMALL, ("ternary", "ternary", "int8")).eval(), FP32)


def test_networks_that_start_ternary_are_made_of_their_masters():
    shapes, parameters = started(SMALL.rows, FP32, 1, as_ternary=True)
    assert [shape.threshold for shape in shapes] == [0.0, 0.0, None]
    assert shapes == shapes_of(SMALL.rows, 0.0) and shapes[0].window.padding == (1, 1)
    of = parameters["hidden"]
    kept = np.abs(of.master) > 0.7 * np.abs(of.master).mean()
    np.testing.assert_array_equal(of.weight, np.sign(of.master) * kept)
    assert of.gain == pytest.approx(np.abs(of.master)[kept].mean()) and not of.bias.any()


@pytest.mark.long
def test_inference_of_the_ternary_lenet_runs_in_the_verilog(monkeypatch):
    """A network that is not trained, in integers and, batch-normalised, in half precision, results and cycles equal."""
    torch.manual_seed(3)
    model = Classifier(topology("lenet"), ("ternary",) * 4)
    for stage in model.stages[:-1]:
        stage.norm.running_mean.normal_()
        stage.norm.running_var.uniform_(0.5, 2)
    monkeypatch.setattr(studies.dlac_runs, "trained", lambda *_, **__: SimpleNamespace(model=model))
    monkeypatch.setattr(studies.dlac_runs, "JUDGED", 2)
    found, _ = inference(mnist(), None, "verilator", SETTINGS)
    assert [(row["name"], row["target"]) for row in found] == [("integers", "dlac_fp32"), ("half precision", "dlac_fp16")]
    layers = topology("lenet").rows
    for row in found:
        assert [step["macs"] for step in row["steps"]] == [layer.macs for layer in layers]
        assert all(step["cycles"] == step["model"] <= step["dense"] for step in row["steps"])
        assert row["dense"] > 1.2 * row["cycles"]


def test_training_is_held_against_torchs(monkeypatch):
    """A step of golden's that is not torch's ends the study."""
    net = Topology((1, 8, 8))
    net.conv("conv", 4, 3, norm="bias", pool=Window(kernel=2, stride=2))
    net.logits("out", 5)
    images = torch.randint(256, (BATCH, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    dataset = SimpleNamespace(train=Split(images, torch.tensor([4, 1])))
    monkeypatch.setattr(studies.dlac_runs, "topology", lambda name: net)
    monkeypatch.setattr(studies.dlac_runs, "step_runs", lambda name, steps, *rest: {"name": name, "steps": len(steps)})
    plain, ternary = training(dataset, "none", {})
    assert (plain["name"], ternary["name"]) == ("training", "training, ternary") and ternary["steps"] > plain["steps"] > 2
    assert [abs(a - b) <= limit for a, b, limit in zip(plain["losses"], plain["torch"], plain["bounds"])] == [True] * 2
    assert "bounds" not in ternary and len(ternary["losses"]) == 2
    monkeypatch.setattr(studies.dlac_runs, "training_step", lambda *given: training_step(*given[:-1], 2 * given[-1]))
    with pytest.raises(Failure, match="^behind the step "):
        training(dataset, "none", {})

def test_the_table_of_runs():
    row = {"name": "x", "target": "dlac_fp32", "steps": [{}, {}], "macs": 1000, "nonzero": 250, "cycles": 500, "dense": 1500}
    assert "| x | `dlac_fp32` | 2 | 1,000 | 25% | 500 | 1,500 | 3.00 |" in markdown({"runs": [row]})
