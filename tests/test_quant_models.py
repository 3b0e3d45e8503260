"""quant.models: the networks of the tables as models."""

import pytest
import torch
from trained import residual

from golden.errors import InputError
from golden.layer_tables import fitted, topology
from quant.layers import Stage
from quant.models import NETWORKS, Classifier, schemes

LENET = topology("lenet")


def formats(model):
    return [None if part.activation is None else str(part.activation.format) for part in model.parts()]


def test_activations_are_signed_where_caffe_has_no_relu():
    assert formats(Classifier(LENET, ["int8"] * 4)) == ["uint8", "uint8", "uint8", None]
    assert formats(Classifier(topology("lenet_caffe"), ["int8"] * 4)) == ["int8", "int8", "uint8", None]


def test_averages_have_a_sign_where_what_is_averaged_has_one():
    model = Classifier(residual(), schemes("ternary", residual()))
    assert str(model.joints["average"].activation.format) == "uint8"
    net = topology("lenet_caffe")
    net.average_pool("mean", source="conv2")
    net.logits("last", 10)
    assert str(Classifier(net, ["int8"] * 5).joints["mean"].activation.format) == "int8"


def test_signs_and_powers_come_with_eight_bits_for_joints():
    for activations, narrow in (("binary", "binary"), ("log4", "upow2z_4"), ("int4", "uint4")):
        model = Classifier(residual(), schemes("ternary", residual()), activations)
        parts = {part.node.name: part for part in model.parts()}
        assert str(parts["b1"].activation.format) == narrow  # read by a layer and by joints
        assert str(parts["b1_a"].activation.format) == narrow and parts["b1_a"].stream is None
        stream = parts["b1"].stream
        assert stream is None if activations == "int4" else str(stream.format) == "uint8"
        assert str(parts["cat"].activation.format) == ("uint4" if activations == "int4" else "uint8")


@pytest.mark.parametrize("name", ["lenet", "mlp64", "vgg_small", "resnet8"])
@pytest.mark.parametrize("weights", ["float", "ternary"])
def test_networks_for_small_images_make_logits_and_gradients(name, weights):
    torch.manual_seed(0)
    net = topology(fitted(name, (1, 28, 28), 10))
    model = Classifier(net, schemes(weights, net))
    pixels = torch.randint(256, (4, 1, 28, 28), dtype=torch.uint8)
    logits = model(pixels)
    assert logits.shape == (4, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.eval()(pixels).dtype == (torch.float32 if weights == "float" else torch.float64)


def test_float_network_reads_pixels_in_units_of_one_255th():
    model = Classifier(LENET).eval()
    pixels = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    x = pixels.float() / 255
    for stage in model.stages:
        x = stage(x)
    torch.testing.assert_close(model(pixels), x)
    assert x.shape == (3, 10)


def test_what_is_partly_float_computes_reals():
    pixels = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8)
    for model in (Classifier(LENET, ["ternary"] * 4, "float"), Classifier(LENET, (), "int8")):
        assert not model.quantised and model.eval()(pixels).dtype == torch.float32
    assert Classifier(LENET, ["ternary"] * 4).quantised and not Classifier(LENET).quantised


def test_stages_are_the_layers_in_order_and_names_of_their_state():
    model = Classifier(residual(), schemes("ttq", residual()))
    assert [stage.layer.name for stage in model.stages] == [row.name for row in residual().rows]
    names = set(model.state_dict())
    assert {"stages.1.weight", "stages.1.weights.up", "stages.0.activation.peak", "joints.b1.activation.peak"} <= names
    assert all(isinstance(part, Stage) == (part in list(model.stages)) for part in model.parts())


def test_unknown_networks_and_too_few_schemes_are_refused():
    with pytest.raises(InputError, match="no network is called 'lenet5'; allowed: lenet, lenet_caffe"):
        topology("lenet5")
    with pytest.raises(InputError, match="4 layers need as many weight schemes, not 3"):
        Classifier(LENET, ["int8"] * 3)
    assert "resnet44" in NETWORKS
