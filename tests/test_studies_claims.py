"""studies.claims: sums over layers, gaps of containers, and which limit keeps a figure behind the published one."""

import pytest

from studies.claims import VARIANTS, claims, gaps, totals
from studies.traffic import CODES, GROUPS


def tensor(values, bits, floor=None):
    """Figures of a tensor: `bits` a value in every code."""
    by_group = {str(group): values * bits for group in GROUPS}
    floors = {str(group): values * (floor or bits) for group in GROUPS}
    codes = dict.fromkeys(CODES, values * bits) | {"uncompressed": values * 16}
    return codes | {"values": values, "zeros": 1, "dpred": by_group, "dpred_zeros": by_group} | dict.fromkeys(("floor", "bare_floor"), floors)


def row(kind, cycles, weights, activations):
    """A layer that has the same figures in every variant."""
    traffic = {"weights": weights, "activations": activations}
    return {"name": kind, "kind": kind} | dict.fromkeys(VARIANTS, {"traffic": traffic, "cycles": cycles})


CYCLES = {"parallel": 100, "loom_parallel": 1600, "stripes": 50, "of_layer": 48, "of_value": 20, "of_group": 25}
CYCLES |= {"of_tile": 40, "dynamic": 60, "ahead_16_4": 45, "loom_of_value": 300, "loom_of_group": 350}
CYCLES |= {"loom_of_tile": 500, "loom_1": 600}


def test_totals_are_sums_with_the_activations_of_one_image():
    network = {"images": 4, "layers": [row("conv", CYCLES, tensor(10, 8), tensor(80, 2))]}
    network["layers"].append(row("dense", CYCLES | {"parallel": 7}, tensor(30, 4), tensor(8, 16)))
    found = totals(network)["8"]
    assert found["traffic"]["weights"]["static"] == 80 + 120
    assert found["traffic"]["activations"]["dpred_16"] == (160 + 128) / 4
    assert found["traffic"]["both"]["uncompressed"] == 16 * (40 + 88 / 4)
    assert found["cycles"]["all"]["parallel"] == 107
    assert (found["cycles"]["dense"]["parallel"], found["cycles"]["depthwise"]) == (7, {})


def test_gaps_are_of_tensors_that_are_large_enough():
    weights = tensor(4096, 4, 3.9) | {"bare_floor": {"16": 4096 * 3.8}}
    layer = row("conv", CYCLES, weights, tensor(2 * 4095, 4))
    found = gaps({"n": {"images": 2, "layers": [layer]}})
    assert [(x["part"], x["variant"]) for x in found] == [("weights", variant) for variant in VARIANTS]
    assert found[0]["gap"] == pytest.approx(4 / 3.9 - 1) and found[0]["bits"] == pytest.approx(3.9)
    assert found[0]["bare"] == pytest.approx(4 / 3.8 - 1)


def test_causes():
    network = {"images": 1, "layers": [row("conv", CYCLES, tensor(10, 5, 4), tensor(10, 8, 5))]}
    found = {(x["claim"], x["variant"]): x for x in claims(totals(network))}
    traffic = found["traffic_8", "8"]
    assert traffic["ours"] == (50 + 80) / 320
    assert traffic["cause"] == "data"  # the entropy is above 33 % too
    assert traffic["limits"] == {"data": 130 / 320, "group": 90 / 320, "overhead": 130 / 320}
    activations = found["activations_8", "8"]
    assert activations["ours"] == activations["all"] == 100 / 60
    assert activations["limits"] == {"data": 5, "group": 4, "synchronisation": 2.5, "overhead": 100 / 60}
    assert activations["ahead"] == 100 / 45
    assert activations["cause"] == "overhead"  # 1.67, where tiles alone would give 2.5, above 1.82
    assert (found["both_8", "8"]["ours"], found["both_8", "8"]["cause"]) == (1600 / 600, "overhead")
    assert (found["stripes_micro", "16p"]["ours"], found["stripes_micro", "16p"]["cause"]) == (2, None)
    assert found["stripes_cal", "16p"]["cause"] == "data"  # 100 / 48 is below 2.24
    over = found["dynamic_over_stripes", "16p"]
    assert (over["ours"], over["limits"]["synchronisation"], over["cause"]) == (50 / 60, 48 / 40, "synchronisation")
    assert over["ahead"] == 50 / 45 and "ahead" not in found["loom", "16p"]
    assert found["loom", "16p"]["limits"]["group"] == 1600 / 350
    assert found["loom", "16p"]["cause"] == "synchronisation"
