"""studies.schemes: which networks are trained, what is claimed of them, the page from a few images."""

import pytest
from one_process import HALVED, made

from golden.layer_tables import topology
from studies import schemes
from studies.schemes import (
    GRID,
    LONGER,
    NARROW,
    NARROW_RATE,
    PUBLISHED,
    RATE,
    SCHEMES,
    WIDE,
    WIDER,
    Scale,
    below,
    claim,
    claimed,
    runs,
    scale,
    title,
    trials,
)
from studies.tables import spread

CHANCE, MARGIN = 0.1, 0.12  # on 200 images, five standard deviations of guessing


def of(found, row):
    [trial] = [trial for trial in found if trial.row == row]
    return trial.recipe


def test_schemes_widen_and_teach():
    found = trials(Scale(data=HALVED), [5])
    base, narrow = (of(found, title("resnet8", "baseline", bits)) for bits in (WIDE, NARROW))
    assert base.schemes == () and base.teacher is None
    assert narrow.schemes == ("int8", *["wrpn2"] * 6, "int8") and narrow.activations == "wrpn8"
    both = of(found, title("resnet8", "WRPN + Apprentice", NARROW))
    widths = [row.m for row in topology(both.network).rows]
    assert widths == [16, 16, 16, 16, 16, 32, 32, 10] and [row.m for row in topology(base.network).rows][:4] == [8, 8, 8, 16]
    assert both.distillation.scheme == "C" and both.teacher.seed == 0 and len(topology(both.teacher.network).rows) == 20
    assert both.start == of(found, title("resnet8", "WRPN + Apprentice", WIDE)) and both.start.distillation.scheme == "B"
    assert narrow.start == base and narrow.distillation is None and base.start is None
    longer = of(found, title("resnet8", LONGER, WIDE))
    assert longer.start == base and longer.schemes == () and longer.distillation is None
    assert base.epochs + longer.epochs == narrow.start.epochs + narrow.epochs == 18
    assert (base.rate, longer.rate, narrow.rate, both.start.rate, both.rate) == (RATE, RATE, NARROW_RATE, RATE, NARROW_RATE)
    every = of(found, title("resnet8", "WRPN, all filters, + Apprentice", NARROW))
    assert [row.m for row in topology(every.network).rows] == [16, 16, 16, 32, 32, 64, 64, 10]
    assert len({trial.recipe.teacher for trial in found} - {None}) == 1


def test_grids():
    usual, full, own = scale(False, None), scale(True, None), scale(False, "folder")
    assert len(list(runs(usual))) == 4 * 2 + 3 and len(list(runs(full))) == 4 * 6 + 3
    assert len(list(runs(own))) == 2 * (4 * 6 + 2)
    assert own.networks == ("resnet44", "resnet56") and own.precisions == GRID and own.width == 1
    for name in own.networks:
        assert set(PUBLISHED[name]) == set(SCHEMES) - {LONGER, WIDER}
        assert all(set(row) == set(GRID) for row in PUBLISHED[name].values())


def test_without_tuning_all_are_trained_from_nothing():
    found = trials(Scale(data=HALVED, tuned=0), [5])
    assert all(trial.recipe.start is None for trial in found) and {trial.recipe.epochs for trial in found} == {9}
    both = of(found, title("resnet8", "WRPN + Apprentice", NARROW))
    assert both.distillation.scheme == "B" and both.schemes[1] == "wrpn2"


def rows(**tests):
    """Rows of made-up accuracies."""
    found = []
    for scheme, found_tests in tests.items():
        for bits, test in zip((WIDE, NARROW), found_tests, strict=False):
            row = {"network": "n", "scheme": scheme, "bits": list(bits), "test": spread(test), "curve": [0.1, *test]}
            found.append(row)
    return found


def test_claims_are_differences_seed_by_seed():
    names = {"baseline": ([0.9, 0.8], [0.7, 0.75]), "Apprentice": ([0.9, 0.9], [0.8, 0.82])}
    names |= {"WRPN + Apprentice": ([0.9, 0.9], [0.92, 0.81]), WIDER: ([0, 0], [0.89, 0.8])}
    assert LONGER not in claim(rows(**names), "n")
    found = claim(rows(**names, **{LONGER: ([0.9, 0.84],)}), "n")
    assert found["baseline"]["WRPN + Apprentice"]["runs"] == pytest.approx([0.02, 0.01])
    assert found[LONGER]["WRPN + Apprentice"]["runs"] == pytest.approx([0.02, -0.03])
    assert found["epochs"] == [{"baseline": 2, "Apprentice": 2}, {"baseline": 3, "Apprentice": 2}]
    text = claimed(found)
    assert "are +1.50 points (standard error 0.50) from *baseline*: not below" in text
    assert "are -0.50 points (standard error 0.50) from *baseline*: below" in text
    assert "are -0.50 points (standard error 2.50) from *baseline, trained on*: below by less than two standard errors" in text
    assert [below(spread(x)) for x in ([0.0], [-0.1], [-0.1, -0.11])] == ["not below", "below", "below"]
    assert "of floats, after epoch 2, is reached with a teacher after epoch 2; that of narrow numbers" in text
    assert text.endswith("is reached with a teacher after epoch 2.")


def test_the_page_from_a_few_images(monkeypatch, tmp_path):
    small = Scale(data=HALVED, teacher="resnet8", epochs=3, tuned=2, batch=32, flip=False)
    found, page = made(monkeypatch, schemes, small, [0], tmp_path)
    assert len(found["rows"]) == 11 and (tmp_path / "schemes.png").exists()
    narrow = [row for row in found["rows"] if tuple(row["bits"]) == NARROW]
    assert all(row["by"] == "golden" for row in narrow) and all(row["nonzero"] < 0.8 for row in narrow)
    for row in found["rows"]:
        assert row["test"]["mean"] > CHANCE + MARGIN, (row["scheme"], row["bits"])
    assert "| resnet50 | 102.0 |" in page and "agree on every integer of 100 test images" in page
    assert "| WRPN + Apprentice | 2 | 8 |" in page and "This is not CIFAR-10" in page
    net = topology(HALVED.network("resnet8", width=0.5, first=1))
    edges = net.rows[0].macs + net.rows[-1].macs  # they have 8 bits, of weights and of what they read
    assert found["rows"][0]["cost"] == 64 * net.macs and narrow[0]["cost"] == 16 * edges + 10 * (net.macs - edges)
