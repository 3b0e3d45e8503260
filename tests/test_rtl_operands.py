"""rtl.operands: a user's file is read whole or refused with what is wrong."""

import numpy as np
import pytest

from golden.errors import InputError
from rtl.operands import read_operands
from rtl.targets import target

ENGINE = target("ternary_gemm").engine(rows=2, cols=2)
A, W = np.array([[1, 2, 255]], np.uint8), np.array([[1], [0], [-1]], np.int8)


def test_operands_come_checked_and_may_name_their_format(tmp_path):
    np.savez(tmp_path / "in.npz", a=A, w=W, w_format="ternary")
    found = read_operands(tmp_path / "in.npz", ENGINE)
    assert found["a"].tolist() == [[1, 2, 255]] and found["w"].tolist() == [[1], [0], [-1]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": A}, "operands must be a, w, not a"),
        ({"a": A, "w": W, "x": A}, "operands must be a, w, not a, w, x"),
        ({"a": A, "w": W.T}, r"must share K, not \[1, 3\] and \[1, 3\]"),
        ({"a": A[0], "w": W}, r"a must be a matrix that is not empty, not of shape \[3\]"),
        ({"a": A[:0], "w": W}, r"a must be a matrix that is not empty, not of shape \[0, 3\]"),
        ({"a": A / 2, "w": W}, "a must be an array of integers, not float64"),
        ({"a": A.astype(int) + 300, "w": W}, "a holds 301, which uint8"),
        ({"a": A, "w": 2 * W}, "w holds 2, which ternary"),
        ({"a": A, "w": W, "w_format": "int8"}, "w is given as int8, the target takes ternary"),
        ({"a": A, "w": W, "w_format": "int99"}, "width of signed integer must be 1 to 64, not 99"),
        ({"a": np.array([None]), "w": W}, "is not an npz file of plain arrays"),
    ],
)
def test_what_does_not_suit_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "in.npz", **arrays)
    with pytest.raises(InputError, match=message):
        read_operands(tmp_path / "in.npz", ENGINE)


def test_what_is_no_npz_file_is_refused(tmp_path):
    (tmp_path / "in.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="is not an npz file of plain arrays"):
        read_operands(tmp_path / "in.npz", ENGINE)
    with pytest.raises(InputError, match="cannot read .*none.npz: No such file"):
        read_operands(tmp_path / "none.npz", ENGINE)
    with pytest.raises(InputError, match="cannot read"):
        read_operands(tmp_path, ENGINE)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_refused_or_read_in_one_piece(tmp_path, save):
    path = tmp_path / "in.npz"
    save(path, a=A, w=W)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for trial in range(200):
        damaged = bytearray(whole if trial % 2 else whole[: rng.integers(len(whole))])
        for place in rng.integers(0, len(damaged) or 1, 3 if damaged else 0):
            damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            read_operands(path, ENGINE)
        except InputError as error:
            assert "\n" not in str(error)
