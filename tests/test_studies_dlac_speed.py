"""studies.dlac_speed: masks of layers and what the schedule makes of them."""

from dataclasses import replace

import numpy as np
import pytest

from golden.dlac import cycles
from golden.dlac_grid import GridShape
from golden.dlac_layers import batch_norm, rectify
from golden.layer_tables import Row, network_rows
from studies.dlac_speed import FP32, GRID, Masks, independent, interleaved, layer_speed, lowered, resampled, total

SMALL = GridShape(rows=2, cols=2, pixels=2, filters=2)


def test_the_grid_is_as_large_as_dlac():
    assert GRID.rows * GRID.cols * GRID.units == 512 and GRID.buffers == 16


def test_cycles_are_those_of_the_grid():
    rng = np.random.default_rng(0)
    a, w = rng.random((8, 30)) < 0.5, rng.random((30, 5)) < 0.6
    found = layer_speed(lowered("x", a, w, 1, SMALL), SMALL)
    made = cycles(SMALL, a.astype(float), w.astype(float))
    assert found["cycles"] == made.sum() - made.size * (SMALL.tile_rows + 1)  # without the NOP and the way out
    program = batch_norm(SMALL, np.ones(5), np.ones(5)) + rectify(SMALL, FP32)
    assert found["cycles_whole"] == cycles(SMALL, a.astype(float), w.astype(float), program.rows).sum()
    plain = replace(SMALL, skip="none")
    dense = cycles(plain, np.ones((8, 30)), np.ones((30, 5)))
    assert found["dense_cycles"] == dense.sum() - dense.size * (SMALL.tile_rows + 1)
    pairs = np.count_nonzero(a[:, :, None] & w)
    assert (found["macs"], found["share"]) == (1200, pairs / 1200)
    assert (found["density_a"], found["density_w"]) == (pytest.approx(a.mean()), pytest.approx(w.mean()))
    assert found["flop"] == pytest.approx(2400 / found["cycles"])
    assert found["dense_flop"] == pytest.approx(2400 / found["dense_cycles"])
    # both streams come once for each of the 2 x 2 tiles
    sent = 4 * 2 * a.sum() + 4 * (30 * 4 / 8) + 4 * (30 * 4 / 4) + 4 * 4 * 16
    assert found["bytes"] * found["cycles_whole"] == pytest.approx(sent)
    plain = 4 * (4 * 30 * 4) + 4 * (30 * 4 / 4) + 4 * 4 * 16
    assert found["bytes_plain"] * found["cycles_whole"] == pytest.approx(plain)


def test_layers_of_several_images_count_for_one():
    rng = np.random.default_rng(1)
    a, w = rng.random((64, 9)) < 0.5, rng.random((9, 4)) < 0.5
    one, four = (layer_speed(lowered("x", a, w, images, SMALL), SMALL) for images in (1, 4))
    for key in ("macs", "cycles", "dense_cycles_whole"):
        assert four[key] == one[key] / 4
    assert four["flop"] == one["flop"] and four["share"] == one["share"]


def test_drawn_layers_have_the_densities_and_products_of_their_rows():
    row = next(row for row in network_rows("resnet34") if row.name == "conv3_1_a")
    masks = independent(row, 0.4, 0.25, np.random.default_rng(2))
    assert masks.a.shape == (4, 576, 64) and masks.w.shape == (1, 576, 64)
    assert masks.tiles == row.macs / (576 * 64 * 64) == 28 * 28 * 128 / 4096
    found = layer_speed(masks)
    assert found["density_a"] == pytest.approx(0.4, abs=0.01) and found["density_w"] == pytest.approx(0.25, abs=0.01)
    assert found["macs"] == row.macs and 0.7 * found["bound"] < found["speed_up"] < found["bound"]


def test_resampled_layers_keep_what_lies_together():
    windows, depth = 200, 18
    a = np.arange(windows)[:, None] // 64 % 2 == np.arange(depth)[None] // 9  # of 64 windows one channel, then the other
    w = np.zeros((depth, 3), bool)
    w[:9, 0] = w[9:, 1] = True
    row = Row(name="x", kind="conv", n=5, m=8, k=3, pad=1, h=8, w=8)
    masks = resampled(row, a, w, np.random.default_rng(3), SMALL)
    assert masks.a.shape == (4, 45, 4) and masks.w.shape == (1, 45, 4)
    for column in masks.w[0].T:
        for start in (0, 18):  # a filter keeps its weights: one channel of the two, or none
            part = column[start : start + 18].reshape(2, 9)
            assert (part == part[:, :1]).all() and part[:, 0].sum() <= 1
    for tile in masks.a:
        for start in (0, 18):
            assert (tile[start : start + 9] != tile[start + 9 : start + 18]).all()
    assert masks.macs == row.macs


def test_neighbours_on_different_pes_share_what_there_is_to_do():
    a = np.zeros((1, 40, 8), bool)
    a[:, :, :4] = True  # four windows next to each other have all there is
    four = GridShape(rows=2, cols=1, pixels=4, filters=2, units=1)
    real = {"rows": np.array([8]), "cols": np.array([2])}
    masks = Masks(name="x", a=a, w=np.ones((1, 40, 2), bool), macs=640, tiles=1.0, **real)
    apart = interleaved(masks, four)
    assert [apart.a[0, 0, pe * 4 : pe * 4 + 4].sum() for pe in range(2)] == [2, 2]
    together, shared = layer_speed(masks, four), layer_speed(apart, four)
    assert together["share"] == shared["share"] and shared["speed_up"] > 1.9 * together["speed_up"]


def test_totals_weigh_layers_by_their_cycles():
    four = np.array([4])
    fast, slow = (
        layer_speed(Masks(name="x", a=a, w=np.ones((1, 40, 4), bool), rows=four, cols=four, macs=640, tiles=1.0), SMALL)
        for a in (np.random.default_rng(4).random((1, 40, 4)) < 0.2, np.ones((1, 40, 4), bool))
    )
    both = total([fast, slow])
    assert both["flop"] == 4 * 640 / (fast["cycles"] + slow["cycles"]) < both["mean_flop"]
    assert both["peak_flop"] == fast["flop"] and both["macs"] == 1280
    assert both["share"] == pytest.approx((fast["share"] + 1) / 2) and both["bound"] == 1 / both["share"]
    assert both["density_a"] == pytest.approx((fast["density_a"] + 1) / 2) and both["density_w"] == 1
    heavy = total([fast, slow | {"macs": 3 * slow["macs"]}])
    assert heavy["density_a"] == pytest.approx((fast["density_a"] + 3) / 4)
    assert both["speed_up"] == (fast["dense_cycles"] + slow["dense_cycles"]) / (fast["cycles"] + slow["cycles"])
