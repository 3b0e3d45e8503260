import matplotlib.pyplot
import pytest
from quadrants import graph, quadrants

from golden.errors import InputError
from quant import plots as module
from quant.approximate import approximate
from quant.plan import Plan
from quant.plots import picture, plots


@pytest.fixture
def axes(monkeypatch):
    """The axes of what is drawn, by the name of the file."""
    kept, original = {}, module.picture

    def keeping(path, *arguments):
        class Kept:
            def __enter__(self):
                self.context = original(path, *arguments)
                kept[path.name] = self.context.__enter__()
                return kept[path.name]

            def __exit__(self, *error):
                return self.context.__exit__(*error)

        return Kept()

    monkeypatch.setattr(module, "picture", keeping)
    return kept


def measured(**settings):
    area = settings.pop("area", None)
    return approximate(graph(), quadrants(), Plan(**settings), area=area, name="quad", progress=False).figures


def test_histograms_show_every_number_and_the_span_of_the_format(axes, tmp_path):
    figures = measured(widths={"outputs": 4, "conv": 3, "dense": 8})
    plots(figures, tmp_path)
    conv, hidden, out, spare = axes["weights.png"] if len(axes["weights.png"]) == 4 else [*axes["weights.png"], None]
    assert spare is None and hidden.get_title() == "hidden: " + figures["assignment"]["weights"]["hidden"]
    row = figures["layers"][1]["weights"]
    bars = {bar.get_x(): bar.get_height() for bar in hidden.patches[1:]}  # the first is the span
    assert sum(bars.values()) == pytest.approx(100 * (1 - 0), abs=1)
    span = hidden.patches[0].get_x(), hidden.patches[0].get_x() + hidden.patches[0].get_width()
    assert 2 ** span[0] == pytest.approx(row["span"][0]) and 2 ** span[1] == pytest.approx(row["span"][1])


def test_every_score_is_in_sight(axes, tmp_path):
    figures = measured(margin=0.02)
    plots(figures, tmp_path)
    alone, complete = axes["bits.png"]
    lines = {line.get_label(): line for line in alone.lines}
    for group, label in (("conv", "convolution weights"), ("dense", "dense weights"), ("outputs", "outputs")):
        tried = [row for row in figures["search"] if row["stage"] == "alone" and row["what"] == group]
        best = {
            bits: max(row["score"] for row in tried if row["bits"] == bits) for bits in {row["bits"] for row in tried}
        }
        found = dict(zip(lines[label].get_xdata(), lines[label].get_ydata(), strict=True))
        assert found == pytest.approx({bits: max(1 - score, 5e-4) for bits, score in best.items()})
    for axis in (alone, complete):
        bottom, top = axis.get_ylim()
        assert bottom > top  # better is higher
        for line in axis.lines:
            assert all(top <= y <= bottom for y in line.get_ydata())
    result = next(line for line in complete.lines if line.get_label() == "result")
    totals = figures["totals"]
    assert result.get_xdata()[0] == pytest.approx((totals["weights_bits"] + totals["outputs_bits"]) / 1e3)
    assert result.get_ydata()[0] == pytest.approx(1 - figures["held_out"]["untuned"])


def test_areas_are_drawn_if_there_are_any(axes, tmp_path):
    plots(measured(widths={"all": 8}), tmp_path)
    assert "area.png" not in axes
    figures = measured(widths={"all": 8}, area=lambda spec, lanes: 2000.0)
    plots(figures, tmp_path)
    (axis,) = axes["area.png"]
    assert next(line for line in axis.lines if line.get_label() == "result").get_xdata()[0] == 6


def test_a_perfect_network_can_be_drawn(tmp_path):
    figures = measured(widths={"all": 8})
    figures["held_out"] = {"float": 1.0, "least": 1.0, "untuned": 1.0, "found": 1.0}
    plots(figures, tmp_path)
    assert (tmp_path / "bits.png").stat().st_size > 5_000


def test_nothing_is_left_of_a_picture_that_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), picture(tmp_path / "p.png", 1, 1, (1, 1)):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [] and matplotlib.pyplot.get_fignums() == []
    (tmp_path / "d.png").mkdir()
    with pytest.raises(InputError, match="it is there and not a file$"), picture(tmp_path / "d.png", 1, 1, (1, 1)):
        pass
