"""studies.tricks: what each trick changes, the page from a few images."""

import dataclasses

import numpy as np
from one_process import HALVED, made

from golden.layer_tables import topology
from studies import tricks
from studies.tables import spread
from studies.tricks import BASE, EQUAL, FLOAT, STEADY, TRICKS, Scale, beside, order, ratio, scale, trials

CHANCE, MARGIN = 0.1, 0.2


def test_each_trick_changes_what_it_says():
    found = {trial.row: trial.recipe for trial in trials(Scale(data=HALVED, sizes={}, epochs=12), [3])}
    base = found[BASE]
    assert base.schemes == (*["ternary"] * 6, "float", "float") and base.activations == "float" and base.start is None
    reg, errors, relut, skip, four, steady, stalled, pretrained = (found[trick.title] for trick in TRICKS[1:])
    assert reg.activity > 0 and errors.errors_only and (relut.relu_threshold, relut.threshold_epochs) == (0.01, 2)
    assert skip.schemes == ("float", *base.schemes[1:])
    assert four.activity == reg.activity and four.errors_only and four.threshold_epochs == 2 and four.schemes == skip.schemes
    assert steady.rule == "adam" and steady.decay == 0 and TRICKS[7].against == STEADY
    assert dataclasses.replace(steady, patience=3, cut=0.1) == stalled  # the cut alone
    assert pretrained.start.schemes == () and (pretrained.start.epochs, pretrained.epochs) == (2, 10) and base.epochs == 12
    assert found[FLOAT].schemes == () and {recipe.seed for recipe in found.values()} == {3}
    deep, shallow = found["resnet20 ternary"], found["resnet8 float"]
    assert deep.schemes == ("float", *["ternary"] * 18, "float") and shallow.schemes == ()
    # of the ternary network's products a quarter is not 0: as many as the floats' with all zeros
    assert 1 / EQUAL < 0.25 * topology(deep.network).macs / topology(shallow.network).macs < EQUAL


def test_scales():
    usual, full, own = scale(False, None), scale(True, None), scale(False, "folder")
    assert usual.data.train == 10_000 and full.data.train is None and own.network == "vgg_cifar" and own.epochs == 90
    assert own.flip and not usual.flip  # digits and clothes are not mirrored, CIFAR-10 is


def test_compute_is_of_products_that_are_not_zero():
    deep, shallow = ({"macs": macs, "products": spread([share])} for macs, share in ((300, 0.2), (100, 0.5)))
    assert ratio(deep, shallow) == 1.2
    assert beside(1.2) == "about as many (1.20 times) as" and beside(0.7) == "0.70 times as many as"


def test_depth_is_better_or_worse_by_two_standard_errors():
    high, low, wide = ({"test": spread(values)} for values in ((0.9, 0.91), (0.8, 0.81), (0.7, 0.95)))
    assert (order(high, low), order(low, high)) == ("better", "worse")
    assert order(high, wide).startswith("not further than two standard errors")


def test_curves_end_together_and_start_after_epochs_in_floats(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(tricks, "draw", lambda axis, curves, title: drawn.append(curves))
    rows = [{"row": title, "curve": [0.5] * 8} for title in (FLOAT, *(trick.title for trick in TRICKS))]
    [last] = (row for row, trick in zip(rows[1:], TRICKS, strict=True) if trick.pretrained)
    last["curve"] = [0.6] * 6
    tricks.pictures({"rows": rows, "epochs": 8, "stem": "tricks"}, tmp_path)
    np.testing.assert_array_equal(drawn[1]["PI"], [np.nan, np.nan, *[0.6] * 6])
    assert all(len(curve) == 8 for curves in drawn for curve in curves.values()) and "PI" not in drawn[0]


def test_the_page_from_a_few_images(monkeypatch, tmp_path):
    small = Scale(data=HALVED, sizes={}, deep="resnet8", epochs=3, batch=32)
    found, page = made(monkeypatch, tricks, small, [0], tmp_path)
    rows = {row["row"]: row for row in found["rows"]}
    assert set(rows) == {FLOAT, *(trick.title for trick in TRICKS)} and (tmp_path / "tricks.png").exists()
    for row in rows.values():
        assert row["test"]["mean"] > CHANCE + MARGIN, row["row"]
        assert f"| {row['row']} | {row['test']['mean']:.2%} |" in page
    assert rows[FLOAT]["nonzero"]["mean"] == 1 and rows[BASE]["nonzero"]["mean"] < 0.8
    assert rows[BASE]["products"]["mean"] < rows[FLOAT]["products"]["mean"]
    gap = 100 * (rows[TRICKS[7].title]["test"]["mean"] - rows[STEADY]["test"]["mean"])
    assert f"| {TRICKS[7].title} | {rows[TRICKS[7].title]['test']['mean']:.2%} | {gap:+.2f} |" in page
    assert [row["row"] for row in found["depth"]] == ["resnet8 float", "resnet8 ternary"]
