"""studies.methods: every row is a network that exists; the table of a few, trained on a few images."""

import pytest
import torch
from one_process import FEW, made

from golden.layer_tables import topology
from golden.operations import GemmOperation
from quant.export import export
from quant.models import Classifier
from quant.schemes import activation_schemes, schemes
from rtl.targets import TARGETS, target
from studies import methods
from studies.methods import FLOAT, ROWS, Scale, markdown, pairs, scale, trials
from studies.tables import spread
from tb.arrays import USES, gemm_target, without_unit

CHANCE, MARGIN = 0.1, 0.2
QUICK = ("integers, 8 bits", "TTQ", "BNN", "LogNet", "shared weights")


def test_rows_are_schemes_and_targets():
    net = topology("lenet")
    assert len({row.title for row in ROWS}) == len(ROWS)
    for row in ROWS:
        engine = target(row.target).engine(**row.settings)
        if row.title != FLOAT:
            assert schemes(row.weights, net)[0] == "int8" == schemes(row.weights, net)[-1] and engine.w.width <= 8
            activation_schemes(row.activations, net)


def lowered(row, net):
    """(name, target, its parameters, calls) of each layer of the row's network, untrained, as `tb` runs it."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (2, *net.shapes["input"]), dtype=torch.uint8)
    model = Classifier(net, schemes(row.spelled(net), net), row.activations).train()
    model(images)  # ranges and centroids
    network, together = export(model.eval()), {}
    for step in network.steps(images.numpy()):
        operation = network.operations[step.node.name]
        if isinstance(operation, GemmOperation):
            name = gemm_target(operation.spec, step.node.target)
            together.setdefault((name, step.node.inputs), []).append(operation.lower(*step.inputs))
    for layer, ((name, _), calls) in zip(net.rows, together.items(), strict=True):
        yield layer, name, USES[TARGETS[name].make].lowered(*calls)[0], calls


@pytest.mark.parametrize("row", [row for row in ROWS if row.title != FLOAT], ids=lambda row: row.title)
def test_areas_and_cycles_are_those_of_the_array_that_runs_the_network(row):
    claimed, inner = target(row.target).engine(**row.settings), 0
    for layer, name, settings, calls in list(lowered(row, topology("lenet")))[1:-1]:
        assert name == row.target and claimed.spec(calls[0].a.shape[1]).longest >= calls[0].a.shape[1]
        if layer.kind == "conv" or row.dense is None:
            runs, inner = target(name).engine(**settings), inner + 1
            for what in set(settings) - {"bits"}:
                assert without_unit(getattr(runs, what)) == without_unit(getattr(claimed, what)), what
            assert settings.get("bits") == row.settings.get("bits")
    assert inner == (2 if row.dense is None else 1)


def test_every_method_starts_from_the_one_float_network_of_its_seed():
    found = trials(Scale(data=(FEW,)), [0, 1])
    assert len(found) == 2 * len(ROWS)
    starts = {trial.recipe.start for trial in found if trial.row != f"mnist: {FLOAT}"}
    assert starts == {trial.recipe for trial in found if trial.row == f"mnist: {FLOAT}"} and len(starts) == 2
    assert {trial.recipe.epochs for trial in found if trial.recipe.start} == {2}


def test_scales():
    usual, full, own = scale(False, None), scale(True, None), scale(False, "folder")
    assert [data.name for data in usual.data] == ["fashion-mnist", "mnist"] == [data.name for data in full.data]
    assert {data.train for data in full.data} == {None} and own.network == "cifar10_full"
    assert own.flip and not usual.flip  # digits and clothes are not mirrored, CIFAR-10 is
    assert all(each.epochs <= 2 for each in (usual, full, own))
    assert len(trials(Scale(data=(FEW, FEW), seeds=1), [0, 1, 2])) == 4 * len(ROWS)


def test_the_table_of_a_few(monkeypatch, tmp_path):
    monkeypatch.setattr(methods, "elements", lambda asked: {title: 100.0 + len(title) for title in asked})
    rows = tuple(row for row in ROWS if row.title in (FLOAT, *QUICK))
    found, page = made(monkeypatch, methods, Scale(data=(FEW,), floats=6, rows=rows), [0], tmp_path)
    for row in found["data"][0]["rows"]:
        assert row["test"]["mean"] > CHANCE + MARGIN, row["row"]
        assert row["by"] == ("torch" if row["row"] == FLOAT else "golden")
        assert row["cycles"] > 10_000
        gap = row["test"]["mean"] - found["data"][0]["rows"][0]["test"]["mean"]
        gap = "" if row["row"] == FLOAT else f"{100 * gap:+.2f}"
        assert f"| {row['row']} | {row['test']['mean']:.2%} | {gap} | {row['bits']:.2f} |" in page
    bits = {row["row"]: row["bits"] for row in found["data"][0]["rows"]}
    assert bits[FLOAT] == 32 and bits["BNN"] < 1.2 < bits["TTQ"] < 2.2 and (tmp_path / "methods.png").exists()


@pytest.mark.long
def test_the_table_of_all(monkeypatch, tmp_path):
    found, page = made(monkeypatch, methods, Scale(data=(FEW,), floats=6), [0, 1], tmp_path)
    areas = {row["row"]: row["area"] for row in found["data"][0]["rows"]}
    assert areas["BNN"] < areas["TWN"] < areas["integers, 8 bits"] < areas[FLOAT]
    for row in found["data"][0]["rows"]:
        assert f"| {row['row']} |" in page and row["test"]["mean"] > CHANCE + MARGIN, row["row"]


def row(name, loss, *tests):
    return {"row": name, "loss": loss, "test": spread(tests)}


def test_only_pairs_that_are_apart_have_an_order():
    rows = [row("a", 0.0, 0.9, 0.91), row("b", 5.0, 0.8, 0.81), row("c", 9.0, 0.89, 0.9), row("d", 9.0, 0.1, 0.1)]
    found = {tuple(pair["pair"]): (pair["theirs"], pair["ours"]) for pair in pairs([*rows, row("e", None, 0.5, 0.5)])}
    assert found == {
        ("a", "b"): ("a", "a"),
        ("a", "c"): ("a", None),
        ("a", "d"): ("a", "a"),
        ("b", "c"): ("b", "c"),
        ("b", "d"): ("b", "b"),
    }


def test_the_page_says_which_orders_agree():
    rows = [row(FLOAT, None, 0.9, 0.9), row("a", 0.0, 0.9, 0.91), row("b", 5.0, 0.8, 0.81), row("c", 9.0, 0.89, 0.9)]
    more = {"bits": 2.0, "nonzero": spread([0.5]), "products": spread([0.25]), "target": "t", "area": 10.0, "cycles": 7}
    rows = [each | more for each in rows]
    training = {"epochs": 2, "floats": 9, "network": "lenet"}
    data = {"name": "n", "title": "t", "seeds": [0, 1], "rows": rows, "pairs": pairs(rows)}
    found = {"seeds": [0, 1], "training": training, "data": [data]}
    text = "\n".join(markdown(found))
    assert "Of 3 pairs that differ there, the means of 2 are further apart" in text
    assert "1 of these are in AlexNet's order" in text
    assert "| b | 80.50% ± 0.71% | -9.50 | 2.00 | 50.00% | 25.00% | `t` | 10 | 7 |" in text
    for each in rows:
        each["test"] = spread(each["test"]["runs"][:1])
    data["seeds"] = [0]
    assert "One seed: no order." in markdown(found) and "t; seed 0 alone." in markdown(found) and "t." not in markdown(found)
    assert "two standard errors" not in "\n".join(markdown(found))
    assert "| a | b | so too |" in text and "| c | b | the other way round |" in text
