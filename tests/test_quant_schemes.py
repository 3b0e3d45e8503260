"""quant.schemes: names of quantisers, and texts that name one for each layer."""

import pytest

from golden.errors import InputError
from golden.layer_tables import topology
from quant.schemes import ACTIVATIONS, WEIGHTS, activation_quantiser, activation_schemes, schemes, weight_quantiser

LENET, RESNET = topology("lenet"), topology("resnet8")


@pytest.mark.parametrize(
    "text, found",
    [
        ("float", ()),
        ("ternary", ("int8", "ternary", "ternary", "int8")),
        ("ternary,edges=ternary", ("ternary",) * 4),
        ("wrpn2,edges=int4,ip2=log5", ("int4", "wrpn2", "wrpn2", "log5")),
        ("ternary,edges=float", ("float", "ternary", "ternary", "float")),
        ("float,conv2=ternary", ("float", "ternary", "float", "float")),
        ("conv1=int8,conv2=shared4,ip1=ternary,ip2=int8", ("int8", "shared4", "ternary", "int8")),
    ],
)
def test_weights_of_each_layer(text, found):
    assert schemes(text, LENET) == found


@pytest.mark.parametrize(
    "net, text, found",
    [
        (LENET, "binary", {"input": "float", "conv1": "binary", "conv2": "binary", "ip1": "int8"}),
        (LENET, "wrpn2,edges=wrpn2,input=wrpn2", dict.fromkeys(("input", "conv1", "conv2", "ip1"), "wrpn2")),
        (LENET, "float", dict.fromkeys(("input", "conv1", "conv2", "ip1"), "float")),
        (LENET, "conv1=int8,conv2=int4,ip1=log4", {"input": "float", "conv1": "int8", "conv2": "int4", "ip1": "log4"}),
    ],
)
def test_activations_of_each_node(net, text, found):
    assert activation_schemes(text, net) == found


def test_the_edge_of_activations_is_what_the_last_layer_reads_and_what_lies_behind():
    found = activation_schemes("wrpn2", RESNET)
    assert found["average"] == "int8" and set(found.values()) == {"int8", "float", "wrpn2"}
    assert "s1_b1_b" not in found and "s2_b1_shortcut" not in found  # sums, and what passes codes on
    found = activation_schemes("wrpn2", topology("squeezenet"))
    assert [name for name, scheme in found.items() if scheme == "int8"] == ["fire9/concat", "conv10"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("terrnary", "no weight scheme is called 'terrnary'; allowed: float, ternary, ttq, .*wrpn1 to wrpn16"),
        ("wrpn17", "no weight scheme is called 'wrpn17'"),
        ("wrpn", "no weight scheme is called 'wrpn'"),
        ("fp32", "no weight scheme is called 'fp32'"),
        ("uint8e-2", "weights need a signed format, not uint8e-2"),
        ("ternary,conv3=int8", "no layer is called 'conv3'; allowed: edges, conv1, conv2, ip1, ip2"),
        ("=ternary", "no layer is called ''; allowed: edges, conv1, conv2, ip1, ip2"),
        ("ternary,int4", "ternary and int4 are both for every layer, in 'ternary,int4'; allowed: one of them"),
        ("conv1=int8,ip1=ternary", "no scheme for conv2, ip2 in"),
        ("", "no weight scheme is called ''"),
    ],
)
def test_wrong_weights_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        schemes(text, LENET)


@pytest.mark.parametrize(
    "text, message",
    [
        ("ternary", "activations need a format of integers or minifloats, not ternary"),
        ("shared4", "no activation scheme is called 'shared4'; allowed: float, binary, binary_scaled, wrpn1 to wrpn16"),
        ("int8,ip2=int4", "no layer is called 'ip2'; allowed: edges, conv1, conv2, ip1"),
        ("int8,input=int99", "no activation scheme is called 'int99'"),
        ("conv1=int8", "no scheme for conv2, ip1 in"),
    ],
)
def test_wrong_activations_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        activation_schemes(text, LENET)


def test_one_bit_without_a_relu_is_refused():
    for scheme in ("int1", "wrpn1"):
        with pytest.raises(InputError, match="activations of a bit must be behind a ReLU; with a sign they need 2"):
            activation_quantiser(scheme, False)


def test_every_name_makes_a_quantiser_of_its_width():
    for name, row in WEIGHTS.items():
        for width in row.widths or [""]:
            fmt = weight_quantiser(f"{name}{width}", LENET.rows[1]).format
            assert width == "" or fmt.width == width or (name, width) == ("wrpn", 1)
    for name, row in ACTIVATIONS.items():
        for width in row.widths or [""]:
            fmt = activation_quantiser(f"{name}{width}", True).format
            assert fmt.width == (width or 1) and fmt.lo == (-1 if width == "" else 0)
    assert weight_quantiser("float", LENET.rows[0]) is None and activation_quantiser("float", True) is None
    assert str(weight_quantiser("pow2_4", LENET.rows[0]).format) == "pow2_4"
    assert str(activation_quantiser("int8", False).format) == "int8"
