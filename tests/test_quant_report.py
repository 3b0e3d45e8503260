import json
import re

import pytest
from quadrants import graph, quadrants

from golden.errors import InputError
from quant.approximate import approximate
from quant.plan import Plan
from quant.report import markdown, summary, text, write
from quant.tune import Tuning


def measured(**settings):
    area = settings.pop("area", None)
    return approximate(graph(), quadrants(), Plan(**settings), area=area, name="quad", progress=False).figures


@pytest.fixture(scope="module")
def figures():
    tuning = Tuning(epochs=2, batch=20, rate=1e-3)
    return measured(scheme="pow2", margin=0.05, tuning=tuning, area=lambda spec, lanes: 1000.0 * spec.w.width)


def test_the_summary_says_what_was_reached(figures):
    held_out, test = figures["held_out"], figures["test"]
    lines = summary(figures)
    assert lines[0] == "quad, pow2: margin of 5.00% met"
    assert lines[1] == (
        f"held-out images (200): float {held_out['float']:.2%}, least allowed {held_out['least']:.2%}, "
        f"quantised {held_out['untuned']:.2%}, tuned {held_out['found']:.2%}"
    )
    assert f"quantised {test['test']:.2%} by golden" in lines[2]
    assert lines[3] == "torch and golden agree on all 67,200 integers of 200 test images"
    assert lines[4] == "weights: 3,408 bits instead of 27,264 of float32, 8.0 times fewer"
    assert lines[5] == "outputs: 2,176 bits instead of 8,704 of float32, 4.0 times fewer"
    assert lines[6] == "cycles of one image on a MAC tree of 16 lanes: 323"
    assert lines[7] == "area of a MAC tree of 16 lanes for each layer, together: 12,000 GE"


def test_a_missed_margin_is_said_first():
    missed = measured(scheme="pow2", margin=0.0)
    assert summary(missed)[0] == "quad, pow2: margin of 0.00% NOT met, this is the best that was found"
    assert ", tuned" not in text(missed) and "area" not in text(missed)


def test_the_table_has_a_row_for_each_layer_and_one_for_all(figures):
    lines = [line for line in text(figures).splitlines() if line.startswith(("conv", "hidden", "out ", "all"))]
    rows = [re.split("  +", line) for line in lines]
    assert [row[0] for row in rows] == ["conv", "hidden", "out", "all"]
    conv = figures["layers"][0]
    least, most = conv["weights"]["range"]
    assert rows[0][1:3] == ["pow2_4", f"{least:.3g} to {most:.3g}"] and least < -0.1 < 0.1 < most
    assert rows[0][3:5] == [f"{conv['weights']['saturated']:.1%}", "0.0%"]
    assert rows[0][-4:] == ["2,048", conv["bias"], "2,304", "261"]
    assert rows[-1][1:] == ["3,408", "2,176", "3,120", "323"]


def test_markdown_has_equally_many_cells_in_all_rows(figures):
    page = markdown(figures, [("/some/where/bits.png", "Accuracy against bits")])
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3 + 1 and {row.count("|") for row in rows} == {17}
    assert page.startswith("# quad: pow2\n\n- quad, pow2: margin of 5.00% met\n")
    assert page.endswith("![Accuracy against bits](bits.png)\n")


def test_files_and_pictures_are_written(figures, tmp_path):
    paths = write(figures, tmp_path / "new" / "folder")
    names = [path.name for path in paths]
    assert names == ["report.json", "report.md", "report.txt", "weights.png", "outputs.png", "bits.png", "area.png"]
    assert json.loads(paths[0].read_text()) == json.loads(json.dumps(figures))
    assert paths[2].read_text() == text(figures)
    for path in paths[3:]:
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5_000
        assert f"({path.name})" in paths[1].read_text()


def test_a_folder_that_cannot_be_written_is_refused(figures, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write(figures, tmp_path / "file")
