"""golden.layer_tables: shapes follow from each other, and the totals are those that are known of each network."""

import pytest

from golden.errors import InputError
from golden.layer_tables import NETWORKS, Row, network_rows

# network: layers, products of the convolutions, weights of convolutions, of dense layers
TOTALS = {
    "lenet": (4, 1_888_000, 25_500, 405_000),
    "alexnet": (8, 665_784_864, 2_332_704, 58_621_952),
    "vgg16": (16, 15_346_630_656, 14_710_464, 123_633_664),
    "googlenet": (58, 1_581_647_872, 5_966_272, 1_024_000),
    "resnet34": (37, 3_663_249_408, 21_267_648, 512_000),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_totals_are_the_known_ones(name):
    rows = network_rows(name)
    conv = [row for row in rows if row.kind == "conv"]
    dense = [row for row in rows if row.kind == "dense"]
    found = len(rows), sum(row.macs for row in conv), sum(row.weights for row in conv), sum(row.weights for row in dense)
    assert found == TOTALS[name]
    assert len({row.name for row in rows}) == len(rows)
    assert sum(row.macs for row in dense) == TOTALS[name][3]


def test_a_grouped_convolution():
    row = {row.name: row for row in network_rows("alexnet")}["conv2"]
    assert row == Row(name="conv2", kind="conv", n=96, m=256, k=5, pad=2, h=27, w=27, groups=2)
    assert row.out == (27, 27)
    assert row.gemm == (729, 1200, 128)
    assert (row.weights, row.inputs, row.macs) == (307_200, 69_984, 223_948_800)


def test_sizes_behind_strides_pooling_and_projections():
    rows = {row.name: row for row in network_rows("resnet34")}
    assert [rows[name].h for name in ("conv2_1_a", "conv3_1_a", "conv3_1_b", "conv3_1_proj")] == [56, 56, 28, 56]
    assert (rows["conv3_1_proj"].n, rows["conv3_2_a"].n, rows["conv3_1_proj"].out) == (64, 128, (28, 28))
    rows = {row.name: row for row in network_rows("googlenet")}
    assert [rows[f"inception_{module}/pool_proj"].n for module in ("3b", "4a", "5a", "5b")] == [256, 480, 832, 832]
    assert [rows[f"inception_{module}/1x1"].h for module in ("3a", "4a", "5a")] == [28, 14, 7]
    assert Row(name="c", kind="conv", n=3, m=8, k=3, s=2, pad=1, h=9, w=6).out == (5, 3)


def test_unknown_network():
    with pytest.raises(InputError) as error:
        network_rows("alexnett")
    assert str(error.value) == (
        "no layer table is called 'alexnett'; allowed: lenet, alexnet, vgg16, googlenet, resnet34"
    )
