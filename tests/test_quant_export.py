"""quant.export: what is exported is what golden computes, and stands for what was trained."""

import numpy as np
import pytest
import torch
from c_program import check
from small_mnist import quick, small_mnist
from trained import chain, images, residual, trained

from golden import artefact
from golden.errors import InputError
from golden.layer_tables import topology
from golden.residual import bottlenecks
from golden.topology import Topology
from quant.evaluate import compare
from quant.export import PIXEL_UNIT, export
from quant.layers import Stage
from quant.models import Classifier, schemes
from quant.schemes import ACTIVATIONS, WEIGHTS
from quant.train import train
from tb.network import run_network

FORMATS = ("int8e-6", "mini_e4m3", "pow2_4", "pow2z_5")


def named(table, widths):
    """A scheme of each row of a table, with the `widths` given or the greatest."""
    for name, row in table.items():
        for width in () if row.widths is None else widths.get(name, (row.widths[-1],)):
            yield f"{name}{width}"
        if row.widths is None:
            yield name


WIDTHS = {"wrpn": (1, 2, 4), "log": (3, 5), "shared": (2, 4), "int": (4, 8), "dfp": (4,)}
EVERY_WEIGHT = (*named(WEIGHTS, WIDTHS), *FORMATS)
EVERY_ACTIVATION = (
    *named(ACTIVATIONS, {"wrpn": (2, 8), "log": (4,), "int": (4, 8), "dfp": (8,)}),
    *("uint8e-4", "int8e-4", "mini_e4m3"),
)
NETS = {"chain": chain, "residual": residual}
TABLES = {"resnet8": 16, "vgg_small": 16, "cifar10_full": 16, "squeezenet": 64}  # pixels a side


def agree(model, varied=6):
    """Whether torch and golden make the same integers of each tensor, and more than `varied` different logits."""
    found = compare(model, export(model), images(model.net, 6))
    assert found.equal, found.differing
    with torch.no_grad():
        logits = model(images(model.net, 6))
    assert len(torch.unique(logits)) > varied
    return found


@pytest.mark.parametrize("weights", EVERY_WEIGHT)
@pytest.mark.parametrize("net", NETS)
def test_golden_computes_what_torch_computes_of_every_weight(net, weights):
    agree(trained(NETS[net](), f"{weights},edges={weights}"))


@pytest.mark.parametrize("activations", EVERY_ACTIVATION)
@pytest.mark.parametrize("net", NETS)
def test_golden_computes_what_torch_computes_of_every_activation(net, activations):
    agree(trained(NETS[net](), "ternary", activations))


@pytest.mark.parametrize("activations", ["wrpn2", "log3", "binary"])
def test_edges_and_pixels_too_can_be_narrow(activations):
    model = trained(chain(), "ttq,edges=ttq", f"{activations},edges={activations},input=wrpn2")
    agree(model)
    formats = {name: str(tensor.format) for name, tensor in export(model).tensors.items()}
    narrow = {"wrpn2": "uint2", "log3": "upow2z_3", "binary": "binary"}[activations]
    assert formats["input"] == "uint8" and formats["input_requant"] == "uint2"
    assert {formats[f"{name}_requant"] for name in ("conv1", "conv2", "conv3", "fc1")} == {narrow}


def test_a_chain_of_ternary_layers_keeps_its_shape():
    net = export(trained(chain(), "ternary"), {"seed": 7})
    ops = ["conv", "requant", "max_pool", "conv", "requant", "max_pool", "conv", "requant", "flatten"]
    assert [node.op for node in net.nodes] == [*ops, "dense", "requant", "dense"]
    assert net.info == {"seed": 7}
    weights = [str(net.parameters[f"{name}.weight"].format) for name in ("conv1", "conv2", "conv3", "fc1", "fc2")]
    assert weights == ["int8", "ternary", "ternary", "ternary", "int8"]


def test_units_are_what_integers_are_worth():
    model = trained(chain(), "ternary")
    network, unit = export(model), PIXEL_UNIT
    for stage in model.stages:
        name = stage.layer.name
        assert network.parameters[f"{name}.weight"].format == stage.weights.format
        _, scale = stage.weights.integers(stage.weight)
        assert network.tensors[name].unit == pytest.approx(scale.item() * unit)
        if stage.activation is not None:
            assert network.tensors[f"{name}_requant"].format == stage.activation.format
            unit = network.tensors[f"{name}_requant"].unit
            assert unit == pytest.approx(float(stage.activation.unit))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(
    ("weights", "activations"),
    [("int8", "int8"), ("ttq", "int8"), ("bwn", "int16"), ("shared6", "wrpn8"), ("log4", "dfp8")],
)
def test_integers_stand_for_the_reals_that_were_trained(net, weights, activations):
    """The same layers, with the units and statistics of evaluation, in reals: logits but for a few steps."""
    model = trained(NETS[net](), f"{weights},edges={weights}", activations, steps=6)
    network, x = export(model), images(model.net, 40)
    logits = torch.from_numpy(network.run(x.numpy())).double() * network.tensors[network.output].unit
    model.__class__ = Reals
    with torch.no_grad():
        reals = model(x).double()
    error = (logits - reals).abs() / (reals.max() - reals.min())
    assert error.mean() < 0.01 and error.median() < 0.005


class Reals(Classifier):
    """A classifier that computes reals in evaluation, too."""

    quantised = False


def test_a_binary_chain_pools_sums_and_compares_them_with_thresholds():
    model = trained(chain(), "bwn", "binary")
    network = export(model)
    ops = {node.name: node for node in network.nodes}
    assert ops["conv2_pool"].inputs == ("conv2",) and ops["conv2_requant"].inputs == ("conv2_pool",)
    assert str(network.tensors["conv2_pool"].format) == "int32"
    m = network.parameters["conv2_requant.m"].values
    gains = model.stages[1].norm.weight.detach().numpy()
    assert np.array_equal(m, np.sign(gains))
    assert str(network.tensors["conv2_requant"].format) == "binary"
    assert str(network.tensors["fc1_requant"].format) == "uint8"  # what the last layer reads


def test_two_scales_are_two_sums_added_once():
    model = trained(chain(), "ttq")
    network = export(model)
    ops = {node.name: node for node in network.nodes}
    assert ops["conv2_requant"].op == "add" and ops["conv2_requant"].inputs == ("conv2_positive", "conv2_negative")
    weights = [network.parameters[f"conv2_{part}.weight"] for part in ("positive", "negative")]
    assert [str(weight.format) for weight in weights] == ["uint1", "uint1"]
    assert {ops[f"conv2_{part}"].target for part in ("positive", "negative")} == {"ttq_gemm"}
    assert not (weights[0].values & weights[1].values).any()


def test_residual_sums_are_rounded_once():
    network = export(trained(residual(), "ternary"))
    ops = {node.name: node for node in network.nodes}
    assert ops["b1"].op == "add" and ops["b1"].inputs == ("b1_b", "conv1_requant")
    assert ops["b2"].inputs == ("b2_b", "b2_shortcut") and ops["b3"].inputs == ("b3_b", "b3_proj")
    assert [str(network.tensors[name].format) for name in ops["b1"].inputs] == ["int32", "uint8"]
    assert ops["cat"].inputs == ("left_requant", "right_requant")
    assert network.tensors["left_requant"].unit == network.tensors["right_requant"].unit


def test_joints_read_eight_bits_where_layers_read_signs():
    network = export(trained(residual(), "ternary", "binary"))
    ops = {node.name: node for node in network.nodes}
    assert ops["b1_a"].inputs == ("conv1_requant",) and ops["b1"].inputs == ("b1_b", "conv1_requant_stream")
    formats = [str(network.tensors[name].format) for name in ("conv1_requant", "conv1_requant_stream")]
    assert formats == ["binary", "uint8"]


@pytest.mark.parametrize("name, weights", [("lenet", "ternary,edges=ternary"), ("lenet_caffe", "int8,ip1=ternary")])
def test_an_artefact_computes_what_torch_computes(name, weights, tmp_path):
    data, settings = small_mnist(256, 50), quick(name, weights)
    start = train(settings.start, data, progress=False).model.state_dict()
    model = train(settings, data, start, progress=False).model
    artefact.save(tmp_path / "network.safetensors", export(model))
    network = artefact.load(tmp_path / "network.safetensors")
    found = compare(model, network, data.test.images)
    assert found.equal, found.differing
    one = {"conv1": 11520, "conv2": 3200, "ip1": 500, "ip2": 10}
    one |= {f"{name}_requant": count for name, count in one.items() if name != "ip2"}
    one |= {"conv1_pool": 2880, "conv2_pool": 800}
    assert found.compared == {name: count * 50 for name, count in one.items()}
    with torch.no_grad():
        assert np.array_equal(network.run(data.test.images.numpy()), model(data.test.images).numpy())


@pytest.mark.parametrize(("weights", "activations"), [("ternary", "int8"), ("wrpn2", "wrpn2"), ("bwn", "binary")])
@pytest.mark.parametrize("name", [*TABLES, "bottlenecks"])
def test_networks_of_the_tables_are_exported(name, weights, activations):
    if name == "bottlenecks":
        net = bottlenecks((1, 1, 1, 1))((1, 64, 64), classes=5, width=0.125)
    else:
        net = topology(f"{name}:shape=1x{TABLES[name]}x{TABLES[name]},classes=5")
    agree(trained(net, weights, activations, steps=1), varied=1)


@pytest.mark.parametrize(("weights", "activations"), [("ttq,edges=ttq", "int8"), ("bwn", "binary")])
def test_c_computes_what_golden_computes(weights, activations, tmp_path):
    check(tmp_path, export(trained(residual(), weights, activations)))


def test_weights_that_are_all_zero_are_exported():
    for weights in ("ternary,edges=ternary", "ttq,edges=ttq", "bwn,edges=bwn", "log4", "shared2", "dfp4"):
        model = trained(chain(), weights, steps=0)
        for stage in model.stages[1:]:
            torch.nn.init.zeros_(stage.weight)
        found = compare(model, network := export(model), images(model.net, 3))
        assert found.equal
        if "ternary" in weights:
            assert network.tensors["fc2"].unit is None and not network.run(images(model.net, 3).numpy()).any()


def test_what_cannot_be_exported_is_refused():
    net = chain()
    for model in (Classifier(net), Classifier(net, ("float",) * 5, "int8"), Classifier(net, ("int8",) * 5, "float")):
        with pytest.raises(InputError, match="a float network has no integers to export; choose schemes of"):
            export(model)
    model = trained(net, "ternary")
    model.stages[1].norm.weight.data[2] = float("nan")
    with pytest.raises(InputError, match="scale and offset must be finite"):
        export(model)
    groups = Topology((1, 8, 8))
    groups.conv("a", 4, 3)
    groups.conv("b", 4, 3, groups=2)
    groups.logits("c", 5)
    with pytest.raises(InputError, match="layer b has 2 groups; golden's convolutions have 1"):
        export(Classifier(groups, schemes("ternary", groups)))
    with pytest.raises(InputError, match="sums of conv2_requant need 5[3-9] bits; allowed: up to 52"):
        export(trained(net, "mini_e5m2", "int16"))


def test_a_stage_has_no_part_in_its_source():
    model = trained(chain(), "bwn", "binary")
    assert isinstance(model.stages[1], Stage) and model.stages[1].source[0] is model.stages[0].activation
    assert not [name for name in model.state_dict() if "source" in name]


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("net", "weights", "activations", "arrays"),
    [
        ("chain", "ttq", "int8", {"ttq_gemm"}),
        ("chain", "bwn", "binary", {"xnor_gemm"}),
        pytest.param("chain", "log4", "log4", {"log_gemm"}, marks=LONG),
        pytest.param("chain", "shared3", "int8", {"codebook_gemm"}, marks=LONG),
        pytest.param("chain", "shared3", "log3", {"codebook_gemm"}, marks=LONG),
        pytest.param("chain", "log4", "int8", {"pow2_gemm"}, marks=LONG),
        pytest.param("chain", "mini_e5m2", "int8", {"minifloat_gemm"}, marks=LONG),
        pytest.param("chain", "wrpn4", "wrpn4", set(), marks=LONG),
        pytest.param("chain", "int16", "binary", set(), marks=LONG),
        pytest.param("chain", "ttq", "log3", set(), marks=LONG),
        pytest.param("residual", "wrpn2", "wrpn4", {"ternary_gemm"}, marks=LONG),
        pytest.param("residual", "bwn", "binary", {"xnor_gemm", "binary_gemm"}, marks=LONG),  # what is pooled apart has 8 bits
    ],
)
def test_exported_networks_run_in_verilog(net, weights, activations, arrays):
    network = export(trained(NETS[net](), weights, activations))
    layers = list(run_network(network, images(NETS[net](), 2).numpy(), sim="icarus", rows=4, cols=4))
    assert {layer.target for layer in layers} == arrays | {"int8_gemm", "requant"}
    assert all(layer.cycles == layer.model for layer in layers)
