"""studies.dlac_zeros: counts against products looked at one by one."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from quant.data import Dataset, Split
from quant.settings import Settings
from quant.train import fit, reproducible
from studies.dlac_nets import Rectifier, ResNet
from studies.dlac_zeros import Captured, Counting, Product, Watched, operand_shares, shares, wrong


def sparse(generator, *shape):
    x = torch.randn(shape, generator=generator)
    return x * (torch.rand(shape, generator=generator) < 0.4)


@pytest.mark.parametrize("geometry", [{}, {"stride": 2, "padding": 1}])
def test_products_of_a_convolution_are_counted_one_by_one(geometry):
    generator = torch.Generator().manual_seed(0)
    x, w = sparse(generator, 2, 3, 6, 5), sparse(generator, 4, 3, 3, 3)
    with Counting() as counting:
        first = functional.conv2d(x, w.requires_grad_(), **geometry)
        x.requires_grad_()
        y = functional.conv2d(x, w, **geometry)
    e = sparse(generator, *y.shape)
    (first + y).backward(e)
    pad, stride = geometry.get("padding", 0), geometry.get("stride", 1)
    padded = functional.pad(x.detach(), (pad,) * 4).numpy() != 0
    forward = inward = slope = 0
    for n, m, i, j in np.ndindex(y.shape):
        a = padded[n, :, stride * i : stride * i + 3, stride * j : stride * j + 3]
        b, error = w[m].detach().numpy() != 0, bool(e[n, m, i, j] != 0)
        forward += int((a & b).sum())
        inward += error * int(b.sum())
        slope += error * int(a.sum())
    begin, product = counting.products
    assert product.macs == y.numel() * 27
    assert (product.forward, product.input_error, product.weight_gradient) == (forward, inward, slope)
    assert (begin.forward, begin.input_error, begin.weight_gradient) == (forward, None, slope)
    assert product.errors == pytest.approx(float((e != 0).float().mean()))
    assert shares([begin, product]) == (forward / product.macs, (inward + 2 * slope) / (3 * product.macs))


def test_dense_layers_are_counted_and_captured():
    generator = torch.Generator().manual_seed(1)
    x, w = sparse(generator, 5, 7), sparse(generator, 4, 7)
    with Captured() as captured, Counting() as counting:
        functional.linear(x, w)
    [(a, b)], [product] = captured.layers, counting.products
    np.testing.assert_array_equal(a, x.numpy() != 0)
    np.testing.assert_array_equal(b, w.numpy().T != 0)
    assert product.forward == np.count_nonzero(a[:, :, None] & b) and product.weight_gradient is None
    assert (product.activations, product.weights) == (pytest.approx(a.mean()), pytest.approx(b.mean()))


def test_captured_windows_are_those_of_the_lowered_convolution():
    generator = torch.Generator().manual_seed(2)
    x, w = sparse(generator, 2, 3, 5, 5), sparse(generator, 4, 3, 3, 3)
    with Captured() as captured:
        y = functional.conv2d((x != 0).float(), (w != 0).float(), stride=2, padding=1)
    [(a, b)] = captured.layers
    products = a.astype(int) @ b
    np.testing.assert_array_equal(products, y.permute(0, 2, 3, 1).reshape(-1, 4).numpy())


def test_only_wrong_images_send_errors_back():
    z = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 1.5]], requires_grad=True)
    functional.cross_entropy(z, torch.tensor([0, 2, 2])).backward()
    kept = wrong(z.argmax(dim=1), z.grad)
    np.testing.assert_array_equal(kept[[0, 2]], 0)
    np.testing.assert_array_equal(kept[1], z.grad[1])


def test_a_rectifier_zeroes_and_its_penalty_is_a_gradient():
    x = torch.tensor([[0.5, 0.01, -1.0, 0.02]], requires_grad=True)
    y = Rectifier(0.01, penalty=0.25)(x)
    np.testing.assert_array_equal(y.detach(), np.float32([[0.5, 0, 0, 0.02]]))
    y.backward(torch.ones_like(y))
    np.testing.assert_array_equal(x.grad, [[1.25, 0, 0, 1.25]])


def test_shares_of_operands_are_weighted_by_products():
    small = Product(macs=100, forward=0, activations=0.5, weights=1.0, errors=0.25)
    large = Product(macs=300, forward=0, activations=0.1, weights=0.6, errors=1.0)
    expected = {"activations": 0.2, "weights": 0.7, "errors": 0.8125}
    assert operand_shares([small, large]) == pytest.approx(expected)


def test_steps_of_training_are_watched():
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(256, (24, 1, 8, 8), generator=generator, dtype=torch.uint8)
    split = Split(images, torch.arange(24) % 10)
    with reproducible(0) as order:
        watched = Watched(ResNet(widths=(2, 4), blocks=1), every=2)
        fit(watched, Dataset(split, split[:4], split[:4], ""), Settings(batch=8), order, "x", progress=False)
    assert [row.step for row in watched.rows] == [0, 2] and watched.step == 3
    for row in watched.rows:
        assert len(row.products) == 1 + 2 + 3 + 1
        first, *rest = row.products
        assert first.input_error is None and all(p.input_error for p in rest)
        assert first.weights == 1.0 and all(0.3 < p.weights < 0.8 for p in rest[:-1])
        forward, backward = shares(row.products)
        assert 0.05 < forward < 0.6 < 1.5 * backward
