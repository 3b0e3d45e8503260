import json
from dataclasses import replace

import numpy as np
import pytest
from small_mnist import quick, small_mnist

from golden import artefact
from golden.network import classify
from quant import accuracy as table
from quant import results
from quant.evaluate import Comparison
from quant.recipes import recipe
from quant.results import result

DATA = small_mnist(256, 50)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return tmp_path_factory.mktemp("build")


def test_quantised_result_is_goldens_and_its_artefact_repeats_it(build):
    found = result(quick(weights="ternary"), DATA, build=build, progress=False)
    network = artefact.load(found.artefact)
    classes = classify(network.run(DATA.test.images.numpy()))
    assert found.figures["test"] == np.mean(classes == DATA.test.labels.numpy())
    assert found.figures["compared"]["ip2"] == 10 * len(DATA.test)
    assert network.info["schemes"] == ["int8", "ternary", "ternary", "int8"] and network.info["seed"] == 0


def test_result_is_cached_and_mends_its_artefact(build, monkeypatch):
    first = result(quick(weights="ternary"), DATA, build=build, progress=False)
    whole = first.artefact.read_bytes()
    first.artefact.write_bytes(whole[:50])
    monkeypatch.setattr(results, "compare", None)
    monkeypatch.setattr(results, "correct", None)
    again = result(quick(weights="ternary"), DATA, build=build, progress=False)
    assert again.figures == first.figures and again.artefact.read_bytes() == whole


def test_disagreement_is_an_error(build, monkeypatch):
    wrong = Comparison(images=1, compared={"conv1": 9}, differing={"conv1": 1})
    monkeypatch.setattr(results, "compare", lambda *_, **__: wrong)
    with pytest.raises(RuntimeError, match=r"torch and golden differ in {'conv1': 1} of {'conv1': 9} integers"):
        result(quick(weights="ternary", seed=1), DATA, build=build, progress=False)
    assert not list(build.glob("lenet-ternary-seed-1*.json"))


def test_table_has_mean_and_deviation_over_seeds(build, monkeypatch):
    monkeypatch.setattr(table, "recipe", lambda network, weights, seed: quick(network, weights, seed=seed))
    rows = (("lenet", "float", "torch float32"), ("lenet", "ternary", "golden integers"))
    found = table.accuracy([0, 2], rows=rows, dataset=DATA, build=build, progress=False)
    assert json.loads((build / "accuracy.json").read_text()) == found
    for row in found["rows"]:
        a, b = (run["test"] for run in row["runs"].values())
        assert row["mean"] == pytest.approx((a + b) / 2)
        assert row["deviation"] == pytest.approx(abs(a - b) / 2**0.5)
    lines = (build / "accuracy.md").read_text().splitlines()
    assert lines[0] == "| network | weights | computed by | epochs | seed 0 | seed 2 | mean | deviation |"
    assert lines[3].startswith("| lenet | ternary | golden integers | 1 | ")
    assert lines[-1] == "Test accuracy on 50 images, read once; the epoch is the best on held-out training images."


def test_a_residual_network_of_two_bits_is_trained_exported_and_run(build):
    network = "resnet8:shape=1x28x28,width=0.25"
    usual = recipe(network, "wrpn2", "wrpn2,input=wrpn2", method="scratch")
    found = result(replace(usual, epochs=1, batch=32, shift=0), DATA, build=build, progress=False)
    assert found.figures["title"] == f"{network} int8+wrpn2 on wrpn2,input=wrpn2 scratch seed 0"
    assert found.figures["compared"]["s2_b1"] == 8 * 14 * 14 * len(DATA.test)
    loaded = artefact.load(found.artefact)
    assert str(loaded.tensors["input_requant"].format) == "uint2" and str(loaded.tensors["s2_b1"].format) == "uint2"
    assert loaded.info["activations"] == "wrpn2,input=wrpn2"
