"""studies.ristretto and its report: what is run, and what is made of the figures."""

import json
from types import SimpleNamespace

import pytest

import studies.ristretto
from quant.rules import SCHEMES
from rtl.targets import target
from studies.areas import TREES
from studies.published import TABLE_5_1
from studies.ristretto import CIFAR, FAMILIES, GROUPS, PARTS, TUNED, TUNING, cifar, jobs, study
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
    tests = {"test": accuracy(job), "float": 0.99, "ties": 0.02}
    key = f"{job.source} {job.plan} {job.test}"
    return {"test": tests, "assignment": formats, "key": key, "seconds": 30.0, "kept": job.source[2] == 2}


def made(monkeypatch, tmp_path):
    dataset = SimpleNamespace(train=SimpleNamespace(images=None))
    every = {"network": lambda source, build: (None, dataset), "dynamic_range": lambda graph, images: RANGES}
    every["run"] = lambda jobs, build: {(job.source, job.name): figures(job) for job in jobs}
    every["SYNTHESES"] = tmp_path / "synth"
    for name, function in every.items():
        monkeypatch.setattr(studies.ristretto, name, function)
    rows = [AREA | {"family": family, "bits": bits} for family, bits, *_ in TREES]
    return study(["sgd", "adamw"], [0, 2], tmp_path / "quant", tmp_path, lambda: rows)


def test_every_row_is_run_untuned_and_tuned():
    names = [job.name for job in jobs(("lenet_caffe", "sgd", 0), curves=True, theirs=True)]
    assert len(set(names)) == len(names)
    for _, row in TUNED:
        assert {row, f"{row}, tuned"} <= set(names)
    assert {f"{part} {bits}" for part in GROUPS for bits in PARTS} <= set(names)
    assert {f"{scheme} {bits}" for scheme, sweep in FAMILIES.items() for bits in sweep} <= set(names)
    assert len(jobs(("lenet_caffe", "sgd", 1), curves=False, theirs=False)) == 2 * len(TUNED) + 2


def test_schemes_and_trees_exist():
    assert set(FAMILIES) <= set(SCHEMES)
    for family, bits, name, settings in TREES:
        assert target(name).engine(**settings).y.width == bits
        assert bits in FAMILIES["minifloat" if family == "fp32" else family]  # so that the picture has a point of it


def test_widths_of_powers_of_two_are_those_of_outputs():
    plans = {job.name: job.plan for job in jobs(("lenet_caffe", "sgd", 0), curves=True, theirs=False)}
    assert plans["pow2 6"].widths == {"outputs": 6} and plans["pow2 6"].scheme == "pow2"
    assert plans["dfp 6"].widths == {"outputs": 6, "conv": 6, "dense": 6} and plans["fixed 6"].widths == {"all": 6}


def test_a_plan_is_the_same_wherever_it_stands():
    plans = {job.name: job.plan for job in jobs(("lenet_caffe", "sgd", 0), curves=True, theirs=False)}
    assert plans["dynamic fixed point 4/4/4"] == plans["dfp 4"]
    assert plans["outputs 16"] == plans["conv 16"] == plans["dfp 16"]
    assert plans["fixed point, 8 bits"] == plans["fixed 8"] and plans["minifloat, 8 bits"] == plans["minifloat 8"]
    assert plans["power-of-two weights"] == plans["pow2 8"]


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


def test_what_is_asked_for_is_published_or_near_the_base_s_own_floats(monkeypatch, tmp_path):
    asked = {row["row"]: (row["asked"], row["reached"]) for row in made(monkeypatch, tmp_path)["bases"]["adamw"]["tuned"]}
    assert asked["dynamic fixed point 4/4/4"] == (0.9895, False) and asked["dynamic fixed point 4/2/2"] == (0.9881, False)
    assert all(asked[row][0] == pytest.approx(0.989) for row in ("fixed point, 8 bits", "minifloat, 8 bits", "power-of-two weights"))
    exact = {"test": {"test": 0.989, "ties": 0}, "assignment": {"weights": {}, "outputs": {}}}  # 0.1 less than the floats
    runs = {("source", f"power-of-two weights{way}"): exact for way in ("", ", tuned")}
    for floats, reached in ((0.99, True), (0.9901, False)):
        row = studies.ristretto.tuned_row(runs, ["source"], "7.1", "power-of-two weights", floats, theirs=False)
        assert row["reached"] is reached


@pytest.mark.parametrize(("cache", "empty"), [(None, True), ("quant", False), ("synth", False)])
def test_the_time_says_what_was_there_before(monkeypatch, tmp_path, cache, empty):
    if cache is not None:
        (tmp_path / cache).mkdir()
    time = made(monkeypatch, tmp_path)["time"]
    sources = [("lenet_caffe", base, seed) for base in ("sgd", "adamw") for seed in (0, 2)]
    every = [jobs(source, curves=source[2] == 0, theirs=source == sources[0]) for source in sources]
    runs = len({(job.source, str(job.plan), job.test) for group in every for job in group})  # the same under two names is one
    assert time["runs"] == runs < sum(map(len, every))
    assert time["empty"] is empty and time["seconds_of_runs"] == 30 * runs and 0 < time["seconds"] < 60
    assert time["kept"] == 2 * (2 * len(TUNED) + 2) and time["cores"] >= 1  # the runs of seed 2 of both bases


def test_the_page_has_both_figures_beside_each_other(monkeypatch, tmp_path):
    found = made(monkeypatch, tmp_path)
    page = markdown(found)
    assert "| 5.2 | dynamic fixed point 4/2/2 | 99.15% | 98.03% | 98.81% | 99.00% ± 0.00% | 93.50% ± 1.41% |" in page
    assert "| minifloat | published |  |  | 99.20% |  | 97.96% | 10.09% |  |  |" in page
    assert ", made in 0 minutes on " in page and "; its runs took " in page
    assert "| dense weights | published | 99.1% | 99.1% | 98.9% | 98.7% |" in page
    assert "| dense weights | 8 | 2^-3 to 2^1 | 1.5 |" in page
    assert write(found, tmp_path).read_text() == page
    for name in ("bits", "ranges", "area"):
        assert (tmp_path / f"ristretto-{name}.png").stat().st_size > 5000
        assert f"(ristretto-{name}.png)" in page


def test_the_rows_of_cifar_10(monkeypatch, tmp_path):
    asked = []

    def run(jobs, build):
        asked.extend(jobs)
        assert build == tmp_path / "quant"
        return {(job.source, job.name): figures(job) for job in jobs}

    monkeypatch.setattr(studies.ristretto, "run", run)
    text = cifar("pictures", [0, 2], tmp_path / "quant", tmp_path)
    assert text == (tmp_path / "cifar10.md").read_text()
    assert {job.source for job in asked} == {("cifar10", "pictures", 0), ("cifar10", "pictures", 2)}
    assert len(asked) == len({(job.source, job.name) for job in asked}) == 2 * (2 * len(CIFAR) + len(GROUPS) * len(PARTS))
    plans = {job.name: job.plan for job in asked}
    assert plans["dynamic fixed point 8/8/8"].widths == {"outputs": 8, "conv": 8, "dense": 8}
    assert plans["fixed point, 16 bits"].tuning is None and plans["fixed point, 16 bits, tuned"].tuning == TUNING
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert {len(row) for row in rows} == {6}
    untuned, tuned = (0.91 + 0.001 * len(name) for name in ("fixed point, 16 bits", "fixed point, 16 bits, tuned"))
    published = "81.69%, 80.94%, 81.38%"  # of table 4.1
    assert rows[2] == ["4.1", "fixed point, 16 bits", published, "99.00%", f"{untuned:.2%}", f"{tuned:.2%}"]
    theirs = f"{TABLE_5_1['cifar10']['dense'][2]:.1%} untuned"
    assert rows[-1] == ["5.1", "dense, 2 bits, all else 16", theirs, "", f"{0.91 + 0.001 * len('dense 2'):.2%}", ""]
