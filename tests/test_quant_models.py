import pytest
import torch

from golden.errors import InputError
from quant.models import NETWORKS, Classifier, network_layers, schemes

LENET = network_layers("lenet")


@pytest.mark.parametrize("network", NETWORKS)
def test_lenet_costs_what_the_layer_tables_say(network):
    layers = network_layers(network)
    assert [(x.name, x.macs, x.weights) for x in layers] == [
        ("conv1", 288_000, 500),
        ("conv2", 1_600_000, 25_000),
        ("ip1", 400_000, 400_000),
        ("ip2", 5_000, 5_000),
    ]
    for layer, after in zip(layers, layers[1:], strict=False):
        size = layer.out // layer.pool
        assert after.n * after.h**2 == layer.m * size**2 if after.kind == "conv" else after.n == layer.m * size**2


def test_activations_are_signed_where_caffe_has_no_relu():
    formats = {
        network: [str(stage.format) for stage in Classifier(network_layers(network), ["int8"] * 4).stages]
        for network in NETWORKS
    }
    assert formats == {
        "lenet": ["uint8", "uint8", "uint8", "None"],
        "lenet_caffe": ["int8", "int8", "uint8", "None"],
    }


@pytest.mark.parametrize(
    "text, found",
    [
        ("float", ()),
        ("ternary", ("ternary",) * 4),
        ("ternary,conv1=int8", ("int8", "ternary", "ternary", "ternary")),
        ("conv1=int8,conv2=ternary,ip1=ternary,ip2=int8", ("int8", "ternary", "ternary", "int8")),
    ],
)
def test_schemes_by_layer(text, found):
    assert schemes(text, LENET) == found


@pytest.mark.parametrize(
    "text, message",
    [
        ("terrnary", "no weight scheme is called 'terrnary'; allowed: float, ternary, int8"),
        ("ternary,conv3=int8", "no layer is called 'conv3'; allowed: conv1, conv2, ip1, ip2"),
        ("conv1=int8,ip1=ternary", "no weight scheme for conv2, ip2 in"),
        ("ternary,ip2=float", "no weight scheme is called 'float'"),
        ("", "no weight scheme is called ''"),
    ],
)
def test_wrong_schemes_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        schemes(text, LENET)


def test_unknown_network_is_refused():
    with pytest.raises(InputError, match="no network is called 'lenet5'; allowed: lenet, lenet_caffe"):
        network_layers("lenet5")


def test_float_network_reads_pixels_in_units_of_one_255th():
    model = Classifier(LENET).eval()
    pixels = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    x = pixels.float() / 255
    for stage in model.stages:
        x = stage(x)
    torch.testing.assert_close(model(pixels), x)
    assert x.shape == (3, 10)
