"""studies.ristretto and its report: what is run, and what is made of the figures."""

import json
from types import SimpleNamespace

import studies.ristretto
from quant.rules import SCHEMES
from rtl.targets import target
from studies.areas import TREES
from studies.ristretto import FAMILIES, GROUPS, PARTS, SWEEP, TUNED, jobs, study
from studies.ristretto_report import markdown, write

AREA = {
    "formats": "int8",
    "gate_equivalents": 1000.0,
    "unit_gate_equivalents": 50.0,
    "period_ns": 5.0,
    "energy_pj": 2.0,
}
RANGES = {
    "images": 100,
    "groups": {"dense weights": {"numbers": 8, "greatest": 1.5, "bulk": [-3, 0], "histogram": {"-3": 0.5, "0": 0.5}}},
}


def accuracy(job):
    """A made-up accuracy that tells jobs apart."""
    return 0.9 + 0.01 * job.source[2] + 0.001 * len(job.name)


def figures(job):
    formats = {"weights": {"ip1": "int4e-3"}, "outputs": {"ip1": "int4"}, "biases": {}}
    return {"test": {"test": accuracy(job), "float": 0.99, "ties": 0.02}, "assignment": formats}


def made(monkeypatch, tmp_path):
    dataset = SimpleNamespace(train=SimpleNamespace(images=None))
    every = {"network": lambda source, build: (None, dataset), "dynamic_range": lambda graph, images: RANGES}
    every["run"] = lambda jobs, build: {(job.source, job.name): figures(job) for job in jobs}
    for name, function in every.items():
        monkeypatch.setattr(studies.ristretto, name, function)
    rows = [AREA | {"family": family, "bits": bits} for family, bits, *_ in TREES]
    return study(["sgd", "adamw"], [0, 2], tmp_path, tmp_path, rows)


def test_every_row_is_run_untuned_and_tuned():
    names = [job.name for job in jobs(("lenet_caffe", "sgd", 0), curves=True, theirs=True)]
    assert len(set(names)) == len(names)
    for _, row in TUNED:
        assert {row, f"{row}, tuned"} <= set(names)
    assert {f"{part} {bits}" for part in GROUPS for bits in PARTS} <= set(names)
    assert {f"{scheme} {bits}" for scheme in FAMILIES for bits in SWEEP} <= set(names)
    assert len(jobs(("lenet_caffe", "sgd", 1), curves=False, theirs=False)) == 2 * len(TUNED) + 2


def test_schemes_and_trees_exist():
    assert set(FAMILIES) <= set(SCHEMES)
    for _, bits, name, settings in TREES:
        engine = target(name).engine(**settings)
        assert engine.w.width == bits


def test_means_are_of_seeds(monkeypatch, tmp_path):
    found = made(monkeypatch, tmp_path)
    assert json.loads((tmp_path / "ristretto.json").read_text()) == found
    row = found["bases"]["sgd"]["tuned"][1]
    name = "dynamic fixed point 4/4/4"
    assert row["row"] == name and row["published"]["tuned"] == 0.9895
    first, second = 0.9 + 0.001 * len(name), 0.92 + 0.001 * len(name)
    assert row["untuned"]["runs"] == [first, second]
    assert abs(row["untuned"]["mean"] - (first + second) / 2) < 1e-12
    assert abs(row["tuned"]["mean"] - row["untuned"]["mean"] - 0.007) < 1e-12


def test_the_page_has_both_figures_beside_each_other(monkeypatch, tmp_path):
    found = made(monkeypatch, tmp_path)
    page = markdown(found)
    assert "| 5.2 | dynamic fixed point 4/2/2 | 99.15% | 98.03% | 98.81% | 99.00% ± 0.00% | 93.50% ± 1.41% |" in page
    assert "| dense weights | published | 99.1% | 99.1% | 98.9% | 98.7% |" in page
    assert "| dense weights | 8 | 2^-3 to 2^1 | 1.5 |" in page
    assert write(found, tmp_path).read_text() == page
    for name in ("bits", "ranges", "area"):
        assert (tmp_path / f"ristretto-{name}.png").stat().st_size > 5000
        assert f"(ristretto-{name}.png)" in page
