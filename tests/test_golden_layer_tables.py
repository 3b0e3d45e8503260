"""golden.layer_tables: shapes follow from each other, and counts are those that are known of each network."""

from collections import Counter

import pytest

from golden import layer_tables
from golden.errors import InputError
from golden.layer_tables import NETWORKS, fitted, network_rows, topology
from golden.window import Window

# network: layers, products of the convolutions, weights of convolutions, of dense layers
TOTALS = [
    ("lenet", 4, 1_888_000, 25_500, 405_000),
    ("lenet_caffe", 4, 1_888_000, 25_500, 405_000),
    ("cifar10_full", 4, 12_288_000, 79_200, 10_240),
    ("alexnet", 8, 665_784_864, 2_332_704, 58_621_952),
    ("vgg_cifar", 15, 313_196_544, 14_710_464, 267_264),
    ("vgg16", 16, 15_346_630_656, 14_710_464, 123_633_664),
    ("googlenet", 58, 1_581_647_872, 5_966_272, 1_024_000),
    ("squeezenet", 26, 861_339_936, 1_244_448, 0),
    ("resnet18", 21, 1_813_561_344, 11_166_912, 512_000),
    ("resnet34", 37, 3_663_249_408, 21_267_648, 512_000),
    ("resnet50", 54, 3_855_925_248, 23_454_912, 2_048_000),
    ("resnet152", 156, 11_280_367_616, 57_992_384, 2_048_000),
    ("resnet20", 20, 40_550_400, 267_696, 640),
    ("resnet44", 44, 97_173_504, 654_768, 640),
    ("resnet56", 56, 125_485_056, 848_304, 640),
    ("resnet110", 110, 252_887_040, 1_719_216, 640),
    ("resnet44:width=2", 44, 387_809_280, 2_618_208, 1_280),
    ("resnet56:width=2", 56, 501_055_488, 3_392_352, 1_280),
    ("resnet44:first=2", 44, 197_885_952, 756_576, 640),
    ("resnet56:first=2", 56, 254_509_056, 977_760, 640),
    ("mlp64", 4, 0, 0, 59_008),
    ("mlp256", 4, 0, 0, 334_336),
    ("mlp1024", 4, 0, 0, 2_910_208),
]


@pytest.mark.parametrize("name, layers, macs, weights, dense", TOTALS)
def test_totals_are_the_known_ones(name, layers, macs, weights, dense):
    rows = network_rows(name)
    conv = [row for row in rows if row.kind == "conv"]
    last = [row for row in rows if row.kind == "dense"]
    assert len(rows) == len(conv) + len(last) == layers
    assert (sum(row.macs for row in conv), sum(row.weights for row in conv)) == (macs, weights)
    assert sum(row.macs for row in last) == sum(row.weights for row in last) == dense


# layer by layer: name, products
LAYERS = {
    "lenet": ("conv1 288000", "conv2 1600000", "ip1 400000", "ip2 5000"),
    "cifar10_full": ("conv1 2457600", "conv2 6553600", "conv3 3276800", "ip1 10240"),
    "alexnet": ("conv1 105415200", "conv2 223948800", "conv3 149520384", "conv4 112140288", "conv5 74760192"),
    "squeezenet": (
        *("conv1 173873952", "fire2/squeeze1x1 4646400", "fire2/expand1x1 3097600", "fire2/expand3x3 27878400"),
        *("fire3/squeeze1x1 6195200", "fire4/expand3x3 111513600", "fire5/squeeze1x1 5971968"),
        *("fire8/expand3x3 107495424", "fire9/squeeze1x1 5537792", "conv10 115200000"),
    ),
    "resnet44": ("conv1 442368", "s1_b7_b 2359296", "s2_b1_a 1179648", "s2_b1_b 2359296", "s3_b7_b 2359296", "fc 640"),
    "resnet50": (
        *("conv1 118013952", "conv2_1_1x1a 12845056", "conv2_1_3x3 115605504", "conv2_1_proj 51380224"),
        *("conv2_2_1x1a 51380224", "conv3_1_1x1a 25690112", "conv4_1_proj 102760448", "conv5_3_1x1b 51380224"),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_cost_what_is_known_of_them(name):
    found = {f"{row.name} {row.macs}" for row in network_rows(name)}
    assert found >= set(LAYERS[name])


# products of every layer, ascending, or how many layers * products: tables computed apart from the networks
PRODUCTS = {
    "lenet": "5000 288000 400000 1600000",
    "cifar10_full": "10240 2457600 3276800 6553600",
    "alexnet": "4096000 16777216 37748736 74760192 105415200 112140288 149520384 223948800",
    "vgg16": "4096000 16777216 86704128 102760448 3*462422016 3*924844032 6*1849688064",
    "googlenet": (
        "1024000 1304576 1505280 1956864 3*2408448 3211264 3311616 3763200 4816896 5017600 2*5218304 6021120 "
        "4*6422528 6522880 3*7526400 7827456 9031680 9633792 2*10035200 10436608 2*11239424 4*12845056 "
        "13246464 2*14450688 15654912 16056320 16558080 18063360 20070400 22579200 2*25690112 26492928 "
        "32514048 35223552 44255232 57802752 60211200 73156608 86704128 90316800 118013952 173408256 "
        "346816512"
    ),
    "squeezenet": (
        "2768896 2985984 2*3097600 4646400 5537792 5971968 6195200 2*6718464 8957952 11943936 2*12390400 "
        "13436928 17915904 24920064 26873856 2*27878400 2*60466176 107495424 111513600 115200000 173873952"
    ),
    "resnet18": "512000 3*6422528 3*57802752 13*115605504 118013952",
    "resnet34": "512000 3*6422528 3*57802752 29*115605504 118013952",
    "resnet50": "2048000 12845056 3*25690112 29*51380224 3*102760448 16*115605504 118013952",
    "resnet152": "2048000 12845056 3*25690112 97*51380224 3*102760448 50*115605504 118013952",
    "resnet44": "640 442368 2*1179648 40*2359296",
    "resnet44:width=2": "1280 884736 2*4718592 40*9437184",
    "resnet44:first=2": "640 884736 1179648 27*2359296 14*9437184",
    "resnet56": "640 442368 2*1179648 52*2359296",
    "resnet56:width=2": "1280 884736 2*4718592 52*9437184",
    "resnet56:first=2": "640 884736 1179648 35*2359296 18*9437184",
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_layer_costs_what_it_must(name):
    found = sorted(Counter(row.macs for row in network_rows(name)).items())
    assert " ".join(f"{count}*{macs}" if count > 1 else f"{macs}" for macs, count in found) == PRODUCTS[name]


def test_metrics_of_the_tutorial(monkeypatch):
    # number of layers, weights and products of the convolutions as printed; it counts VGG-16's dense layers with them,
    # ResNet-50's without projections, and pools GoogLeNet with whole windows alone, which makes 1.43 G of 1.58 G
    monkeypatch.setattr(layer_tables, "CAFFE", Window(kernel=3, stride=2))  # AlexNet's windows are whole
    printed = {"alexnet": (5, 2.3e6, 666e6), "vgg16": (13, 14.7e6, 15.3e9), "resnet50": (53, 23.5e6, 3.86e9)}
    printed["googlenet"] = (57, 6.0e6, 1.43e9)
    for name, (layers, weights, macs) in printed.items():
        conv = [row for row in network_rows(name) if row.kind == "conv"]
        assert len(conv) == layers
        assert sum(row.weights for row in conv) == pytest.approx(weights, rel=0.015)
        assert sum(row.macs for row in conv) == pytest.approx(macs, rel=0.004)
    assert sum(row.macs for row in conv) == 1_430_532_352


def test_a_grouped_convolution():
    row = {row.name: row for row in network_rows("alexnet")}["conv2"]
    assert (row.n, row.m, row.k, row.pad, row.h, row.w, row.groups) == (96, 256, 5, 2, 27, 27, 2)
    assert row.out == (27, 27) and row.shape == (256, 48, 5, 5)
    assert row.gemm == (729, 1200, 128)
    assert (row.weights, row.inputs, row.macs) == (307_200, 69_984, 223_948_800)


def test_sizes_behind_strides_pooling_and_projections():
    rows = {row.name: row for row in network_rows("resnet34")}
    assert [rows[name].h for name in ("conv2_1_a", "conv3_1_a", "conv3_1_b", "conv3_1_proj")] == [56, 56, 28, 56]
    assert (rows["conv3_1_proj"].n, rows["conv3_2_a"].n, rows["conv3_1_proj"].out) == (64, 128, (28, 28))
    rows = {row.name: row for row in network_rows("googlenet")}
    assert [rows[f"inception_{module}/pool_proj"].n for module in ("3b", "4a", "5a", "5b")] == [256, 480, 832, 832]
    assert [rows[f"inception_{module}/1x1"].h for module in ("3a", "4a", "5a")] == [28, 14, 7]


def test_widening_the_first_third_changes_shortcuts_at_stage_edges_only():
    nodes = {node.name: node for node in topology("resnet20:first=2").nodes}
    assert nodes["s2_b1_shortcut"].channels == 32 == nodes["s2_b1_a"].n
    assert [name for name in nodes if "shortcut" in name] == ["s2_b1_shortcut", "s3_b1_shortcut"]
    assert [nodes[name].m for name in ("conv1", "s1_b3_b", "s2_b1_a", "s3_b1_a")] == [32, 32, 32, 64]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_other_images_and_ends_in_as_many_logits_as_there_are_classes(name):
    size = 28 if name.startswith(("lenet", "mlp", "vgg_small", "resnet8", "resnet20", "resnet44")) else 96
    net = topology(f"{name}:shape=1x{size}x{size},classes=7")
    assert net.shapes[net.output][0] == 7 and net.rows[0].n in (1, size * size)
    used = {source for node in net.nodes for source in node.sources} | {net.output}
    assert used == set(net.shapes)


def test_networks_are_fitted_to_data():
    assert fitted("lenet", (1, 28, 28), 10) == "lenet"
    assert fitted("resnet20:first=2", (1, 28, 28), 10) == "resnet20:shape=1x28x28,first=2"
    assert fitted("vgg_small:classes=3,width=0.5", (1, 28, 28), 7) == "vgg_small:classes=7,width=0.5"
    assert fitted("lenet:shape=3x32x32", (1, 28, 28), 10) == "lenet"
    assert topology(fitted("mlp64:width=2", (3, 5, 5), 4)).rows[0].shape == (128, 75)


@pytest.mark.parametrize(
    "text, message",
    [
        ("alexnett", "no network is called 'alexnett'; allowed: lenet, lenet_caffe, mlp64"),
        ("lenet:first=2", "network lenet has no setting 'first'; allowed: shape, classes, width"),
        ("lenet:width=0.33", "width 0.33 makes no whole number of 20 filters"),
        ("lenet:width=wide", "setting width of network lenet must be a number, or CxHxW, not 'wide'"),
        ("lenet:width=inf", "setting width of network lenet must be a number, or CxHxW, not 'inf'"),
        ("lenet:shape=28x", "setting shape of network lenet must be a number, or CxHxW, not '28x'"),
        ("lenet:shape=28x28", r"shape of an image must be \(channels, height, width\), not \(28, 28\)"),
        ("lenet:shape=1x8x8", "conv2: a kernel of 5 does not fit"),
    ],
)
def test_wrong_networks_and_settings_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        topology(text)
