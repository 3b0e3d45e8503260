"""studies.study: pages of any study, and studies on a folder of CIFAR-10."""

import dataclasses
import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from one_process import made

from golden.layer_tables import topology
from quant.cifar import TEST, TRAIN
from studies import methods
from studies.__main__ import STUDIES, trained
from studies.study import page, study, took

NETWORKS = {  # study → networks that it trains on CIFAR-10, with the millions of their products
    "methods": {"cifar10_full": 12.3},
    "schemes": {"resnet44": 97.2, "resnet56": 125.5, "resnet110": 252.9},
    "tricks": {"vgg_cifar": 313.5, "resnet20": 40.6, "resnet44": 97.2},
    "pruning": {"cifar10_full": 12.3},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Noise in CIFAR-10's files, every class in each."""
    path, rng = tmp_path_factory.mktemp("cifar"), np.random.default_rng(0)
    for name in TRAIN + TEST:
        records = rng.integers(0, 256, (20, 3073), np.uint8)
        records[:, 0] = np.arange(20) % 10
        records.tofile(path / name)
    return str(path)


@pytest.mark.parametrize("name", NETWORKS)
def test_cifar_10_is_for_the_papers_own_networks(name, folder):
    module = importlib.import_module(f"studies.{name}")
    recipes = [trial.recipe for trial in module.trials(module.scale(False, folder), [0])]
    recipes += [recipe.teacher for recipe in recipes if recipe.teacher]
    texts = {recipe.network for recipe in recipes}
    nets = {text: topology(text) for text in texts if "width" not in text and "first" not in text}
    assert {net.shapes["input"] for net in nets.values()} == {(3, 32, 32)}
    assert {text.partition(":")[0]: round(net.macs / 1e6, 1) for text, net in nets.items()} == NETWORKS[name]


def test_a_page_on_a_folder_of_the_user(monkeypatch, tmp_path, folder):
    monkeypatch.setattr(methods, "elements", lambda asked: dict.fromkeys(asked, 100.0))
    rows = tuple(row for row in methods.ROWS if row.title in ("float", "TWN"))
    scale = dataclasses.replace(methods.scale(False, folder), rows=rows, floats=1, epochs=1)
    found, text = made(monkeypatch, methods, scale, [0], tmp_path)
    assert found["data"][0]["rows"][1]["by"] == "golden" and "90 images to train on, 10 held out, 20 to test" in text


def test_what_a_study_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("studies.study.run", lambda trials, build: {"of": trials})
    monkeypatch.setattr("studies.study.commit", lambda: "abc")
    monkeypatch.setattr("studies.study.started", lambda trials, build: (0, len(trials)))
    monkeypatch.setattr("studies.study.os.cpu_count", lambda: 2)
    module = SimpleNamespace(
        TITLE="A title",
        SEEDS=(3, 4),
        trials=lambda scale, seeds: [scale, *seeds],
        results=lambda found, scale: {"rows": found["of"]},
        markdown=lambda found: [f"Rows: {found['rows']}."],
        pictures=lambda found, folder: (folder / "tricks_full.png").write_bytes(b"png"),
    )
    path = study(module, "tricks_full", "a scale", [3, 4], None, tmp_path)
    found = json.loads((tmp_path / "tricks_full.json").read_text())
    assert found["rows"] == ["a scale", 3, 4] and path.read_text() == page(module, found)
    assert path.read_text().startswith("# A title\n\nMade by `python -m studies tricks --full` at commit abc, with torch ")
    assert path.read_text().endswith("; seeds 3, 4. It took 0 minutes on 2 cores.\n\nRows: ['a scale', 3, 4].\n\n![A title](tricks_full.png)\n")
    assert "Made by `python -m studies tricks --data FOLDER` at" in page(module, found | {"stem": "tricks_data"})
    (tmp_path / "tricks.png").unlink(missing_ok=True)
    module.pictures = lambda found, folder: None
    text = study(module, "tricks", "a scale", [3, 4], None, tmp_path).read_text()
    assert "Made by `make tricks`" in text and "![" not in text
    text = study(module, "tricks", "a scale", [5, 6], None, tmp_path).read_text()
    assert "Made by `python -m studies tricks --seeds 5 6` at" in text


def test_a_page_says_how_long_it_took():
    time = {"seconds": 1425.0, "cores": 2, "before": 0, "networks": 40}
    assert took(time) == "It took 24 minutes on 2 cores"
    later = "It took 1 minute on 2 cores, 39 of 40 networks trained before, or in part"
    assert took(time | {"seconds": 70, "before": 39}) == later


def test_every_study_has_a_module():
    names = [name for name, row in STUDIES.items() if row.run is trained]
    assert set(NETWORKS) | {"mnist"} == set(names)
    for name in names:
        module = importlib.import_module(f"studies.{name}")
        assert {"SEEDS", "TITLE", "markdown", "pictures", "results", "scale", "trials"} <= set(module.__all__)
