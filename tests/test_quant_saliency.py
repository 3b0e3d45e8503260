import pytest
import torch
from torch import nn
from torch.nn import functional

from quant.saliency import curvature, saliency, softmax_root, square_root


def data(n=64, features=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([0.1, 0.5, 1.0, 2.0, 3.0, 5.0])
    return scale[:features] * torch.randn(n, features, generator=generator), generator


def test_of_a_quadratic_it_is_the_second_derivative():
    x, generator = data()
    model = nn.Sequential(nn.Linear(6, 4))
    h = curvature(model, x, generator, root=square_root, draws=4000)["0"]
    # half the squared error of W x has the second derivative x_k^2, whatever the weights
    wanted = (x**2).mean(0).expand(4, 6)
    assert ((h - wanted) / wanted).abs().max() < 6 * (2 / 4000) ** 0.5


def test_of_a_logistic_regression_it_is_that_of_the_cross_entropy():
    x, generator = data()
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 3))
    labels = torch.randint(3, (64,), generator=generator)
    weight, bias = model[0].weight.detach(), model[0].bias.detach()

    def loss(flat):
        return functional.cross_entropy(functional.linear(x, flat.reshape(3, 6), bias), labels)

    wanted = torch.autograd.functional.hessian(loss, weight.flatten()).diagonal().reshape(3, 6)
    h = curvature(model, x, generator, draws=3000)["0"]
    assert ((h - wanted) / wanted).abs().max() < 8 * (2 / 3000) ** 0.5
    again = saliency(model, x, generator, draws=1000)["0"]
    assert (again / (h * weight**2 / 2) - 1).abs().max() < 0.3


def test_root_times_its_transpose_is_the_second_derivative_in_the_logits():
    z = torch.randn(1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    root = torch.stack([softmax_root(z, e[None])[0] for e in torch.eye(5, dtype=torch.float64)], 1)
    wanted = torch.autograd.functional.hessian(lambda z: functional.cross_entropy(z[None], torch.tensor([2])), z[0])
    torch.testing.assert_close(root @ root.T, wanted)


def test_a_weight_of_an_input_that_is_never_there_may_go_first():
    x, generator = data()
    x[:, 2] = 0
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        model[0].weight[:, 2] = 10.0
    found = saliency(model, x, generator, draws=50)
    assert not found["0"][:, 2].any() and found["0"][:, 5].sum() > 0 and found["2"].shape == (3, 8)
    assert pytest.approx(10.0) == float(model[0].weight.detach()[:, 2].mean())
