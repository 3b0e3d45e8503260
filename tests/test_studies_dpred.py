"""studies.dpred, its pages and pictures: the whole study on networks of two small layers."""

import copy
import json
import re

import numpy as np
import pytest

import studies.dpred
from golden.layer_tables import Row
from studies.dpred import drained, study
from studies.dpred_pictures import NAMES
from studies.dpred_report import write
from studies.dpred_tables import beside, unbearable, waiting
from studies.layers import Layer
from studies.profile import agreement, same_choices

REAL = ("lenet", "lenet_pruned", "ocr_detection", "ocr_direction", "ocr_recognition")
ROWS = [Row(name="a", kind="conv", n=3, m=20, k=3, h=8, w=8), Row(name="b", kind="dense", n=90, m=30)]


class Small:
    """A convolution and a dense layer of drawn numbers; rounding moves its outputs a little."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        images = [np.maximum(self.rng.standard_normal((20, 6, 6)), 0).astype(np.float32) for _ in range(2)]
        rows = [np.abs(self.rng.standard_normal((1, 50))) for _ in range(2)]
        weights = self.rng.standard_normal((24, 20, 3, 3))
        depthwise = {"weights": weights[:20, :1], "groups": 20}
        self.layers = [
            Layer(name="c", kind="conv", weights=weights, inputs=images),
            Layer(name="d", kind="conv", inputs=images, **depthwise),
            Layer(name="f", kind="dense", weights=self.rng.standard_normal((10, 50)), inputs=rows),
        ]

    def run(self, widths, count=None):
        off = sum(2.0**-bits for bits in widths.values())
        return [np.stack([np.linspace(-1, 1, 101) + off, np.zeros(101)], axis=1)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The study, its folder, and how often networks were analysed."""
    folder, calls = tmp_path_factory.mktemp("dpred"), []
    analysed = studies.dpred.analysed
    with pytest.MonkeyPatch.context() as patch:
        small = {name: (Small(i), same_choices) for i, name in enumerate(REAL)}
        patch.setattr(studies.dpred, "networks", lambda build: small)
        patch.setattr(studies.dpred, "network_rows", lambda name: ROWS)
        patch.setattr(studies.dpred, "analysed", lambda *pair: calls.append(1) or analysed(*pair))
        first = study(folder, folder)
        again = study(folder, folder)
    assert again == first
    return json.loads(json.dumps(first)), folder, len(calls)


def test_networks_are_analysed_once(made):
    found, folder, calls = made
    assert calls == len(REAL)
    assert json.loads((folder / "dpred_study.json").read_text()) == found


def test_figures_of_layers(made):
    found, _, _ = made
    network = found["networks"]["ocr_detection"]
    assert [(row["name"], row["kind"], row["macs"]) for row in network["layers"]] == [
        ("c", "conv", 24 * 20 * 9 * 16),
        ("d", "depthwise", 20 * 9 * 16),
        ("f", "dense", 500),
    ]
    widths = {row["name"]: (row["16p"]["width_w"], row["16p"]["width_a"]) for row in network["layers"]}
    assert max(widths["c"]) < min(widths["f"])  # fewer bits where there are more products
    for row in network["layers"]:
        assert row["16"]["traffic"]["weights"]["precision"] == 16
        assert row["16p"]["traffic"]["weights"]["precision"] == widths[row["name"]][0]
        assert row["16p"]["traffic"]["weights"]["uncompressed"] == row["16"]["traffic"]["weights"]["uncompressed"]
        assert row["8"]["cycles"]["of_value"] < row["8"]["cycles"]["of_group"] <= row["8"]["cycles"]["of_tile"]
    assert network["agreement"]["16p"] >= 0.99
    inputs = {(name, "a"): 8 for name in widths}
    assert network["agreement"]["8a"] == agreement(Small(0), same_choices, inputs)
    both = network["totals"]["8"]["traffic"]["both"]
    assert both["values"] == 24 * 180 + 20 * 9 + 500 + 720 * 2 + 50
    tables = found["tables"]
    assert set(tables) == {"independent", "resampled"}
    assert set(tables["resampled"]["vgg16"]["8"]) == {"conv", "dense", "all"}
    assert tables["independent"]["vgg16"]["16"]["conv"]["parallel"] == 36 * 2 * 2


def test_filling_and_draining_are_a_few_cycles():
    for row in drained(Small(0))[::2]:
        for name, cycles in row["exact"].items():
            assert 0 < cycles - row["busy"][name] <= 20


def test_a_network_that_does_not_bear_8_bits_is_marked(made):
    found = copy.deepcopy(made[0])
    assert beside(found).count("\\* |") == 0 and unbearable(found) == "All networks keep most of their decisions."
    found["networks"]["ocr_recognition"]["agreement"] |= {"8": 0.425, "8a": 0.743}
    marked = [row for row in beside(found).splitlines() if row.endswith(" \\* |")]
    assert len(marked) == 3 and all("| 8 bits |" in row for row in marked)
    assert "OCR recognition keeps 42.5 % of its decisions, and 74.3 % with its weights" in unbearable(found)


def test_pages_have_every_figure(made):
    found, folder, _ = made
    pages = write(found, folder)
    text, layers = (page.read_text() for page in pages)
    assert [page.name for page in pages] == ["dpred_study.md", "dpred_layers.md"]
    claim = found["networks"]["lenet"]["claims"][2]
    assert f"| traffic of 8-bit networks | 8 bits | 33.0 % | {100 * claim['ours']:.1f} %" in text
    cycles = found["networks"]["ocr_direction"]["totals"]["16p"]["cycles"]["conv"]
    stripes, dynamic = (cycles["parallel"] / cycles[name] for name in ("stripes", "dynamic"))
    assert f"| OCR direction | 16 bits, profiled | conv | {stripes:.2f} | {dynamic:.2f} |" in text
    sums = found["networks"]["ocr_recognition"]["totals"]["8"]["traffic"]["both"]
    codes = ("static", "zero_flag", "dpred_16")
    shares = " | ".join(f"{100 * sums[code] / sums['uncompressed']:.1f} %" for code in codes)
    assert f"| OCR recognition | 8 bits | both | {shares} |" in text
    assert all(f"| {NAMES[name]} |" in text for name in (*REAL, "alexnet", "resnet34"))
    assert layers.count("\n| ") == 1 + 3 * len(REAL) + 1
    row = found["networks"]["lenet"]["layers"][0]
    weights, cycles = row["16"]["traffic"]["weights"], row["16"]["cycles"]
    shares = [weights["static"], weights["zero_flag"], *(weights[code]["16"] for code in ("dpred", "dpred_zeros"))]
    whole = weights["uncompressed"]
    assert f"| {' '.join(f'{100 * bits / whole:.0f}' for bits in shares)} " in layers
    assert f"| {cycles['parallel'] / cycles['stripes']:.2f} {cycles['parallel'] / cycles['dynamic']:.2f} " in layers
    ahead = found["networks"]["ocr_detection"]["claims"][7]["ahead"]
    assert f", ahead {ahead:.2f}" in text and f"convolutions, of the bound of groups of 16: {waiting(found)}" in text
    drawn = re.findall(r"\((dpred-\w+\.png)\)", text)
    assert drawn == ["dpred-traffic.png", "dpred-groups.png", "dpred-widths.png", "dpred-speed.png"]
    assert all((folder / name).stat().st_size > 10_000 for name in drawn)
    for line in text.splitlines():
        assert not re.search(r"\bnan\b|\binf\b", line)
