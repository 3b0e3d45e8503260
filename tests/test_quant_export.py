import numpy as np
import pytest
import torch
from small_mnist import quick, small_mnist

from golden import artefact
from golden.errors import InputError
from quant.evaluate import compare
from quant.export import export
from quant.models import PIXEL_UNIT, Classifier, network_layers
from quant.train import train

CASES = [
    ("lenet", "ternary"),
    ("lenet_caffe", "int8"),
    ("lenet", "ternary,conv1=int8"),
    ("lenet_caffe", "int8,ip1=ternary"),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case))
def model(request):
    """A network after a few steps of training."""
    data = small_mnist(256, 50)
    settings = quick(*request.param)
    start = train(settings.start, data, progress=False).model.state_dict()
    return train(settings, data, start, progress=False).model


def test_golden_computes_what_torch_computes(model, tmp_path):
    artefact.save(tmp_path / "network.safetensors", export(model))
    network = artefact.load(tmp_path / "network.safetensors")
    images = small_mnist().test.images
    found = compare(model, network, images)
    assert found.equal, found.differing
    one = {"conv1": 11520, "conv2": 3200, "ip1": 500, "ip2": 10}
    one |= {f"{name}_requant": count for name, count in one.items() if name != "ip2"}
    one |= {"conv1_pool": 2880, "conv2_pool": 800}
    assert found.compared == {name: count * len(images) for name, count in one.items()}
    with torch.no_grad():
        logits = model(images)
    assert np.array_equal(network.run(images.numpy()), logits.numpy())
    assert len(np.unique(network.run(images.numpy()))) > 100


def test_formats_targets_and_units_stand_in_the_graph(model):
    network = export(model, {"seed": 7})
    nodes = {node.name: node for node in network.nodes}
    ops = ["conv", "requant", "max_pool", "conv", "requant", "max_pool", "flatten", "dense", "requant", "dense"]
    assert [node.op for node in network.nodes] == ops
    assert network.info == {"seed": 7}
    unit = PIXEL_UNIT
    for stage, scheme in zip(model.stages, model.schemes, strict=True):
        name = stage.layer.name
        assert nodes[name].target == f"{scheme}_gemm"
        assert network.parameters[f"{name}.weight"].format == stage.weights.format
        _, scale = stage.weights(stage.weight)
        assert network.tensors[name].unit == pytest.approx(scale.item() * unit)
        if stage.activation is not None:
            assert network.tensors[f"{name}_requant"].format == stage.format
            unit = network.tensors[f"{name}_requant"].unit
            assert unit == stage.unit


def test_negative_and_zero_gains_are_exported():
    torch.manual_seed(0)
    model = Classifier(network_layers("lenet"), ("ternary",) * 4)
    with torch.no_grad():
        for stage in model.stages[:3]:
            stage.norm.weight.normal_()
            stage.norm.weight[:3] = 0
            stage.norm.bias.normal_()
        model.train()(small_mnist().train.images[:64])
    model.eval()
    network = export(model)
    assert (network.parameters["conv2_requant.m"].values < 0).any()
    assert (network.parameters["conv2_requant.m"].values[:3] == 0).all()
    assert compare(model, network, small_mnist().test.images[:50]).equal


def test_weights_that_are_all_zero_are_exported():
    model = Classifier(network_layers("lenet_caffe"), ("ternary",) * 4).eval()
    torch.nn.init.zeros_(model.stages[3].weight)
    network = export(model)
    assert network.tensors["ip2"].unit is None
    assert not network.run(small_mnist().test.images[:5].numpy()).any()


def test_float_network_is_refused():
    with pytest.raises(InputError, match="a float network has no integers to export; choose a weight scheme"):
        export(Classifier(network_layers("lenet")))
