from dataclasses import replace

import numpy as np
import pytest
import torch
from quadrants import graph, quadrants

from golden import artefact
from golden.errors import InputError
from golden.formats import parse
from golden.network import classify
from quant.approximate import approximate
from quant.data import Dataset
from quant.files import Samples
from quant.graph import Graph, Op
from quant.plan import Plan
from quant.rules import SCHEMES
from quant.tune import Tuning

DATA = quadrants()


def approximated(dataset=DATA, network=None, **settings):
    area = settings.pop("area", None)
    return approximate(graph() if network is None else network, dataset, Plan(**settings), area=area, progress=False)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_ends_in_a_network_that_golden_runs(scheme, tmp_path):
    result = approximated(scheme=scheme, margin=0.03)
    figures = result.figures
    assert figures["met"] == (figures["held_out"]["found"] >= figures["held_out"]["float"] - 0.03 - 1e-9)
    assert figures["met"] or scheme == "pow2"
    artefact.save(tmp_path / "n.safetensors", result.network)
    loaded = artefact.load(tmp_path / "n.safetensors")
    right = classify(loaded.run(DATA.test.images.numpy())) == DATA.test.labels.numpy()
    assert figures["test"]["test"] == right.mean()
    assert sum(figures["test"]["compared"].values()) == 200 * (256 + 64 + 12 + 4)  # conv and relu in one
    names = {name for what in figures["assignment"].values() for name in what.values()}
    assert all(parse(name).name == name for name in names)
    if scheme in ("fixed", "minifloat"):
        assert len(names) == 1


def test_widths_that_are_given_are_kept_and_a_missed_margin_is_told():
    result = approximated(widths={"outputs": 4, "conv": 3, "dense": 2}, margin=0.0)
    formats = result.figures["assignment"]
    assert {parse(name).width for name in formats["outputs"].values()} == {4}
    assert [parse(formats["weights"][name]).width for name in ("conv", "hidden", "out")] == [3, 2, 2]
    held_out = result.figures["held_out"]
    assert not result.figures["met"] and held_out["found"] < held_out["least"] == held_out["float"]
    complete = [row["score"] for row in result.figures["search"] if row["total"] is not None]
    assert held_out["found"] == max(complete)


def test_formats_are_searched_on_the_first_held_out_images_and_judged_on_all():
    settings = {"widths": {"outputs": 4, "conv": 3, "dense": 2}, "margin": 0.0}
    few = approximated(**settings, searched=37).figures
    part = approximated(Dataset(DATA.train, DATA.held_out[:37], DATA.test, "part"), **settings).figures
    assert few["assignment"] == part["assignment"] and few["search"] == part["search"]
    assert few["held_out"]["untuned"] != part["held_out"]["untuned"]
    whole = approximated(**settings).figures
    assert few["data"]["held_out"] == len(DATA.held_out) > 37
    assert [few["held_out"][key] for key in ("float", "least")] == [whole["held_out"][key] for key in ("float", "least")]


def test_one_width_for_all_groups():
    for scheme in ("dfp", "fixed"):
        result = approximated(scheme=scheme, widths={"all": 6})
        widths = {
            parse(name).width for what in ("weights", "outputs") for name in result.figures["assignment"][what].values()
        }
        assert widths == {6}
    result = approximated(widths={"all": 6, "conv": 5})
    assert parse(result.figures["assignment"]["weights"]["conv"]).width == 5


def test_tuning_gains_and_is_what_the_network_is_made_of():
    settings = {"scheme": "pow2", "margin": 0.05}
    before = approximated(**settings)
    after = approximated(**settings, tuning=Tuning(epochs=5, batch=20, rate=1e-3))
    assert not before.figures["met"] and after.figures["met"]
    held_out = after.figures["held_out"]
    assert held_out["untuned"] == before.figures["held_out"]["found"]
    assert held_out["found"] > held_out["untuned"] + 0.1
    assert after.figures["test"]["test"] > before.figures["test"]["test"]
    assert after.figures["assignment"] == before.figures["assignment"]
    assert len(after.figures["tuning"]["history"]) == 5
    ours = after.network.parameters["hidden.weight"].values
    wanted = after.assignment.weights["hidden"].nearest(
        next(op for op in after.graph.ops if op.name == "hidden").weight
    )
    assert np.array_equal(ours, wanted)


def test_layer_figures_count_numbers_bits_and_cycles():
    figures = approximated(widths={"outputs": 4, "conv": 3, "dense": 2}).figures
    conv, hidden, out = figures["layers"]
    assert (conv["name"], hidden["name"], out["name"]) == ("conv", "hidden", "out")
    assert (conv["k"], conv["macs"], conv["cycles"]) == (9, 256 * 9, 256 + 5)
    assert (hidden["k"], hidden["macs"], hidden["cycles"]) == (64, 12 * 64, 12 * 4 + 5)
    assert (conv["weights"]["bits"], conv["outputs"]["bits"]) == (36 * 3, 256 * 4)
    assert (hidden["weights"]["bits"], hidden["outputs"]["bits"]) == (768 * 2, 12 * 4)
    assert figures["totals"] == {
        "macs": 2304 + 768 + 48,
        "cycles": conv["cycles"] + hidden["cycles"] + out["cycles"],
        "weights_bits": 36 * 3 + (768 + 48) * 2,
        "weights_float_bits": 852 * 32,
        "outputs_bits": 272 * 4,
        "outputs_float_bits": 272 * 32,
    }
    weights = next(op.weight for op in graph().ops if op.name == "hidden").numpy()
    fmt = parse(hidden["weights"]["format"])
    assert hidden["weights"]["range"] == [weights.min(), weights.max()]
    assert hidden["weights"]["zero"] == np.mean(np.abs(weights) <= 2.0**fmt.exponent / 2)
    assert conv["outputs"]["zero"] > 0.1  # what the ReLU drops is zero, and does not saturate


def test_real_input_is_rounded_too():
    def reals(split):
        return Samples(split.images.float() / 256, split.labels)

    data = Dataset(*(reals(getattr(DATA, part)) for part in ("train", "held_out", "test")), "reals")
    result = approximated(data, replace(graph(), unit=None), widths={"all": 8}, margin=0.05)
    assert result.figures["layers"][0]["name"] == "input"
    assert result.figures["assignment"]["outputs"]["input"] == "int8e-7"
    assert result.figures["test"]["compared"]["conv_relu"] == 200 * 256


def test_the_same_unit_as_the_module_had_is_taken_for_pixels():
    bare = replace(graph(), unit=None)
    ours = approximated(network=bare, unit=1 / 256, widths={"all": 8})
    assert ours.figures["held_out"] == approximated(widths={"all": 8}).figures["held_out"]


def test_sums_in_fp32_are_compared_too():
    figures = approximated(scheme="minifloat", widths={"all": 8}, accumulate="fp32x8").figures
    assert figures["test"]["compared"]["conv_relu"] == 200 * 256
    assert figures["layers"][0]["cycles"] == 256 * 2 + 7  # 9 products are two beats of 8


def test_areas_are_those_of_a_tree_for_each_layer():
    asked = []

    def area(spec, lanes):
        asked.append(spec)
        return 100.0 * spec.w.width + lanes

    result = approximated(area=area, lanes=8, margin=0.02)
    rows = result.figures["area"]
    formats = result.figures["assignment"]["weights"]
    assert rows[-1]["stage"] == "result" and rows[-1]["score"] == result.figures["held_out"]["untuned"]
    assert rows[-1]["area"] == sum(100 * parse(name).width + 8 for name in formats.values())
    assert len(asked) == len(set(asked)) and 4 < len(rows) <= 8
    assert [row["area"] for row in rows[:3]] == [3 * (100 * bits + 8) for bits in (16, 8, 4)]  # of one width
    conv = next(spec for spec in asked if spec.k == 9)
    assert (conv.a.name, conv.relu, conv.k) == ("uint8e-8", True, 9)


def test_areas_that_cannot_be_had_cost_nothing_else(capsys):
    def area(spec, lanes):
        raise InputError("w must be up to 16 bits")

    assert "area" not in approximated(area=area, widths={"all": 8}).figures
    assert capsys.readouterr().out == "no areas: w must be up to 16 bits\n"


def test_what_is_done_is_said(capsys):
    approximate(graph(), DATA, Plan(widths={"all": 8}), progress=True, name="quadrants")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("quadrants: float 9") and lines[0].endswith("of 200 held-out images")
    assert lines[1].startswith("  alone: conv at 8 bits 9")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"widths": {"dense": 0}}, "width of dense must be 1 to 16 bits, not 0"),
        ({"widths": {"fc": 4}}, "no group of numbers is called 'fc'; allowed: conv, dense, outputs"),
        ({"step": "half"}, "step must be one of bit, double, not 'half'"),
        ({"biases": "none"}, "biases must be one of weights, wide, not 'none'"),
    ],
)
def test_refused_settings(settings, message):
    with pytest.raises(InputError) as error:
        approximated(**settings)
    assert str(error.value) == message


def part(split, images=None, labels=None):
    return Samples(split.images if images is None else images, split.labels if labels is None else labels)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: part(s, s.images[:, :, :7]), "the network takes inputs of [1, 8, 8], the data are [1, 7, 8]"),
        (lambda s: part(s, s.images.float()), "the network takes uint8 pixels, the data are torch.float32"),
        (lambda s: part(s, labels=s.labels + 1), "labels must be 0 to 3, as the network has classes, not 4"),
        (lambda s: s[:0], "the data have no train images"),
    ],
)
def test_refused_data(change, message):
    data = Dataset(*(change(getattr(DATA, name)) for name in ("train", "held_out", "test")), "changed")
    with pytest.raises(InputError) as error:
        approximated(data)
    assert str(error.value) == message


def test_a_network_of_numbers_too_large_for_minifloats_is_refused():
    ops = [Op("d", "dense", ("input",), {}, torch.full((2, 3), 2.0**20))]
    data = Dataset(*(Samples(torch.ones(9, 3), torch.zeros(9, dtype=torch.int64)) for _ in range(3)), "ones")
    with pytest.raises(InputError, match="need 6 exponent bits; minifloats have 5$"):
        approximated(data, Graph((3,), ops, "d"), scheme="minifloat")


def joined():
    """Every operation of a graph: two branches that are normalised, pooled, added and concatenated."""
    generator = torch.Generator().manual_seed(3)

    def conv(name, source, filters, channels, bias=True):
        weight = torch.randn(filters, channels, 3, 3, generator=generator) / 3
        offset = torch.randn(filters, generator=generator) / 10 if bias else None
        return Op(name, "conv", (source,), {"stride": (1, 1), "padding": (1, 1)}, weight, offset)

    pool = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    norm = {key: torch.rand(4, generator=generator) + 0.5 for key in ("mean", "var", "gamma", "beta")}
    ops = [
        conv("a", "input", 4, 1),
        Op("norm", "batch_norm", ("a",), norm | {"eps": 1e-5}),
        Op("r", "relu", ("norm",)),
        Op("lrn", "lrn", ("r",), {"size": 3, "alpha": 1e-2, "beta": 0.75, "k": 1.0}),
        conv("b", "lrn", 4, 4, bias=False),
        Op("sum", "add", ("b", "lrn")),
        Op("s", "relu", ("sum",)),
        Op("p", "average_pool", ("s",), pool | {"divisor": "image"}),
        Op("q", "max_pool", ("r",), pool),
        Op("cat", "concat", ("p", "q")),
        Op("f", "flatten", ("cat",)),
        Op("d", "dense", ("f",), {}, torch.randn(4, 128, generator=generator) / 10),
    ]
    return Graph((1, 8, 8), ops, "d", unit=1 / 255)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("unsigned", [False, True])
def test_every_operation_of_a_graph_goes_through_every_scheme(scheme, unsigned):
    few = Dataset(DATA.train[:60], DATA.held_out[:40], DATA.test[:40], "few")
    figures = approximated(
        few, joined(), scheme=scheme, unsigned=unsigned, widths={} if scheme == "pow2" else {"all": 7}
    ).figures
    outputs = figures["assignment"]["outputs"]
    assert set(outputs) == {"a", "lrn", "b", "sum", "p", "d"} and outputs["p"] == outputs["a"]
    if scheme.startswith("dfp"):
        assert outputs["sum"].startswith("uint" if unsigned else "int") and outputs["b"].startswith("int")
    assert [row["name"] for row in figures["layers"]] == ["a", "lrn", "b", "sum", "p", "d"]
    assert figures["test"]["compared_images"] == 40
