"""studies.ristretto_report: tables as Markdown, from made-up figures."""

import pytest

from studies import ristretto_report as report


def mean(value, deviation=None):
    return {"mean": value, "deviation": deviation, "runs": [value]}


ROW = {
    "table": "7.1",
    "row": "power-of-two weights",
    "published": {"float": 0.9915, "untuned": 0.9882, "tuned": 0.9916},
    "untuned": mean(0.98),
    "their_way": 0.985,
    "tuned": mean(0.99, 0.0012),
    "ties": 0.015,
}
BASE = {
    "float": mean(0.9909),
    "tuned": [ROW],
    "parts": {"outputs": {"8": 0.991, "2": 0.45}},
    "curves": {"dfp": {"8": {"test": 0.99}, "4": {"test": 0.9}}, "minifloat": {"8": {"test": 0.985}, "4": {"test": 0.11}}},
    "ordered": {"images": 500, "exact": [0.988, 0.99], "fp32": [0.988, 0.986]},
}
AREA = {"formats": "int8", "unit_gate_equivalents": 612.4, "period_ns": 5.678, "energy_pj": 1.234}
STUDY = {
    "seeds": [0],
    "commit": "abc",
    "sweep": [8, 4],
    "bases": {"sgd": BASE},
    "published": {"parts": {"outputs": {"8": 0.991, "2": 0.974}}},
    "ranges": {
        "images": 10,
        "groups": {"outputs": {"numbers": 12345, "greatest": 17.25, "bulk": [-4, 3], "histogram": {"-4": 0.4, "3": 0.6}}},
    },
    "areas": [
        AREA | {"family": "dfp", "bits": 8, "gate_equivalents": 12345.6},
        AREA | {"family": "pow2", "bits": 4, "gate_equivalents": 4321.0},
    ],
}


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_a_mean_says_its_deviation_only_if_there_is_one():
    assert report.mean(mean(0.98765)) == "98.77%"
    assert report.mean(mean(0.98765, 0.0004)) == "98.77% ± 0.04%"


def test_a_table_is_as_wide_as_its_head():
    assert report.table(["a", "b"], [[1, "x"]]) == "| a | b |\n| --- | ---: |\n| 1 | x |\n"


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("tuned", ["7.1", "power-of-two weights", "99.15%", "98.82%", "99.16%", "99.09%", "98.00%", "98.50%", "99.00% ± 0.12%", "1.50%"]),
        ("parts", ["layer outputs", "published", "99.1%", "97.4%"]),
        ("curves", ["minifloat", "sgd", "98.50%", "11.00%"]),
        ("ordered", ["sgd", "500", "98.80%, 99.00%", "98.80%, 98.60%"]),
        ("ranges", ["outputs", "12,345", "2^-4 to 2^4", "17.2"]),
        ("areas", ["pow2", "4", "int8", "4,321", "612", "5.68", "1.23"]),
    ],
)
def test_rows_of_a_table(name, last):
    rows = cells(getattr(report, name)(STUDY))
    assert rows[-1] == last
    assert {len(row) for row in rows} == {len(last)}


def test_tuning_as_in_the_thesis_has_a_column_where_it_was_run():
    other = BASE | {"tuned": [ROW | {"their_way": None}]}
    head, _, row = cells(report.tuned(STUDY | {"bases": {"sgd": BASE, "adamw": other}}))
    assert head[5:] == ["sgd: float", "untuned", "tuned their way", "tuned", "ties", "adamw: float", "untuned", "tuned", "ties"]
    assert len(row) == len(head)


def test_the_page_and_its_pictures(tmp_path):
    path = report.write(STUDY, tmp_path)
    page = path.read_text()
    assert path.name == "ristretto.md" and page == report.markdown(STUDY)
    assert "a mean is of 1 seed, with" in page and "Commit abc." in page and page.endswith("\n")
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert len(headings) == 7 and headings[0] == "# Ristretto, redrawn"
    pictures = {picture.name for picture in tmp_path.glob("*.png")}
    assert pictures == {"ristretto-bits.png", "ristretto-ranges.png", "ristretto-area.png"}
    assert all(f"({name})" in page for name in pictures)


def test_the_axis_of_accuracy_shows_the_last_hundredths(tmp_path):
    with report.picture(tmp_path / "a.png", 1, 1, (3, 3)) as axes:
        axis = axes[0]
        report.axis_of_accuracy(axis)
        low, high = (axis.transData.transform((0, y))[1] for y in (0.99, 0.995))
        whole = [axis.transData.transform((0, y))[1] for y in (0.05, 1.0)]
        assert (high - low) / (whole[1] - whole[0]) > 0.04  # of a linear axis it is half a hundredth
