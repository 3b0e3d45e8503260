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
    "asked": 0.98987,
    "reached": True,
    "ties": 0.015,
}
BASE = {
    "float": mean(0.9909),
    "tuned": [ROW],
    "parts": {"outputs": {"8": 0.991, "2": 0.45}},
    "curves": {
        "dfp": {"8": {"test": 0.99}, "4": {"test": 0.9}},
        "minifloat": {"8": {"test": 0.985}, "4": {"test": 0.11}},
        "pow2": {"8": {"test": 0.98}},
    },
    "ordered": {"images": 500, "exact": [0.988, 0.99], "fp32": [0.988, 0.986]},
}
AREA = {"formats": "int8", "unit_gate_equivalents": 612.4, "period_ns": 5.678, "energy_pj": 1.234}
STUDY = {
    "seeds": [0],
    "commit": "abc",
    "sweep": [8, 4],
    "bases": {"sgd": BASE},
    "published": {"parts": {"outputs": {"8": 0.991, "2": 0.974}}, "curves": {"dfp": {"8": 0.992}, "minifloat": {"4": 0.1009}}},
    "time": {"seconds": 1650, "cores": 2, "empty": True, "runs": 122, "kept": 0, "seconds_of_runs": 3000},
    "ranges": {
        "images": 10,
        "groups": {"outputs": {"numbers": 12345, "greatest": 17.25, "bulk": [-4, 3], "histogram": {"-4": 0.4, "3": 0.6}}},
    },
    "areas": [
        AREA | {"family": "dfp", "bits": 8, "gate_equivalents": 12345.6},
        AREA | {"family": "fp32", "bits": 8, "gate_equivalents": 54321.0},
        AREA | {"family": "pow2", "bits": 8, "gate_equivalents": 4321.0},
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
        ("tuned", ["7.1", "power-of-two weights", "99.15%", "98.82%", "99.16%", "99.09%", "98.00%", "98.50%", "99.00% ± 0.12%", "≥ 98.99%, reached", "1.50%"]),
        ("parts", ["layer outputs", "published", "99.1%", "97.4%"]),
        ("curves", ["minifloat", "published", "", "10.09%"]),
        ("ordered", ["sgd", "500", "98.80%, 99.00%", "98.80%, 98.60%"]),
        ("ranges", ["outputs", "12,345", "2^-4 to 2^4", "17.2"]),
        ("areas", ["powers of two", "8", "int8", "4,321", "612", "5.68", "1.23"]),
    ],
)
def test_rows_of_a_table(name, last):
    rows = cells(getattr(report, name)(STUDY))
    assert rows[-1] == last
    assert {len(row) for row in rows} == {len(last)}


def test_tuning_as_in_the_thesis_has_a_column_where_it_was_run():
    other = BASE | {"tuned": [ROW | {"their_way": None, "reached": False}]}
    head, _, row = cells(report.tuned(STUDY | {"bases": {"sgd": BASE, "adamw": other}}))
    sgd = ["sgd: float", "untuned", "tuned their way", "tuned", "asked for", "ties"]
    assert head[5:] == [*sgd, "adamw: float", "untuned", "tuned", "asked for", "ties"]
    assert len(row) == len(head) and [cell for cell in row if cell.startswith("≥")] == ["≥ 98.99%, reached", "≥ 98.99%, missed"]


def test_points_that_were_not_run_or_published_are_left_out():
    rows = cells(report.curves(STUDY))
    assert ["powers of two", "sgd", "98.00%", ""] in rows and ["dynamic fixed point", "published", "99.20%", ""] in rows


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ({}, "made in 28 minutes on 2 cores; its runs took 50 minutes of one core in all"),
        (
            {"seconds": 61, "cores": 1, "empty": False, "kept": 120},
            "made in 1 minute on 1 core, with caches that were not empty, which held 120 of the 122 runs; its runs took 50 "
            "minutes of one core in all",
        ),
    ],
)
def test_the_time_is_said_with_what_was_there_before(time, text):
    assert report.made(STUDY | {"time": STUDY["time"] | time}) == text


def test_the_page_and_its_pictures(tmp_path):
    path = report.write(STUDY, tmp_path)
    page = path.read_text()
    assert path.name == "ristretto.md" and page == report.markdown(STUDY)
    assert "a mean is of 1 seed, with" in page and "Commit abc, made in 28 minutes" in page and page.endswith("\n")
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
