"""studies.mnist: what is trained, and the page from a few images."""

from dataclasses import replace

import pytest
from one_process import FEW, made

from studies import mnist
from studies.mnist import ROWS, Scale, scale, trials
from studies.samples import Data

CHANCE, MARGIN = 0.1, 0.2


def test_rows_are_what_their_titles_say():
    found = {trial.row: trial.recipe for trial in trials(Scale(data=FEW), [0])}
    ternary, xnor, small, middle, large = (found[row.title] for row in ROWS)
    assert ternary.schemes == ("ternary",) * 4 and ternary.activations == "int8" and ternary.start.schemes == ()
    assert xnor.schemes == ("int8", "bwn", "bwn", "int8") and xnor.start == ternary.start
    for recipe in (small, middle):
        assert recipe.schemes == ("ternary",) * 4 and "input=wrpn2" in recipe.activations and recipe.start is None
    assert large.schemes == ("wrpn1",) * 4
    assert [row.least for row in ROWS] == [0.994, 0.99, 0.97, 0.98, 0.98]


def test_the_full_scale_asks_for_the_published_figures():
    short = {row.network: row for row in scale(False, None).rows}
    rows = scale(True, None).rows
    assert [(row.network, row.published, row.least) for row in rows] == [
        ("mlp256", 0.9866, 0.9866),
        ("mlp1024", 0.9899, 0.9899),
    ]
    for row in rows:
        assert row.settings["epochs"] > 5 * short[row.network].settings["epochs"]
        assert (row.weights, row.activations) == (short[row.network].weights, short[row.network].activations)


def test_the_full_row_with_a_teacher_from_a_few_images(monkeypatch, tmp_path):
    [*_, row] = scale(True, None).rows
    monkeypatch.setattr(mnist, "LENET", mnist.LENET | {"epochs": 4, "batch": 32})
    few = Scale(data=FEW, rows=(replace(row, network="mlp64", settings=row.settings | {"epochs": 6, "batch": 32}),))
    [trial] = trials(few, [1])
    assert trial.recipe.teacher.network == "lenet" and trial.recipe.teacher.seed == 1
    found, page = made(monkeypatch, mnist, few, [1], tmp_path)
    assert found["rows"][0]["test"]["mean"] > CHANCE + MARGIN and found["rows"][0]["least"] == 0.9899
    assert "| 6 with a teacher | 1 |" in page and "LeNet of floats" in page
    assert scale(False, None).data == scale(True, None).data == Data(name="mnist")


def test_the_page_from_a_few_images(monkeypatch, tmp_path):
    rows = tuple(replace(row, settings=row.settings | {"epochs": 6, "batch": 32}) for row in ROWS[2:4])
    rows = (replace(rows[0], least=0.2), replace(rows[1], least=0.999))
    found, page = made(monkeypatch, mnist, Scale(data=FEW, rows=rows), [0, 1], tmp_path)
    for row in found["rows"]:
        assert row["by"] == "golden" and row["bits"] == 2 and row["test"]["mean"] > CHANCE + MARGIN
    assert "| ≥ 20.00%, reached |" in page and "| ≥ 99.90%, missed | 98.66% |" in page
    assert "teacher" not in page
    assert "seeds 0, 1." in page and not (tmp_path / "mnist.png").exists()
    assert "mnist: 640 images to train on, 100 held out, 200 to test." in page


@pytest.mark.long
def test_the_other_rows_from_a_few_images(monkeypatch, tmp_path):
    rows = [replace(row, settings=row.settings | {"epochs": 6, "batch": 32}) for row in (*ROWS[:2], ROWS[4])]
    rows = [replace(row, floats=row.floats and row.floats | {"batch": 32}) for row in rows]
    found, page = made(monkeypatch, mnist, Scale(data=FEW, rows=tuple(rows)), [0], tmp_path)
    for row in found["rows"]:
        assert row["by"] == "golden" and row["test"]["mean"] > CHANCE + MARGIN, row["row"]
        assert f"| {row['row']} | {row['bits']:.2f} |" in page
    assert [row["bits"] for row in found["rows"]] == [2, pytest.approx(1.1, abs=0.1), 1]
