import json
import sys

import numpy as np
import pytest
from onnx_files import Model, floats
from quadrants import quadrants

from golden import artefact
from golden.errors import command
from golden.network import classify
from quant import __main__ as program
from quant import approximation

CODE = "from quadrants import trained\n\ndef net():\n    return trained()\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with data and a module, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.py").write_text(CODE)
    every = quadrants()
    x = np.concatenate([every.train.images, every.held_out.images])[:, 0]
    y = np.concatenate([every.train.labels, every.held_out.labels])
    np.savez(tmp_path / "data.npz", x=x, y=y, x_test=every.test.images[:, 0], y_test=every.test.labels)
    yield tmp_path
    sys.modules.pop("ours", None)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["quant", "approximate", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        command(program.main)
    return stopped.value.code


def test_a_module_becomes_an_artefact_and_a_report(folder, monkeypatch, capsys):
    arguments = ["ours:net", "--data", "data.npz", "--margin", 3, "--no-area", "--output", "out"]
    assert run(monkeypatch, *arguments) is None
    printed = capsys.readouterr().out
    assert "net, dfp: margin of 3.00% met\n" in printed
    names = ["network.safetensors", "report.json", "report.md", "report.txt", "weights.png", "outputs.png", "bits.png"]
    assert printed.splitlines()[-7:] == [f"out/{name}" for name in names]
    network = artefact.load(folder / "out" / "network.safetensors")
    figures = json.loads((folder / "out" / "report.json").read_text())
    test = quadrants().test
    right = classify(network.run(test.images.numpy())) == test.labels.numpy()
    assert figures["test"]["test"] == right.mean() and figures["plan"]["margin"] == 0.03
    # a second run finds the scores of the first, and gives the same files
    before = (folder / "out" / "network.safetensors").read_bytes()
    assert run(monkeypatch, *arguments) is None
    assert (folder / "out" / "network.safetensors").read_bytes() == before
    assert json.loads((folder / "out" / "report.json").read_text()) == figures


@pytest.mark.long
def test_areas_are_synthesised(folder, monkeypatch, capsys):
    """Two lanes of integers of 4 bits on every layer, whose trees Yosys maps."""
    arguments = "ours:net --data data.npz --all 4 --lanes 2 --output out".split()
    assert run(monkeypatch, *arguments) is None
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "out/area.png" and printed.count("area of 2 lanes: ") >= 3
    assert (folder / "out" / "area.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads((folder / "out" / "report.json").read_text())
    assert figures["area"][-1]["stage"] == "result" and 300 < figures["area"][-1]["area"] < 30_000


def test_settings_arrive(folder, monkeypatch, capsys):
    asked = []

    def approximate(graph, data, plan, **more):
        asked.append((plan, more["name"], more["area"]))
        raise KeyboardInterrupt

    monkeypatch.setattr(approximation, "approximate", approximate)
    words = "--scheme pow2 --margin 0.5 --outputs 6 --all 4 --repair double --biases weights --unsigned"
    words += " --unit 1/256 --tune 3 --rate 0.01 --shift 2 --tuned-outputs quantised --lanes 8 --seed 5 --no-area"
    assert run(monkeypatch, "ours:net", "--data", "data.npz", *words.split()) == 130
    ((plan, name, area),) = asked
    assert run(monkeypatch, *"ours:net --data data.npz --scheme minifloat --accumulate fp32x8 --no-area".split()) == 130
    assert (asked[1][0].accumulate, asked[1][0].lanes) == ("fp32x8", 8)
    assert (name, area) == ("net", None)
    assert (plan.scheme, plan.margin, plan.widths, plan.step) == ("pow2", 0.005, {"outputs": 6, "all": 4}, "double")
    assert (plan.biases, plan.unsigned, plan.accumulate, plan.unit) == ("weights", True, "exact", 1 / 256)
    tuning = plan.tuning
    assert (tuning.epochs, tuning.rate, tuning.shift, tuning.outputs, tuning.seed) == (3, 0.01, 2, "quantised", 5)
    assert (plan.lanes, plan.seed) == (8, 5)


def test_a_quantised_file_is_taken_as_it_is(folder, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    model = Model((1, 8, 8))
    model.quant("x", 1 / 256, 8, signed=0)
    x = model.add("Flatten")
    w = model.quant(model.constant(floats(rng, 64, 4, scale=0.1)), 0.125, 4)
    model.add("MatMul", x, w)
    model.save(folder / "q.onnx")
    assert run(monkeypatch, "q.onnx", "--data", "data.npz", "--unit", "1/256") is None
    printed = capsys.readouterr().out
    assert "q, as it is: " in printed and "of 200 test images by golden" in printed
    assert (folder / "build" / "approximate" / "q-as-it-is" / "network.safetensors").is_file()
    assert run(monkeypatch, "q.onnx", "--data", "data.npz", "--scheme", "dfp") == 2
    message = "narrowgate: q.onnx is quantised already: it is taken as it is, without scheme or tuning\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "the following arguments are required: source, --data"),
        (["ours:net", "--data", "none.npz"], "cannot read none.npz: No such file or directory"),
        (["ours:net", "--data", "data.npz", "--scheme", "int3"], "scheme must be one of fixed, dfp, dfp-per-layer, "),
        (["ours:net", "--data", "data.npz", "--dense", "0"], "width of dense must be 1 to 16 bits, not 0"),
        (["ours:net", "--data", "data.npz", "--margin", "101"], "margin must be 0 to 100 points of accuracy, not 101"),
        (["ours:net", "--data", "data.npz", "--unit", "1/0"], "unit must be a number such as 1/255, not '1/0'"),
        (["ours:net", "--data", "data.npz", "--tune", "-1"], "epochs must be at least 0, not -1"),
        (["ours:no", "--data", "data.npz"], "module ours has no function no"),
        (["ours:net", "--data", "data.npz", "--biases", "x"], "biases must be one of weights, wide, not 'x'"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(folder, monkeypatch, capsys, arguments, message):
    assert run(monkeypatch, *arguments, *(["--no-area"] if arguments else [])) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"narrowgate: {message}") and error.count("\n") == 1


def test_missing_tools_cost_the_areas_alone(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "synth.trees", None)
    assert approximation.areas() is None
    assert capsys.readouterr().out.startswith("no areas: ")
