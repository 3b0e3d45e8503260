import numpy as np
import pytest
import torch
from quadrants import Quadrants, quadrants, trained
from small_mnist import quick, small_mnist
from torch import nn

from golden.errors import InputError
from golden.layer_tables import topology
from quant.calls import calls
from quant.from_torch import from_module
from quant.low_rank import METHODS, decomposed, rank_of
from quant.models import Classifier
from quant.run import correct
from quant.settings import Settings
from quant.train import fit, reproducible, train


class Net(nn.Module):
    def __init__(self, stride=(1, 1), padding=(1, 0), kernel=(3, 3)):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(6, 8, kernel, stride=stride, padding=padding), nn.ReLU())
        self.dense = nn.Linear(8, 5)

    def forward(self, x):
        return self.dense(self.body(x).mean((2, 3)))


def low(rank, shape=(8, 6, 3, 3), seed=0):
    """A tensor of this CP rank."""
    generator = torch.Generator().manual_seed(seed)
    factors = [torch.randn(size, rank, generator=generator, dtype=torch.float64) for size in shape]
    return torch.einsum("mr,cr,hr,wr->mchw", *factors)


@pytest.mark.parametrize("geometry", [((1, 1), (1, 1)), ((2, 1), (1, 0)), ((2, 2), (0, 2))])
@pytest.mark.parametrize("method, rank", [("svd", 3), ("tucker", 3), ("cp", 3)])
def test_layers_of_low_rank_become_equal_ones(method, rank, geometry):
    torch.manual_seed(0)
    model = Net(*geometry).eval()
    model.body[0].weight = nn.Parameter(low(rank).float())
    found = decomposed(model, {"body.0": (method, rank)})
    x = torch.randn(2, 6, 9, 10)
    with torch.no_grad():
        torch.testing.assert_close(found(x), model(x), rtol=1e-3, atol=1e-3)
    assert isinstance(model.body[0], nn.Conv2d)  # the model given stays


def test_shapes_of_the_parts():
    torch.manual_seed(0)
    model = Net((2, 1), (1, 0))
    shapes = {
        "svd": [(4, 6, 3, 3), (8, 4, 1, 1)],
        "tucker": [(4, 6, 1, 1), (4, 4, 3, 3), (8, 4, 1, 1)],
        "cp": [(4, 6, 1, 1), (4, 1, 3, 1), (4, 1, 1, 3), (8, 4, 1, 1)],
    }
    for method, wanted in shapes.items():
        body = decomposed(model, {"body.0": (method, 4), "dense": ("svd", 2)})
        assert [tuple(part.weight.shape) for part in body.body[0]] == wanted
        assert [part.bias is not None for part in body.body[0]] == [False] * (len(wanted) - 1) + [True]
        assert [tuple(part.weight.shape) for part in body.dense] == [(2, 8), (5, 2)]
    cp = decomposed(model, {"body.0": ("cp", 4)}).body[0]
    assert [(p.stride, p.padding, p.groups) for p in cp] == [
        ((1, 1), (0, 0), 1),
        ((2, 1), (1, 0), 4),
        ((1, 1), (0, 0), 4),
        ((1, 1), (0, 0), 1),
    ]


def test_approximations_are_the_best_there_are_and_better_with_more():
    torch.manual_seed(1)
    weight = torch.randn(8, 6, 3, 3, dtype=torch.float64)

    def error(method, rank):
        parts = METHODS[method](weight, rank)
        if method == "svd":
            made = torch.einsum("rchw,mr->mchw", parts[0], parts[1][:, :, 0, 0])
        elif method == "tucker":
            made = torch.einsum("sc,rshw,mr->mchw", parts[0][:, :, 0, 0], parts[1], parts[2][:, :, 0, 0])
        else:
            b, c, d, a = parts[0][:, :, 0, 0], parts[1][:, 0, :, 0], parts[2][:, 0, 0], parts[3][:, :, 0, 0]
            made = torch.einsum("rc,rh,rw,mr->mchw", b, c, d, a)
        return float((made - weight).norm() / weight.norm())

    singular = torch.linalg.svdvals(weight.flatten(1))
    assert error("svd", 3) == pytest.approx(float(singular[3:].norm() / singular.norm()))
    for method, most in (("svd", 8), ("tucker", 8), ("cp", 40)):
        errors = [error(method, rank) for rank in (1, 3, 6, most)]
        assert errors == sorted(errors, reverse=True) and errors[0] < 1 and errors[-1] < 0.05, method


def test_rank_rules():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(30, 4)) @ rng.normal(size=(4, 90)) + 0.05 * rng.normal(size=(30, 90)))
    assert rank_of(x, "vbmf") == 4 and rank_of(x, 7) == 7 and rank_of(x, 99) == 30
    assert rank_of(torch.diag(torch.tensor([3.0, 2.0, 1.0, 1.0])), 0.86) == 2
    assert rank_of(torch.diag(torch.tensor([3.0, 2.0, 1.0, 1.0])), 0.87) == 3
    assert rank_of(torch.diag(torch.tensor([3.0, 2.0, 1.0, 1.0])), 1.0) == 4
    for rule in (0, -1, 1.5, 0.0, "most", True):
        with pytest.raises(InputError, match="a rank must be an integer of at least 1, a share .*, or vbmf, not"):
            rank_of(x, rule)
    torch.manual_seed(0)
    model = Net()
    noise = 0.01 * torch.randn(8, 6, 3, 3)
    model.body[0].weight = nn.Parameter(low(2).float() + noise)
    tucker = decomposed(model, {"body.0": ("tucker", "vbmf")}).body[0]
    assert [p.weight.shape[0] for p in tucker] == [2, 2, 8]
    assert decomposed(model, {"body.0": ("cp", "vbmf")}).body[0][0].weight.shape[0] == 2


def test_a_decomposed_network_is_smaller_traces_and_can_be_trained_on():
    data = quadrants()
    wanted = correct(trained(), data.held_out)
    model = decomposed(trained(), {"hidden": ("svd", 4), "conv": ("tucker", 2)})
    images = data.train.images[:2]
    macs = [sum(call.row.macs for call in calls(m, images).values()) for m in (trained(), model)]
    assert macs[1] < 0.75 * macs[0]
    with reproducible(0) as generator:
        found = fit(model, data, Settings(epochs=4, batch=40, rate=3e-3), generator, "low rank", progress=False)
    assert correct(found.model, data.held_out) >= wanted - 10
    graph = from_module(found.model, (1, 8, 8))
    with torch.no_grad():
        x = data.test.images[:20]
        torch.testing.assert_close(graph.run(x)[graph.output], found.model(x))
    cp = decomposed(trained(), {"conv": ("cp", 3)})
    graph = from_module(cp, (1, 8, 8))
    with torch.no_grad():
        torch.testing.assert_close(graph.run(x)[graph.output], cp(x))


@pytest.mark.parametrize(
    "plan, message",
    [
        ({"conv": ("pca", 2)}, "method of a decomposition must be one of svd, tucker, cp, not 'pca'"),
        ({"conv2": ("svd", 2)}, "no layer is called 'conv2'; allowed: conv, hidden, out"),
        ({"out": ("cp", 2)}, "out is a dense layer, which svd alone decomposes, not cp"),
        ({"conv": ("cp", 0)}, "a rank must be an integer of at least 1"),
    ],
)
def test_bad_plans_are_refused(plan, message):
    with pytest.raises(InputError, match=message):
        decomposed(Quadrants(), plan)


def test_grouped_layers_are_refused():
    with pytest.raises(InputError, match="0 must have one group, no dilation and numbers as padding"):
        decomposed(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), {"0": ("svd", 1)})
    with pytest.raises(InputError, match="0 must be a convolution or a dense layer, not Embedding"):
        decomposed(nn.Sequential(nn.Embedding(4, 4)), {"0": ("svd", 1)})


def test_networks_of_stages_are_decomposed_where_they_are():
    data = small_mnist(256, 50)
    start = train(quick(epochs=2), data, progress=False).model
    whole = decomposed(start, {"conv2": ("tucker", 50), "ip1": ("svd", 500), "conv1": ("cp", 40)})
    images = data.test.images
    with torch.no_grad():
        torch.testing.assert_close(whole(images), start(images), rtol=0.05, atol=0.05)
    less = decomposed(start, {"conv2": ("tucker", 0.8), "ip1": ("svd", 32)})
    weights = [sum(p.numel() for p in m.parameters()) for m in (start, less)]
    assert weights[1] < 0.25 * weights[0] and start.stages[1].weight is not None
    with reproducible(0) as generator:
        fit(less, data, Settings(epochs=2, batch=32), generator, "low rank", progress=False)
    graph = from_module(less, (1, 28, 28))
    macs = graph.macs()
    assert sum(macs.values()) < 0.65 * sum(row.macs for row in start.net.rows) and len(macs) == 7
    with torch.no_grad():
        torch.testing.assert_close(graph.run(images)[graph.output], less(images), rtol=1e-3, atol=1e-3)


def test_residual_networks_are_decomposed_and_quantised_ones_refused():
    images = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = Classifier(topology("resnet8")).eval()
    names = [row.name for row in model.net.rows if row.s == 2 and row.k == 3]
    found = decomposed(model, {name: ("svd", 1.0) for name in names})
    with torch.no_grad():
        torch.testing.assert_close(found(images), model(images), rtol=1e-3, atol=1e-3)
    model = Classifier(topology("lenet"), ("ternary",) * 4)
    with pytest.raises(InputError, match="conv2 must be decomposed before it is quantised"):
        decomposed(model, {"conv2": ("tucker", 4)})
