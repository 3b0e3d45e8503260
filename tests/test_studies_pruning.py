"""studies.pruning: which networks are pruned, and the page from a few images."""

import pytest
from one_process import FEW, made

from studies import pruning
from studies.pruning import METHODS, WHOLE, Scale, Weighed, saved, scale, title, trials
from studies.tables import spread
from studies.trials import Trial

CHANCE, MARGIN = 0.1, 0.2


def test_all_methods_start_from_the_same_network():
    found = trials(Scale(data=FEW), [0, 1])
    assert len(found) == 2 * (1 + 4 * len(Scale(data=FEW).kept))
    assert len({trial.recipe.start or trial.recipe for trial in found}) == 2
    prunings = {(trial.recipe.pruning.method, trial.recipe.pruning.across) for trial in found if trial.row != WHOLE}
    assert prunings == {(method, across) for method in ("magnitude", "energy") for across in (False, True)}


def test_figures_are_kept_by_all_the_code_that_prunes_and_models():
    assert {"quant.masks", "quant.saliency", "quant.energy_aware", "golden.energy", "studies.pruning"} <= set(Weighed.CODE)
    assert set(Trial.CODE) < set(Weighed.CODE)


def test_scales():
    usual, full, own = scale(False, None), scale(True, None), scale(False, "folder")
    assert usual.data.train == 20_000 and full.epochs > usual.epochs and own.network == "cifar10_full"
    assert own.flip and not usual.flip  # digits and clothes are not mirrored, CIFAR-10 is


@pytest.mark.parametrize(
    "network, floats, epochs", [("mlp64", 8, 2), pytest.param("lenet", 20, 10, marks=pytest.mark.long)]
)
def test_the_page_from_a_few_images(network, floats, epochs, monkeypatch, tmp_path):
    small = Scale(data=FEW, network=network, kept=(0.3,), floats=floats, epochs=epochs)
    found, page = made(monkeypatch, pruning, small, [0], tmp_path)
    whole, *rows = found["rows"]
    assert whole["nonzero"]["mean"] > 0.99 and [row["method"] for row in rows] == list(METHODS)
    for row in rows:
        few = 0.12 if row["method"].startswith("energy") else 0.05  # weights of pixels that are always 0 gain nothing
        assert 0.3 - few < row["nonzero"]["mean"] < 0.31
        assert row["energy"]["mean"] < 0.8 * whole["energy"]["mean"]
        assert row["test"]["mean"] > CHANCE + MARGIN
    assert title("energy-aware", 0.3) == "energy-aware, 30% kept" and (tmp_path / "pruning.png").exists()
    assert "once for 16 images" in page
    assert f"| energy-aware | 30% | {rows[2]['nonzero']['mean']:.2%} | {rows[2]['test']['mean']:.2%} |" in page


def test_energy_is_compared_where_accuracy_is_nearly_that_of_the_whole_network():
    def row(method, test, energy):
        return {"method": method, "test": spread([test]), "energy": spread([energy])}

    first, second, *_ = METHODS
    rows = [row(None, 0.9, 100.0), row(first, 0.895, 50.0), row(first, 0.893, 40.0), row(first, 0.88, 10.0)]
    rows += [row(second, 0.88, 20.0)]
    text = saved(rows)
    assert text.startswith(f"Energy at no more than 1 point of accuracy lost: {first} 2.5 times less; {second} never;")
    assert "3.7 times for AlexNet and 1.6 times for GoogLeNet" in text
