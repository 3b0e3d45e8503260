"""studies.traffic: containers as golden writes them, other codes by hand."""

import numpy as np
import pytest

from golden.dpred import DpredSpec, encode
from golden.errors import InputError
from golden.precision import group_precision, grouped
from studies.layers import Layer, rounded
from studies.traffic import GROUPS, layer_traffic, tensor_traffic


@pytest.mark.parametrize(("word", "signed"), [(8, False), (8, True), (16, False), (16, True)])
def test_containers_are_as_long_as_goldens(word, signed):
    rng = np.random.default_rng(word + signed)
    parts = []
    for count in (1000, 37, 256):
        x = np.rint(rng.laplace(0, 1 << word - 5, count)).clip(-(1 << word - 1), (1 << word - 1) - 1).astype(np.int32)
        parts.append(np.where(rng.random(count) < 0.4, 0, x if signed else np.abs(x)))
    found = tensor_traffic(parts, word, signed, word)
    for group in GROUPS:
        for name, zeros in (("dpred", False), ("dpred_zeros", True)):
            spec = DpredSpec(word=word, signed=signed, group=group, zeros=zeros)
            table = spec.table(parts[0], parts[2], greatest=word)
            assert found[name][str(group)] == sum(64 * len(encode(spec, x, table)) for x in parts)
        spec = DpredSpec(word=word, signed=signed, group=group)
        least = 0
        for x in parts:
            precisions = group_precision(grouped(x, group), signed)
            _, counts = np.unique(precisions, return_counts=True)
            shares = counts / len(precisions)
            sizes = np.append(np.full(len(precisions) - 1, group), x.size - group * (len(precisions) - 1))
            least += (precisions * sizes).sum() - len(precisions) * (shares * np.log2(shares)).sum()
        assert found["floor"][str(group)] == pytest.approx(least)


def test_simpler_codes_by_hand():
    x = np.array([0, 0, 0, 0, 3, 3, 1, 0])
    found = tensor_traffic([x], 8, False)
    assert (found["values"], found["zeros"], found["precision"]) == (8, 5, 2)
    assert found["uncompressed"] == 64
    assert found["static"] == 4 + 2 * 8
    assert found["zero_flag"] == 8 + 3 * 8
    shares = np.array([5, 2, 1]) / 8
    assert found["entropy"] == pytest.approx(-8 * (shares * np.log2(shares)).sum())
    assert found["widths"] == [0, 1, 0, 0, 0, 0, 0, 0]
    assert found["dpred"]["4"] == 128 + 64  # 1 and 1 + 8 bits in a word
    assert found["floor"]["4"] == pytest.approx(4 + 8 + 2)  # one bit says which of the two widths a group has
    assert found["bare_floor"]["4"] == pytest.approx(8 + 2)


def test_a_profile_that_is_too_narrow_is_found():
    narrow, wide = np.ones(64, int), np.full(64, 9)
    assert tensor_traffic([narrow, wide], 8, False, 4)["dpred"]["16"] == 2 * 128 + 2 * 64 + 5 * 64  # fields have a bit
    with pytest.raises(InputError, match="x has values of 4 bits; the greatest width is 1"):
        tensor_traffic([narrow, wide], 8, False)


def test_a_layer_has_weights_and_the_activations_of_all_images():
    inputs = [np.full((3, 2, 2), value) for value in (1.0, 0.5)]
    layer = Layer(name="c", kind="conv", weights=np.array([[[[1.0]], [[-0.5]], [[0.0]]]]), inputs=inputs)
    found = layer_traffic(rounded(layer, 8))
    assert (found["weights"]["values"], found["activations"]["values"]) == (3, 24)
    assert found["weights"]["precision"] == 8  # signed, 127
    assert found["activations"]["static"] == 2 * 4 + 24 * 8
    assert found["weights"]["zeros"] == 1
