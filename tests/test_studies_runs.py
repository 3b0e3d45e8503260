"""studies.runs: jobs in order, each kept by all that decides it."""

import contextlib
import importlib
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from quadrants import Quadrants

import quant.approximate
from quant.data import Dataset
from quant.files import Samples
from quant.from_torch import from_module
from quant.plan import Plan
from studies import runs
from studies.runs import KEPT, Job, chain, modules, run, work


@pytest.fixture
def calls(monkeypatch):
    """The approximations that are made, with the test images that each was given; sources are tiny networks."""
    images = torch.randint(0, 256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    split = Samples(images, torch.arange(40) % 4)
    made = []

    def network(source, build):
        torch.manual_seed(source[2])
        return from_module(Quadrants().eval(), (1, 8, 8)), Dataset(split, split, split, "digest")

    def approximate(graph, dataset, plan, *, build, name, progress):
        made.append((name, len(dataset.test), plan.scheme))
        figures = dict.fromkeys(KEPT, 0) | {"test": {"test": 0.5 + len(made) / 100}, "layers": "not kept"}
        return SimpleNamespace(figures=figures)

    monkeypatch.setattr(runs, "network", network)
    monkeypatch.setattr(quant.approximate, "approximate", approximate)
    return made


def job(**settings):
    return Job(**({"name": "dfp 4", "source": ("lenet_caffe", "sgd", 0), "plan": Plan()} | settings))


def test_a_job_is_made_once(calls, tmp_path):
    first = work(job(), tmp_path)
    assert calls == [("lenet_caffe sgd 0 dfp 4", 40, "dfp")]
    assert first[0] == job() and set(first[1]) == {*KEPT, "key", "seconds", "kept"} and first[1]["test"]["test"] == 0.51
    assert not first[1]["kept"] and 0 < first[1]["seconds"] < 60
    assert work(job(), tmp_path) == (job(), first[1] | {"kept": True}) and len(calls) == 1  # with the seconds it took then


@pytest.mark.parametrize(
    "change",
    [{"source": ("lenet_caffe", "sgd", 1)}, {"plan": Plan(scheme="minifloat")}, {"test": 7}],
)
def test_whatever_decides_makes_another(calls, tmp_path, change):
    work(job(), tmp_path)
    work(job(**change), tmp_path)
    assert len(calls) == 2 and calls[1][1] == change.get("test", 40)
    assert len(list((tmp_path / "studies").glob("*.json"))) == 2


def test_jobs_that_differ_in_name_alone_are_made_once(calls, tmp_path):
    plans = [Plan(widths={"outputs": 4, "conv": 4}), Plan(widths={"conv": 4, "outputs": 4})]
    first, second = (figures for _, figures in chain([job(plan=plans[0]), job(name="all 4", plan=plans[1])], tmp_path))
    assert len(calls) == 1 and second == first | {"kept": True}


def test_other_code_makes_another(calls, tmp_path, monkeypatch):
    work(job(), tmp_path)
    monkeypatch.setattr("quant.cache.code_hash", lambda names: "other")
    work(job(), tmp_path)
    assert len(calls) == 2


def test_a_damaged_file_is_made_anew(calls, tmp_path):
    work(job(), tmp_path)
    [path] = (tmp_path / "studies").glob("*.json")
    path.write_text("{")
    work(job(), tmp_path)
    assert len(calls) == 2 and path.read_text().startswith("{\n")


def test_a_chain_says_what_each_reached(calls, tmp_path, capsys):
    found = chain([job(), job(name="dfp 8", plan=Plan(widths={"all": 8}, scheme="fixed"))], tmp_path)
    assert [(done.name, figures["test"]["test"]) for done, figures in found] == [("dfp 4", 0.51), ("dfp 8", 0.52)]
    lines = re.sub(r", \d+ s$", "", capsys.readouterr().out, flags=re.MULTILINE).splitlines()
    assert lines == ["lenet_caffe sgd 0, dfp 4: test 51.00%", "lenet_caffe sgd 0, dfp 8: test 52.00%"]


def test_jobs_of_a_source_stay_in_one_chain(monkeypatch, tmp_path):
    chains = []

    @contextlib.contextmanager
    def workers():
        def work_on(function, lists, build):
            assert function is chain and build == tmp_path
            chains.extend(lists)
            return [[(done, {"of": done.name}) for done in jobs] for jobs in lists]

        yield work_on

    monkeypatch.setattr(runs, "workers", workers)
    other = ("lenet_caffe", "sgd", 1)
    jobs = [job(), job(source=other), job(name="dfp 8")]
    found = run(jobs, tmp_path)
    assert [[part.name for part in jobs] for jobs in chains] == [["dfp 4", "dfp 8"], ["dfp 4"]]
    assert found[other, "dfp 4"] == {"of": "dfp 4"} and len(found) == 3


def test_all_code_that_decides_is_named():
    found = modules()
    assert {"golden.mac", "golden.formats.powers", "golden.formats", "quant.tune", "quant.rules"} <= set(found)
    assert not any(name.endswith("__main__") for name in found) and len(set(found)) == len(found)
    for name in found:
        assert name in sys.modules or importlib.util.find_spec(name) is not None
