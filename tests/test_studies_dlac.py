"""studies.dlac: what is trained, whose zeros a layer of ResNet-34 gets, and what is kept of it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import studies.dlac
from golden.layer_tables import network_rows
from quant.data import Dataset, Split
from studies.dlac import COMPARED, NETWORKS, captured, masks_of, own, resnet34, source, study, trained_networks, zeros
from studies.dlac_nets import ResNet
from studies.layers import Layer


def small_data():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (256, 1, 28, 28), generator=generator, dtype=torch.uint8)
    split = Split(images, torch.arange(256) % 10)
    return Dataset(split, split[:8], split[:8], "")


def test_networks_are_trained_and_watched():
    found = trained_networks(small_data(), names=["lenet_bias", "resnet_wrong"], images=256)
    for name, (watched, accuracy) in found.items():
        assert watched.only_wrong == NETWORKS[name][1] and watched.step == 2 and 0 <= accuracy <= 1
        kept = json.loads(json.dumps(zeros(watched, accuracy)))
        assert [row["step"] for row in kept["steps"]] == [0]
        assert len(kept["layers"]) == {"lenet_bias": 4, "resnet_wrong": 1 + 4 * 4 + 3 + 1}[name]
        [step] = kept["steps"]
        assert 0 < step["forward"] < step["backward"] or name == "lenet_bias"
        macs = sum(layer["macs"] for layer in kept["layers"])
        for operand in ("activations", "weights", "errors"):
            assert step[operand] == pytest.approx(sum(layer["macs"] * layer[operand] for layer in kept["layers"]) / macs)
    errors = [layer["errors"] for layer in kept["layers"][:-1]]
    assert min(errors) > 0.99  # normalisation leaves none 0, though some images send back nothing
    with_bias = zeros(*found["lenet_bias"])["layers"]
    assert with_bias[0]["errors"] <= 0.25 and with_bias[1]["errors"] <= 0.25  # one of a pool's four gets something


def test_every_layer_of_resnet34_has_a_source_of_its_kind():
    model = ResNet((2, 3, 4, 5))
    layers = captured(model, torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    for row in network_rows("resnet34"):
        if row.kind == "conv" and row.name != "conv1":
            a, w = source(row.name, layers)
            stage, block = int(row.name[4]) - 2, row.name.split("_")[1]
            n, m = model.blocks[2 * stage + (block != "1")].a.in_channels, (2, 3, 4, 5)[stage]
            inner = m if row.name.endswith("_b") else n
            assert w.shape == (inner * row.k**2, m), row.name
            assert a.shape[1] == inner * row.k**2


def test_scenarios_are_named_and_dense_in_the_first_layer(monkeypatch):
    rows = [row for row in network_rows("resnet34") if row.name in ("conv1", "conv3_1_proj", "conv3_1_a")]
    monkeypatch.setattr(studies.dlac, "network_rows", lambda name: rows)
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, (2, 1, 28, 28), generator=generator, dtype=torch.uint8)
    layers = captured(ResNet((4, 4, 4, 4)), images)
    found = resnet34(layers)
    assert list(found) == ["even", "uneven", "densities", "masks", "interleaved"]
    for one, other in zip(found["masks"]["layers"], found["interleaved"]["layers"], strict=True):
        assert one["share"] == other["share"]  # the same zeros
    for case in found.values():
        first, *rest = case["layers"]
        assert first["name"] == "conv1" and first["share"] == 1.0 and first["speed_up"] == 1.0
        assert [row["name"] for row in rest] == ["conv3_1_a", "conv3_1_proj"]
        assert all(row["speed_up"] > 1 for row in rest)
    assert found["even"]["layers"][1]["density_a"] == pytest.approx(0.4, abs=0.01)
    a, _ = source("conv3_1_a", layers)
    assert found["densities"]["layers"][1]["density_a"] == pytest.approx(a.mean(), abs=0.02)


def test_layers_of_networks_that_read_have_their_zeros_and_ternary_weights():
    rng = np.random.default_rng(3)
    sparse = [rng.normal(size=(3, 7, 8)) * (rng.random((3, 7, 8)) < 0.5) for _ in range(2)]
    geometry = {"kind": "conv", "stride": (2, 1), "padding": (1, 0, 2, 1)}
    weights = rng.normal(size=(4, 3, 3, 2))
    layers = [
        Layer(name="sparse", weights=weights, inputs=sparse, **geometry),
        Layer(name="dense", weights=weights, inputs=[np.ones((3, 7, 8))] * 2, **geometry),
        Layer(name="groups", weights=weights[:, :1], inputs=sparse, groups=3, **geometry),
        Layer(name="matrix", kind="dense", weights=np.ones((2, 3)), inputs=[np.zeros((4, 3))]),
    ]
    [(a, w)] = masks_of(SimpleNamespace(layers=layers))
    kept = np.abs(weights) > 0.7 * np.abs(weights).mean()
    x = torch.nn.functional.pad(torch.tensor(np.stack(sparse) != 0, dtype=torch.float32), (2, 1, 1, 0))
    expected = torch.nn.functional.conv2d(x, torch.tensor(kept, dtype=torch.float32), stride=(2, 1))
    np.testing.assert_array_equal(a.astype(int) @ w, expected.permute(0, 2, 3, 1).reshape(-1, 4).numpy())


def test_the_study_puts_everything_into_its_json(tmp_path, monkeypatch):
    names = ["lenet", "resnet"]
    monkeypatch.setattr(studies.dlac, "mnist", small_data)
    monkeypatch.setattr(studies.dlac, "trained_networks", lambda data: trained_networks(data, names, 128))
    monkeypatch.setattr(studies.dlac, "own", lambda layers, images=32: {"masks": len(layers), "images": images})
    monkeypatch.setattr(studies.dlac, "reading", lambda digits: {"ocr_direction": [digits.shape]})
    monkeypatch.setattr(studies.dlac, "resnet34", lambda layers: {"even": len(layers)})
    monkeypatch.setattr(studies.dlac, "runs", lambda data, build: {"runs": [build]})
    monkeypatch.setattr(studies.dlac, "areas", lambda pes: {name: {"pe": [1.0, 0.5]} for name in pes})
    found = study("networks", tmp_path)
    assert json.loads((tmp_path / "dlac_study.json").read_text()) == found
    assert set(found) == {"commit", "published", "images", "zeros", "own", "resnet34", "runs", "areas"}
    assert set(found["zeros"]) == set(names) and set(found["areas"]) == set(COMPARED)
    counts = {name: (row["masks"], row["images"]) for name, row in found["own"].items()}
    assert counts == {"lenet": (4, 32), "resnet": (21, 32), "ocr_direction": (1, 2)}
    assert found["resnet34"] == {"even": 21}
    assert found["runs"] == {"runs": ["networks"]}


def test_a_networks_own_layers():
    rng = np.random.default_rng(2)
    layers = [(rng.random((70, 9)) < 0.5, rng.random((9, 5)) < 0.5), (rng.random((2, 30)) < 0.5, rng.random((30, 3)) < 0.5)]
    found = own(layers)
    for of in found.values():
        assert [row["name"] for row in of["layers"]] == ["layer 1", "layer 2"]
        assert of["total"]["macs"] == (70 * 9 * 5 + 2 * 30 * 3) / 32
    assert found["masks"]["total"]["share"] == found["interleaved"]["total"]["share"]
