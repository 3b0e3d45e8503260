"""Networks and training through the Verilog of the zero-skipping grid."""

from dataclasses import replace

import numpy as np
import pytest
from float_networks import SMALL, drawn

import tb.dlac_network
from golden.builder import Builder
from golden.dlac_networks import Parameters, logits, ternary, training_step
from golden.dlac_steps import Step, Steps, Y
from golden.errors import InputError
from golden.formats import Ternary, parse
from golden.layer_tables import topology
from quant.data import mnist
from quant.models import PIXEL_UNIT
from studies.dlac_runs import FULL, resnet_layer, started
from tb.cases import Failure
from tb.dlac_network import integer_steps, run_steps

FP32, FP16 = parse("fp32"), parse("fp16")
TINY = {"rows": 1, "cols": 1, "pixels": 2, "filters": 2, "depth": 3}
NARROW = TINY | {"a": "fp16"}  # is built sooner


def trained(fmt, as_ternary=False):
    """The steps of a step of training."""
    rng, g = np.random.default_rng(1), Steps(fmt)
    parameters = drawn(fmt, rng)
    if as_ternary:
        parameters["conv"] = ternary(g, parameters["conv"].weight, parameters["conv"].bias)
    x = g.rounded(rng.normal(size=(2, 2, 9, 9)))
    training_step(g, SMALL, parameters, x, np.array([0, 2]), 0.125)
    return g.done


def test_a_training_step_runs_on_one_grid():
    steps = trained(FP16, as_ternary=True)
    runs = list(run_steps(steps, FP16, "dlac_fp32", NARROW | {"w": "fp16"}))
    assert [run.name for run in runs] == [step.name for step in steps]
    assert all(run.cycles == run.model <= run.dense for run in runs)
    assert [run.macs for run in runs] == [step.macs for step in steps]
    assert sum(run.dense for run in runs) > 1.1 * sum(run.cycles for run in runs)
    first = runs[0]
    assert (first.name, first.tiles, first.target) == ("conv forward", 25 * 2, "dlac_fp32")
    assert first.instructions == 5 and first.nonzero == steps[0].nonzero


def test_inference_in_half_precision_runs_on_the_grid_with_adders():
    rng, g = np.random.default_rng(2), Steps(FP16)
    gain, bias = (g.rounded(rng.normal(size=4)) for _ in range(2))
    of = Parameters(weight=rng.integers(-1, 2, (4, 2, 3, 3)).astype(float), gain=gain, bias=bias, ternary=True)
    logits(g, [replace(SMALL[0], threshold=0.0625)], {"conv": of}, g.rounded(rng.normal(size=(1, 2, 7, 7))))
    [run] = run_steps(g.done, FP16, "dlac_fp16", TINY)
    assert run.cycles == run.model < run.dense


def integer_network(least=-1):
    rng, network = np.random.default_rng(3), Builder(parse("uint8"), (1, 6, 6), unit=1.0)
    weight = Ternary(), rng.integers(least, 2, (3, 1, 3, 3))
    network.add("conv", "conv", parameters={"weight": weight}, attributes={"stride": 1, "padding": 0}, unit=1.0)
    return network.build(), rng.integers(0, 256, (2, 1, 6, 6)).astype(np.uint8)


def test_integers_are_exact_in_the_grid():
    network, x = integer_network()
    [step] = integer_steps(network, x, FP16)
    np.testing.assert_array_equal(step.result, next(network.gemms(x)).y)
    [run] = run_steps([step], FP16, "dlac_fp32", NARROW)
    assert run.cycles == run.model and run.macs == 32 * 9 * 3


def test_sums_that_a_format_cannot_hold_are_refused():
    network, x = integer_network(least=1)
    with pytest.raises(InputError, match="^sums of conv reach 2295; fp16 holds integers up to 2048$"):
        integer_steps(network, x, FP16)


def test_a_wrong_result_stops_it(monkeypatch):
    network, x = integer_network()
    [step] = integer_steps(network, x, FP16)
    wrong = step.result.copy()
    wrong[3, 1] += 1
    changed = Step(step.name, step.a, step.w, None, True, (), wrong)
    with pytest.raises(Failure, match="^conv: 1 results differ$"):
        list(run_steps([changed], FP16, "dlac_fp32", NARROW))
    monkeypatch.setattr(tb.dlac_network, "run", lambda *_: ({"y": FP16.encode(step.result), "e": np.array([0, 2])}, 9))
    with pytest.raises(Failure, match=r"^conv: flags \[0, 2\]$"):
        list(run_steps([step], FP16, "dlac_fp32", NARROW))


def test_a_sum_of_minus_0_is_as_good_as_0():
    """The grid skips the zero that makes +0 of it in `Steps`; beside it is a NaN."""
    g, (tiny, most) = Steps(FP16), FP16.decode(np.array([1, FP16.top])).tolist()
    a, w = np.array([[tiny, 0.0], [most, most]]), np.array([[-tiny, most], [1.0, most]])
    y = g.product("dense", a, w, ("madd", Y, np.array([1.0, 0.0]), -0.0))
    assert y[0, 0] == 0 and not np.signbit(y[0, 0]) and np.isnan(y[1, 1])
    [run] = run_steps(g.done, FP16, "dlac_fp32", NARROW | {"w": "fp16"}, "icarus")
    assert run.cycles == run.model and run.nonzero == 6


def test_another_format_is_refused():
    network, x = integer_network()
    with pytest.raises(InputError, match="^dlac_fp16 must compute in fp32 as the steps do, not in fp16$"):
        list(run_steps(integer_steps(network, x, FP32), FP32, "dlac_fp16", TINY | {"w": "ternary"}))


@pytest.mark.long
def test_a_training_step_of_lenet_runs_in_the_verilog():
    layers, data, g = topology("lenet_caffe").rows, mnist().train[:2], Steps(FP32)
    shapes, parameters = started(layers, FP32, 0)
    x = (data.images.float() * PIXEL_UNIT).double().numpy()
    training_step(g, shapes, parameters, x, data.labels.numpy(), 0.03125)
    assert len(g.done) == 15
    for run in run_steps(g.done, FP32, "dlac_fp32", {"rows": 2, "cols": 2, "w": "fp32"}):
        assert run.cycles == run.model


@pytest.mark.long
def test_a_layer_of_resnet34_runs_on_16_by_16_pes():
    """64 pixels, 64 filters, 64 channels of 3 x 3: a tile of DLAC's own grid, results and cycles."""
    [run] = run_steps(*resnet_layer(), "dlac_fp32", FULL)
    assert (run.tiles, run.macs) == (1, 64 * 64 * 576)
    assert 0.2 < run.nonzero / run.macs < 0.3
    assert run.cycles == run.model and run.dense > 3 * run.cycles
