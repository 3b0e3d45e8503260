"""``python -m tb``: results in a file, or one line and exit status 2, and then no file."""

import os
import subprocess
import sys

import numpy as np
import pytest

from golden import artefact
from golden.builder import Builder
from golden.errors import command
from tb.__main__ import main

A = np.array([[1, 2, 255], [0, 7, 9]])
W = np.array([[1, -1], [0, 1], [-1, 0]])


def run(monkeypatch, capsys, *words):
    """Exit status, standard output and standard error of the command with `words`."""
    monkeypatch.setattr(sys, "argv", ["tb", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        command(main)
    return end.value.code, *capsys.readouterr()


def write(path, **arrays):
    """An npz file."""
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("sim", ["verilator", "icarus"])
def test_operands_go_through_the_verilog(monkeypatch, capsys, tmp_path, sim):
    source = write(tmp_path / "in.npz", a=A, w=W.astype(np.int8), a_format="uint8")
    result = tmp_path / "new" / "out.npz"
    words = ("run", "ternary_gemm", "rows=2", "--inputs", source, "--outputs", result, "--sim", sim, "cols=3")
    status, out, err = run(monkeypatch, capsys, *words)
    assert (status, err) == (0, "")
    assert out == f"{result}: y [2, 2]; 8 cycles, as the model says; every result equals golden\n"
    with np.load(result) as file:
        assert sorted(file) == ["cycles", "y"]
        assert file["y"].dtype == np.int64 and file["y"].tolist() == [[-254, 1], [-9, 7]]
        assert file["cycles"] == 3 + 2 + 3


def test_requantisation_takes_its_parameters(monkeypatch, capsys, tmp_path):
    x = np.array([[100, -7, 5], [300, 9, -5]])
    source = write(tmp_path / "in.npz", x=x, m=np.array([1, 2, 1]), b=np.array([0, 4, 0]), s=np.array([2, 0, 1]))
    words = ("run", "requant", "lanes=2", "y=int8", "--inputs", source, "--outputs", tmp_path / "out.npz")
    assert run(monkeypatch, capsys, *words, "--sim", "icarus")[0] == 0
    with np.load(tmp_path / "out.npz") as file:
        assert file["y"].tolist() == [[25, -10, 2], [75, 22, -2]]


WRONG = {
    "no such target": (["ternary_gem"], {}, "no target is called 'ternary_gem'; allowed: ternary_gemm, "),
    "no such parameter": (["ternary_gemm", "row=2"], {}, "ternary_gemm: no parameter is called 'row'; allowed: rows, "),
    "parameter out of range": (["ternary_gemm", "rows=65"], {}, "ternary_gemm: rows must be 1 to 64, not 65"),
    "not an assignment": (["ternary_gemm", "rows"], {}, "a parameter is written name=value, not 'rows'"),
    "no such option": (["ternary_gemm", "--simulator"], {}, "no option is called '--simulator'"),
    "no such simulator": (["ternary_gemm", "--sim", "vcs"], {}, "no simulator is called 'vcs'; allowed: verilator, "),
    "key missing": (["ternary_gemm"], {"w": None}, "operands must be a, w, not a"),
    "key too many": (["ternary_gemm"], {"x": A}, "operands must be a, w, not a, w, x"),
    "float": (["ternary_gemm"], {"a": A / 2}, "a must be an array of integers, not float64"),
    "out of range": (["ternary_gemm"], {"w": 2 * W}, "w holds 2, which ternary (-1 to 1) cannot represent"),
    "negative": (["ternary_gemm"], {"a": -A}, "a holds -1, which uint8 (0 to 255) cannot represent"),
    "K differs": (["ternary_gemm"], {"a": A[:, :2]}, "a [M, K] and w [K, N] must share K, not [2, 2] and [3, 2]"),
    "vector": (["ternary_gemm"], {"a": A[0]}, "a must be a matrix that is not empty, not of shape [3]"),
    "empty": (["ternary_gemm"], {"a": A[:0]}, "a must be a matrix that is not empty, not of shape [0, 3]"),
    "other format": (["ternary_gemm"], {"a_format": "int8"}, "a is given as int8, the target takes uint8"),
    "no format": (["ternary_gemm"], {"a_format": "u8"}, "no number format is called 'u8'"),
    "pickled": (["ternary_gemm"], {"a": np.array([[None]])}, "in.npz is not an npz file of plain arrays"),
    "no room in a lane": (["dlac_fp32", "depth=0"], {}, "dlac_fp32: depth must be 1 to 16, not 0"),
    "no such line": (["dlac_fp32"], {"i": [[2, 1, 1, 0, 4, 0, 255, 0]]}, "instruction 0: d must be 0 to 3, not 4"),
    "sums do not fit": (["ternary_gemm", "acc_width=9"], {}, "sums of 3 products of uint8 and ternary need the range"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_one_line(monkeypatch, capsys, tmp_path, case):
    words, changes, message = WRONG[case]
    arrays = {key: value for key, value in ({"a": A, "w": W} | changes).items() if value is not None}
    source = write(tmp_path / "in.npz", **arrays)
    status, out, err = run(monkeypatch, capsys, "run", *words, "--inputs", source, "--outputs", tmp_path / "out.npz")
    assert (status, out) == (2, "")
    assert message in err and err.startswith("narrowgate: ") and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.npz"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "in.npz: No such file or directory"),
        (b"", "in.npz is not an npz file of plain arrays"),
        (b"not a zip file", "in.npz is not an npz file of plain arrays"),
        (b"PK\x03\x04 cut off", "in.npz is not an npz file of plain arrays"),
    ],
)
def test_files_that_cannot_be_read_are_one_line(monkeypatch, capsys, tmp_path, content, message):
    if content is not None:
        (tmp_path / "in.npz").write_bytes(content)
    words = ("run", "ternary_gemm", "--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz")
    status, out, err = run(monkeypatch, capsys, *words)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1
    assert not (tmp_path / "out.npz").exists()


def test_a_single_array_is_not_operands(monkeypatch, capsys, tmp_path):
    np.save(tmp_path / "in.npy", A)
    words = ("run", "ternary_gemm", "--inputs", tmp_path / "in.npy", "--outputs", tmp_path / "out.npz")
    status, _, err = run(monkeypatch, capsys, *words)
    assert status == 2 and "in.npy is not an npz file of plain arrays" in err


def test_a_place_that_cannot_be_written_is_one_line(monkeypatch, capsys, tmp_path):
    source = write(tmp_path / "in.npz", a=A, w=W)
    for place, message in ((tmp_path, "not a file"), (source / "out.npz", "cannot write")):
        status, _, err = run(monkeypatch, capsys, "run", "ternary_gemm", "--inputs", source, "--outputs", place)
        assert status == 2 and message in err and err.count("\n") == 1


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """The artefact of a network: a dense layer on a MAC tree, and one on an array with its requantisation."""
    net = Builder("int8e-4", (6,))
    first = {"weight": ("pow2_4", [[64, -2, 1, 4, 8, -16], [1, 1, -1, 128, 2, 2]]), "bias": ("int8e-6", [5, -9])}
    net.add("tree", "mac_dense", parameters=first, attributes={"format": "int8e-3"})
    net.add("array", "dense", parameters={"weight": ("int8", [[3, -100], [7, 1], [0, 127]])})
    second = {"m": (None, [1, 2, 1]), "b": (None, [0, 4, 0]), "s": (None, [4, 4, 5])}
    net.add("rounded", "requant", parameters=second, attributes={"format": "int8"})
    path = tmp_path_factory.mktemp("narrow") / "net.safetensors"
    artefact.save(path, net.build())
    return path


X = np.array([[1, -2, 3, 100, 5, 6], [-128, 127, 0, 9, -9, 1]])


def test_a_network_goes_through_the_verilog(monkeypatch, capsys, tmp_path, narrow):
    source = write(tmp_path / "x.npz", x=X)
    words = ("network", narrow, "--inputs", source, "--sim", "icarus", "--lanes", 4, "--rows", 2, "--cols", 3)
    status, out, err = run(monkeypatch, capsys, *words)
    assert (status, err) == (0, "")
    assert out.splitlines() == [  # 4 sums of 2 beats; a tile of 2 steps; 2 beats
        "tree: mac_tree_pow2, 13 cycles, as the model says",
        "array: int8_gemm, 7 cycles, as the model says",
        "rounded: requant, 5 cycles, as the model says",
        "3 layers, 25 cycles for 2 inputs; every result equals golden",
    ]


def test_a_result_that_differs_is_a_line_and_status_1(monkeypatch, capsys, tmp_path, narrow):
    load = artefact.load

    def spoilt(path):
        network = load(path)
        run = network.operations["array"].run
        network.operations["array"].run = lambda *inputs: run(*inputs) + 1
        return network

    monkeypatch.setattr(artefact, "load", spoilt)
    words = ("network", narrow, "--inputs", write(tmp_path / "x.npz", x=X), "--sim", "icarus", "--rows", 2, "--cols", 3)
    status, _, err = run(monkeypatch, capsys, *words)
    assert (status, err) == (1, f"narrowgate: {narrow} is wrong: array: 6 of 6 results differ from the network's\n")


@pytest.mark.parametrize(
    ("words", "arrays", "message"),
    [
        ([], {"x": X[:, :5]}, "network input must be [N, 6], not [2, 5]"),
        ([], {"x": X / 2}, "network input must be an array of integers, not float64"),
        ([], {"x": X[:0]}, "inputs of a network must be x, one or more, not x"),
        ([], {"x": X, "y": X}, "inputs of a network must be x, one or more, not x, y"),
        (["--lanes", 65], {"x": X}, "lanes must be 1 to 64, not 65"),
        (["lanes=4"], {"x": X}, "a network takes --rows, --cols and --lanes, and no parameter 'lanes'"),
        (["--sim", "vcs"], {"x": X}, "no simulator is called 'vcs'; allowed: verilator, "),
    ],
)
def test_what_a_network_cannot_take_is_one_line(monkeypatch, capsys, tmp_path, narrow, words, arrays, message):
    status, out, err = run(monkeypatch, capsys, "network", narrow, "--inputs", write(tmp_path / "x.npz", **arrays), *words)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1


def test_an_artefact_that_cannot_be_read_is_one_line(monkeypatch, capsys, tmp_path):
    source = write(tmp_path / "x.npz", x=X)
    status, _, err = run(monkeypatch, capsys, "network", source, "--inputs", source)
    assert status == 2 and err.startswith("narrowgate: ") and err.count("\n") == 1


@pytest.mark.parametrize(("sim", "missing"), [("icarus", "iverilog"), ("verilator", "g++")])
def test_a_missing_simulator_is_one_line_and_leaves_nothing(tmp_path, sim, missing):
    source = write(tmp_path / "in.npz", a=A, w=W)
    words = ["run", "ternary_gemm", "--inputs", source, "--outputs", tmp_path / "out.npz", "--sim", sim]
    environment = os.environ | {"PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "tb", *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"narrowgate: {missing} is not installed; on Debian: apt-get install {missing}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["in.npz"]
