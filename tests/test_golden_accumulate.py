"""FP32 sums in their stated order, addition by addition."""

import numpy as np
import pytest

from golden import accumulate
from golden.accumulate import Rounded, fp32_sums, significant_bits
from golden.errors import InputError
from golden.formats import parse


def one_by_one(a, w, bias, lanes):
    """One result, with every addition written down."""
    running = np.float32(0)
    for start in range(0, len(a), lanes):
        level = [x * y for x, y in zip(a[start : start + lanes], w[start : start + lanes], strict=True)]
        level += [np.float32(0)] * (lanes - len(level))
        while len(level) > 1:
            level, passed = [x + y for x, y in zip(level[::2], level[1::2], strict=False)], level
            level += passed[-1:] if len(passed) % 2 else []
        running = running + level[0]
    return running + bias


@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 8, 16, 23, 64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 40, 2), (2, 130, 5), (4, 16, 4)])
def test_sums_follow_the_tree(lanes, shape):
    m, k, n = shape
    rng = np.random.default_rng([lanes, *shape])
    spread = 2.0 ** rng.integers(-12, 12, k)  # so that the order shows
    a, w = (rng.normal(size=s) for s in ((m, k), (k, n)))
    a, w, bias = (x.astype(np.float32) for x in (a * spread, w, rng.normal(size=n)))
    found = fp32_sums(a, w, bias, lanes)
    assert found.dtype == np.float32
    expected = [[one_by_one(a[i], w[:, j], bias[j], lanes) for j in range(n)] for i in range(m)]
    np.testing.assert_array_equal(found, np.array(expected))


def test_the_order_decides():
    """2**24 + 1 is a tie, to even, wherever it stands alone; 1 + 1 first is not."""
    a, w, bias = np.float32([[1 << 24, 1, 1, 0]]), np.ones((4, 1), np.float32), np.float32([0])
    assert fp32_sums(a, w, bias, 1).item() == 1 << 24
    assert fp32_sums(a, w, bias, 4).item() == 1 << 24  # (2**24 + 1) + (1 + 0)
    assert fp32_sums(a[:, [0, 3, 1, 2]], w, bias, 4).item() == (1 << 24) + 2  # (2**24 + 0) + (1 + 1)
    assert fp32_sums(a, w, np.float32([1]), 1).item() == 1 << 24  # the bias comes last


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(4)
    a, w, bias = (rng.normal(size=s).astype(np.float32) for s in ((37, 50), (50, 19), (19,)))
    whole = fp32_sums(a, w, bias, 16)
    monkeypatch.setattr(accumulate, "ELEMENTS", 300)
    monkeypatch.setattr(accumulate, "ROW", 5)
    np.testing.assert_array_equal(fp32_sums(a, w, bias, 16), whole)
    np.testing.assert_array_equal(fp32_sums(w.T, a.T, np.zeros(37, np.float32), 16) + bias[:, None], whole.T)
    assert fp32_sums(a[:0], w, bias, 16).shape == (0, 19)


@pytest.mark.parametrize(("name", "order"), [("exact", None), ("fp32", 16), ("fp32x1", 1), ("fp32x64", 64)])
def test_names(name, order):
    assert Rounded.parse(name) == (order and Rounded(order))


@pytest.mark.parametrize("name", ["fp16", "fp32x", "fp32x0", "fp32x65", "fp32x08", "fp32x٣", "", None, 16, ["fp32"]])
def test_other_names_are_refused(name):
    with pytest.raises(InputError, match=r"accumulate must be exact, fp32 \(a tree of 16 lanes\) or fp32x1 to fp32x64"):
        Rounded.parse(name)


@pytest.mark.parametrize("lanes", [0, 65])
def test_lanes_out_of_range_are_refused(lanes):
    with pytest.raises(InputError, match=f"lanes of an FP32 tree must be 1 to 64, not {lanes}"):
        Rounded(lanes)


@pytest.mark.parametrize(
    "name",
    ["int8", "uint8", "int2", "ternary", "binary", "pow2_4", "pow2z_5", "mini_e4m3", "e5m2", "fp16", "mini_e2m0"],
)
def test_no_number_has_more_significant_bits(name):
    fmt = parse(name)
    magnitudes = np.unique(np.abs(fmt.values()))
    magnitudes = magnitudes[magnitudes > 0]
    bits = [int(m).bit_length() - (int(m) & -int(m)).bit_length() + 1 for m in magnitudes]
    assert max(bits) == significant_bits(fmt)
