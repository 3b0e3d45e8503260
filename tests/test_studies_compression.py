"""studies.compression: the figures are those of the network that its containers hold."""

from dataclasses import replace

import pytest
from small_mnist import quick, small_mnist

from quant import run
from quant.settings import Settings
from studies.compression import PLAN, markdown, study, write


def test_figures_page_and_a_second_run(tmp_path, monkeypatch):
    data, short = small_mnist(512, 200), Settings(epochs=1, batch=32, rate=1e-3)
    plan = replace(PLAN, retraining=short, sharing=replace(short, rate=1e-4))
    figures = study(data, tmp_path, start=quick(epochs=4), plan=plan, progress=False)
    rows, whole = figures["rows"], figures["whole"]
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "ip1", "ip2"]
    assert [row["weights"] for row in rows] == [500, 25_000, 400_000, 5_000]
    for row in rows:
        assert row["kept"] == pytest.approx(PLAN.pruning.kept[row["layer"]], abs=0.01)
        assert row["values"] <= (256 if row["layer"].startswith("conv") else 16)
        assert row["ratio"] == 4 * row["weights"] / row["bytes"]
    assert 20 < whole["ratio"] == 4 * 430_500 / whole["bytes"] < 60
    assert figures["test"]["compressed"] > max(0.4, figures["test"]["float"] - 0.2)  # chance is 0.1
    page = markdown(figures)
    assert f"| all | 430,500 | {whole['kept']:.1%} |" in page and f"Here: ratio {whole['ratio']:.1f}" in page
    assert write(figures, tmp_path) == [tmp_path / "compression.md"]

    def refuse(run):
        raise AssertionError("trained again")

    monkeypatch.setattr(run.Run, "take", refuse)
    assert study(data, tmp_path, start=quick(epochs=4), plan=plan, progress=False) == figures
