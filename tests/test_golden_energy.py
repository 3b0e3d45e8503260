import math

import pytest

from golden.energy import LEVELS, EnergySpec, layer_energy
from golden.errors import InputError
from golden.layer_tables import Row, network_rows

CONV = Row(name="c", kind="conv", n=8, m=32, k=3, pad=1, h=10, w=12)
DENSE = Row(name="d", kind="dense", n=100, m=50)


def total(found):
    return sum(sum(levels.values()) for levels in found.values())


def test_a_convolution_by_hand():
    found = layer_energy(EnergySpec(batch=4, filters=16, channels=4), CONV)
    macs, weights, inputs, outputs = 32 * 8 * 9 * 120, 32 * 8 * 9, 8 * 120, 32 * 120
    assert found["products"] == {"mac": macs}
    wanted = {
        "weights": {"rf": macs, "noc": macs / 12, "glb": weights, "dram": weights / 4},
        "inputs": {"rf": macs, "noc": macs / 48, "glb": macs / 144, "dram": inputs},
        "sums": {"rf": 2 * macs, "noc": macs / 12, "glb": 2 * (2 * outputs - outputs) + outputs, "dram": outputs},
    }
    costs = {"rf": 1, "noc": 2, "glb": 6, "dram": 200}
    for what, levels in wanted.items():
        assert found[what] == pytest.approx({level: costs[level] * count for level, count in levels.items()}), what
    assert {level for levels in found.values() for level in levels} == set(LEVELS)


def test_a_dense_layer_is_fetched_for_each_batch():
    one, many = (layer_energy(EnergySpec(batch=batch), DENSE) for batch in (1, 100))
    assert one["weights"]["dram"] == 200 * 5000 and many["weights"]["dram"] == 200 * 50
    assert one["inputs"] == many["inputs"] and one["sums"]["glb"] == 6 * (2 * (5000 / 4 - 50) + 50)


def test_narrow_numbers_cost_in_proportion():
    wide, narrow = (layer_energy(EnergySpec(), CONV, weight_bits=w, activation_bits=a) for w, a in ((16, 16), (2, 8)))
    assert narrow["products"]["mac"] == wide["products"]["mac"] / 16
    for what, ratio in (("weights", 8), ("inputs", 2), ("sums", 2)):
        assert narrow[what] == pytest.approx({level: x / ratio for level, x in wide[what].items()})


def test_zeros_are_left_out_where_that_is_less():
    spec = EnergySpec()
    dense, sparse = (layer_energy(spec, CONV, weights=share, inputs=0.5) for share in (1.0, 0.25))
    assert sparse["products"]["mac"] == dense["products"]["mac"] / 4 == CONV.macs / 8
    assert sparse["weights"]["dram"] == dense["weights"]["dram"] * 0.25 * 20 / 16
    assert layer_energy(spec, CONV, weights=0.9)["weights"]["dram"] == dense["weights"]["dram"]  # numbered: more bits
    assert sparse["inputs"]["glb"] == dense["inputs"]["glb"]
    out = layer_energy(spec, CONV, outputs=0.5)["sums"]
    assert out["dram"] == 200 * 32 * 120 * 0.5 * 20 / 16
    assert out["glb"] == layer_energy(spec, CONV)["sums"]["glb"]
    assert total(layer_energy(spec, CONV, weights=0.0, inputs=0.0, outputs=0.0)) == pytest.approx(
        sum(layer_energy(spec, CONV)["sums"][level] for level in ("noc", "glb"))
    )


def test_alexnets_convolutions_take_more_than_its_dense_layers_which_have_more_weights():
    rows = network_rows("alexnet")
    weights, energy = {"conv": 0, "dense": 0}, {"conv": 0.0, "dense": 0.0}
    for row in rows:
        weights[row.kind] += row.weights
        energy[row.kind] += total(layer_energy(EnergySpec(batch=44), row))
    assert weights["dense"] > 20 * weights["conv"]
    assert energy["conv"] > 2 * energy["dense"]
    alone = sum(total(layer_energy(EnergySpec(batch=1), row)) for row in rows if row.kind == "dense")
    assert alone > energy["conv"]  # for one image, the fetch of their weights alone


def test_bad_numbers_are_refused():
    for given, message in (
        ({"dram": -1.0}, "dram must be at least 0, not -1.0"),
        ({"mac": math.nan}, "mac must be at least 0, not nan"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"index_bits": -1}, "index_bits must be at least 0, not -1"),
    ):
        with pytest.raises(InputError, match=message):
            EnergySpec(**given)
    with pytest.raises(InputError, match="share of inputs that is not zero must be 0 to 1, not 1.5"):
        layer_energy(EnergySpec(), CONV, inputs=1.5)
    with pytest.raises(InputError, match="weight_bits must be at least 1, not 0"):
        layer_energy(EnergySpec(), CONV, weight_bits=0)
