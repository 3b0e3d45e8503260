import json
from dataclasses import replace

import pytest
import torch
from quadrants import graph, quadrants, trained

from golden.formats import parse
from quant import scores as scoring
from quant.assignment import Assignment
from quant.scores import Scores, digest, spelled

COARSE = Assignment(weights={"hidden": parse("int2e-1")})


def test_the_score_of_nothing_is_that_of_the_float_network():
    data, module = quadrants().held_out, trained()
    with torch.no_grad():
        right = int((module(data.images).argmax(1) == data.labels).sum())
    assert Scores(graph(), data, "d").float == right / 200
    assert 150 < right < 200


def test_formats_cost_accuracy():
    scores = Scores(graph(), quadrants().held_out, "d")
    fine = Assignment(weights={"hidden": parse("int16e-13")})
    assert scores(fine) == scores.float
    assert scores(COARSE) < scores.float


def test_what_is_known_is_not_computed_again(tmp_path, monkeypatch):
    calls, correct = [], scoring.correct
    monkeypatch.setattr(scoring, "correct", lambda model, split: calls.append(1) or correct(model, split))
    scores = Scores(graph(), quadrants().held_out, "d", build=tmp_path)
    assert scores(COARSE) == scores(Assignment(weights={"hidden": parse("int2e-1")})) and len(calls) == 1
    again = Scores(graph(), quadrants().held_out, "d", build=tmp_path)
    assert again(COARSE) == scores(COARSE) and len(calls) == 1
    Scores(graph(), quadrants().held_out, "other data", build=tmp_path)(COARSE)
    other = graph()
    other = replace(other, unit=1 / 128)
    Scores(other, quadrants().held_out, "d", build=tmp_path)(COARSE)
    assert len(calls) == 3
    (path,) = [path for path in tmp_path.iterdir() if path == scores.path]
    path.write_text("{")
    assert Scores(graph(), quadrants().held_out, "d", build=tmp_path)(COARSE) == scores(COARSE)
    assert len(calls) == 4 and len(json.loads(path.read_text())) == 1


def test_digest_sees_numbers_and_structure():
    first = graph()
    assert digest(first) == digest(replace(first, ops=list(first.ops)))
    ops = list(first.ops)
    ops[0] = replace(ops[0], weight=ops[0].weight + torch.tensor(1e-3))
    assert digest(replace(first, ops=ops)) != digest(first)
    ops[0] = replace(first.ops[0], bias=None)
    assert digest(replace(first, ops=ops)) != digest(first)
    assert digest(replace(first, unit=1 / 255)) != digest(first)
    pool = replace(first.ops[2], attributes=first.ops[2].attributes | {"ceil_mode": True})
    assert digest(replace(first, ops=[*first.ops[:2], pool, *first.ops[3:]])) != digest(first)


def test_spelled():
    found = Assignment(weights={"b": parse("pow2_4"), "a": parse("int4")}, outputs={"a": parse("mini_e4m3")})
    assert spelled(found) == {"weights": {"a": "int4", "b": "pow2_4"}, "biases": {}, "outputs": {"a": "mini_e4m3"}}
    assert list(spelled(found)["weights"]) == ["a", "b"]


@pytest.mark.parametrize("rows", ["[]", '{"x": "y"}', "null"])
def test_a_spoilt_file_is_as_none(tmp_path, rows):
    path = Scores(graph(), quadrants().held_out, "d", build=tmp_path).path
    path.write_text(rows)
    assert Scores(graph(), quadrants().held_out, "d", build=tmp_path).known == {}
