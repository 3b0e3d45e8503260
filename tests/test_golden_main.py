"""The command line of golden: a file, or one line that says what is wrong."""

import subprocess
import sys

import pytest
from random_network import random_network

from golden.artefact import save
from golden.c99 import source


def golden(*words, cwd):
    command = [sys.executable, "-W", "error", "-m", "golden", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_a_network_becomes_c(tmp_path):
    network = random_network(0)
    save(tmp_path / "net.safetensors", network)
    run = golden("c", tmp_path / "net.safetensors", "--output", tmp_path / "made" / "net.c", "--name", "lenet", cwd=".")
    assert run.returncode == 0 and run.stderr == "", run.stderr
    text = (tmp_path / "made" / "net.c").read_text()
    assert text == source(network, "lenet")
    assert run.stdout == f"{tmp_path}/made/net.c: {len(text.splitlines()):,} lines, lenet_run(input, logits)\n"
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["net.c"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["c", "none.safetensors", "--output", "net.c"], "cannot load none.safetensors: there is no such file"),
        (["c", "net.safetensors", "--output", "net.c", "--name", "a-b"], "name must be a C identifier that begins"),
        (["c", "net.safetensors"], "the following arguments are required: --output"),
        (["c", "net.safetensors", "--output", "folder"], "cannot write folder: it is there and not a file"),
        (["d"], "argument c: invalid choice: 'd'"),
    ],
)
def test_wrong_words_get_one_line(tmp_path, words, message):
    (tmp_path / "folder").mkdir()
    save(tmp_path / "net.safetensors", random_network(0))
    run = golden(*words, cwd=tmp_path)
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr.startswith(f"narrowgate: {message}") and run.stderr.count("\n") == 1
    assert not (tmp_path / "net.c").exists()
