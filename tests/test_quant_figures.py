from dataclasses import replace

import numpy as np
import pytest
from quadrants import graph, quadrants

from golden.formats import parse
from quant.assignment import Assignment
from quant.figures import layers, reached, specs, totals
from quant.lower import lower

ASSIGNMENT = Assignment(
    weights={"conv": parse("int4e-3"), "hidden": parse("int5e-4"), "out": parse("int6e-5")},
    biases=dict.fromkeys(("conv", "hidden", "out"), parse("int16e-12")),
    outputs={"conv": parse("uint4e-2"), "hidden": parse("int6"), "out": parse("int3e2")},
)
TEST = quadrants().test


def test_accuracies_and_ties():
    network = lower(graph(), ASSIGNMENT)
    found = reached(graph(), graph(), ASSIGNMENT, network, TEST, "exact")
    logits = network.run(TEST.images.numpy())
    right = 0
    tied = 0
    for row, label in zip(logits, TEST.labels, strict=True):
        best = [index for index, value in enumerate(row) if value == max(row)]
        right, tied = right + (best[0] == label), tied + (len(best) > 1)
    assert found["test"] == right / 200 and found["ties"] == tied / 200 > 0.1  # 3 bits tie often
    assert set(found["compared"]) == {"conv_relu", "pool", "hidden_relu", "out"} and found["compared_images"] == 200


def test_golden_and_torch_must_agree():
    ops = [replace(op, weight=op.weight + 0.25) if op.name == "out" else op for op in graph().ops]
    other = replace(graph(), ops=ops)
    with pytest.raises(RuntimeError, match="^torch and golden differ in out$"):
        reached(graph(), other, ASSIGNMENT, lower(graph(), ASSIGNMENT), TEST, "exact")


def test_specs_are_those_of_the_network():
    network = lower(graph(), ASSIGNMENT, accumulate="fp32x4")
    found = specs(graph(), ASSIGNMENT, "fp32x4")
    assert found == [call.spec for call in network.gemms(TEST.images[:1].numpy())]
    assert [spec.relu for spec in found] == [True, True, False]


def test_cycles_follow_lanes_and_accumulation():
    images = quadrants().train.images[:150]
    conv = layers(graph(), ASSIGNMENT, images, 4, "exact")[0]
    assert conv["cycles"] == 256 * 3 + 5
    assert layers(graph(), ASSIGNMENT, images, 16, "fp32")[0]["cycles"] == 256 + 8


def test_outputs_are_measured_on_all_images_behind_their_relu():
    images = quadrants().train.images[:150]  # more than a batch
    rows = {row["name"]: row for row in layers(graph(), ASSIGNMENT, images, 16, "exact")}
    values = graph().run(images)
    conv = values["conv_relu"].numpy()
    assert rows["conv"]["outputs"]["range"][1] == conv.max()
    assert rows["conv"]["outputs"]["saturated"] == np.mean(conv > 3.75)
    assert rows["conv"]["outputs"]["zero"] == np.mean(conv <= 0.125)
    out = values["out"].numpy()
    assert rows["out"]["outputs"]["saturated"] == np.mean((out > 12) | (out < -16))
    assert totals(list(rows.values()))["macs"] == sum(graph().macs().values())
