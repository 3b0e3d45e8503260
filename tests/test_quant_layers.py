"""quant.layers: what a node does with reals, by hand."""

import pytest
import torch
from torch.nn import functional

from golden.topology import Topology
from golden.window import Window
from quant.layers import Joint, Stage, adds_up
from quant.quantisers_binary import BinaryWeight
from quant.quantisers_ternary import Twn
from quant.schemes import activation_quantiser

HALF = Window(kernel=2, stride=2)


def reals(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def layer(**settings):
    net = Topology((3, 9, 9))
    net.conv("c", 6, 3, s=2, pad=1, **settings)
    return net.rows[0]


def test_a_float_stage_is_convolution_normalisation_relu_and_pooling():
    torch.manual_seed(0)
    stage, x = Stage(layer(pool=HALF)), reals(5, 3, 9, 9)
    stage.norm.weight.data.normal_()
    y = stage.norm(functional.conv2d(x, stage.weight, stride=2, padding=1)).relu()
    torch.testing.assert_close(stage(x), functional.max_pool2d(y, 2))
    assert Stage(layer(norm="bias", relu=False)).bias.shape == (6,)


def test_a_stage_of_signs_pools_its_sums_and_is_padded_with_minus_one():
    torch.manual_seed(0)
    row = layer(pool=HALF)
    sign = activation_quantiser("binary", True)
    stage = Stage(row, BinaryWeight(row), sign, source=sign).eval()
    stage.norm.weight.data.copy_(torch.tensor([1.0, -1, 2, -2, 0, 1]))
    stage.norm.running_mean.normal_()
    x = torch.where(reals(4, 3, 9, 9) < 0, -1.0, 1.0)
    integers, scale = stage.weights.integers(stage.weight)
    sums = functional.conv2d(functional.pad(x, (1,) * 4, value=-1.0), integers * scale, stride=2)
    expected = stage.norm(functional.max_pool2d(sums, 2))
    y = stage(x)
    assert torch.equal(y, torch.where(expected >= 0, 1.0, -1.0)) and y[:, 4].eq(1).all()
    assert not torch.equal(y, functional.max_pool2d(torch.where(stage.norm(sums) >= 0, 1.0, -1.0), 2))


def test_weights_are_prepared_in_training_alone():
    row = layer()
    stage = Stage(row, BinaryWeight(row))
    stage.weight.data.normal_(std=3)
    before = stage.weight.detach().clone()
    stage.eval()(reals(2, 3, 9, 9))
    assert torch.equal(stage.weight, before)
    stage.train()(reals(2, 3, 9, 9))
    assert stage.weight.abs().max() == 1 and not torch.equal(stage.weight, before)


def test_the_affine_map_is_that_of_evaluation():
    row = layer(linear=True)
    stage = Stage(row, Twn(row)).eval()
    for name, values in (("weight", reals(6)), ("bias", reals(6) + 1), ("running_mean", reals(6) - 1)):
        getattr(stage.norm, name).data.copy_(values)
    gain, offset = (torch.from_numpy(part).float() for part in stage.affine())
    x = reals(2, 3, 9, 9)
    sums = stage.sums(x, stage.weights(stage.weight))
    torch.testing.assert_close(stage(x), sums * gain.reshape(-1, 1, 1) + offset.reshape(-1, 1, 1))


def test_two_quantisers_give_two_results():
    net = Topology((2, 4, 4))
    net.add("a", "input", "input", pool=HALF)
    sign, eight = activation_quantiser("binary", True), activation_quantiser("int8", True)
    for_layers, for_joints = Joint(net.nodes[0], sign, eight)(*[reals(3, 2, 4, 4)] * 2)
    assert for_layers.unique().tolist() == [-1, 1] and for_joints.min() == 0
    assert torch.equal(for_layers, functional.max_pool2d(torch.where(reals(3, 2, 4, 4) >= 0, 1.0, -1.0), 2))
    assert adds_up(None) and adds_up(eight) and not adds_up(sign)


def test_joints_by_hand():
    net = Topology((2, 5, 5))
    net.add("add", "input", "input")
    net.concat("cat", "input", "input", relu=False)
    net.average_pool("mean", Window(kernel=3, stride=2, ceil_mode=True), source="input")
    net.max_pool("max", HALF, source="input")
    net.shortcut("short", 5, 2, source="input")
    joints, x = {node.name: Joint(node) for node in net.nodes}, reals(3, 2, 5, 5)
    assert torch.equal(joints["add"](x, x), (2 * x).relu())
    assert torch.equal(joints["cat"](x, -x), torch.cat([x, -x], 1))
    assert joints["mean"](x)[0, 0, 1, 0] == pytest.approx(float(x[0, 0, 2:, :3].sum() / 9))
    assert torch.equal(joints["max"](x), functional.max_pool2d(x, 2))
    y = joints["short"](x)
    assert y.shape == (3, 5, 3, 3) and torch.equal(y[:, :2], x[:, :, ::2, ::2]) and not y[:, 2:].any()
