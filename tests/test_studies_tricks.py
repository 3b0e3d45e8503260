"""studies.tricks: what each trick changes, the page from a few images."""

from one_process import HALVED, made

from golden.layer_tables import topology
from studies import tricks
from studies.tricks import BASE, FLOAT, TRICKS, Scale, ratio, scale, trials
from studies.tables import spread

CHANCE, MARGIN = 0.1, 0.2


def test_each_trick_changes_what_it_says():
    found = {trial.row: trial.recipe for trial in trials(Scale(data=HALVED, sizes={}, epochs=8), [3])}
    base = found[BASE]
    assert base.schemes == (*["ternary"] * 6, "float", "float") and base.activations == "float" and base.start is None
    reg, errors, relut, skip, four, stalled, pretrained = (found[trick.title] for trick in TRICKS[1:])
    assert reg.activity > 0 and errors.errors_only and (relut.relu_threshold, relut.threshold_epochs) == (0.01, 2)
    assert skip.schemes == ("float", *base.schemes[1:])
    assert four.activity == reg.activity and four.errors_only and four.threshold_epochs == 2 and four.schemes == skip.schemes
    assert stalled.patience > 0 and stalled.rule == "adam"
    assert pretrained.start.schemes == () and pretrained.start.epochs + pretrained.epochs == base.epochs == 8
    assert found[FLOAT].schemes == () and {recipe.seed for recipe in found.values()} == {3}
    deep, shallow = found["resnet20 ternary"], found["resnet8 float"]
    assert deep.schemes == ("float", *["ternary"] * 18, "float") and shallow.schemes == ()
    assert topology(deep.network).macs > 3 * topology(shallow.network).macs


def test_scales():
    usual, full, own = scale(False, None), scale(True, None), scale(False, "folder")
    assert usual.data.train == 10_000 and full.data.train is None and own.network == "vgg_cifar" and own.epochs == 90


def test_compute_is_of_products_that_are_not_zero():
    deep, shallow = ({"macs": macs, "products": spread([share])} for macs, share in ((300, 0.2), (100, 0.5)))
    assert ratio(deep, shallow) == 1.2


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
    assert [row["row"] for row in found["depth"]] == ["resnet8 float", "resnet8 ternary"]
