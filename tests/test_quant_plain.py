import pytest
import torch
from quadrants import graph, quadrants
from small_mnist import quick, small_mnist

from golden.errors import InputError
from quant.fold import fold
from quant.from_torch import from_module
from quant.low_rank import decomposed
from quant.plain import Plain
from quant.train import train


def test_a_graph_and_back():
    model, images = Plain(graph()), quadrants().test.images
    again = from_module(model, (1, 8, 8))
    with torch.no_grad():
        expected = graph().run(images)["out"]
        assert torch.equal(model(images), expected)
        torch.testing.assert_close(again.run(images)[again.output], expected)
    assert [name for name, _ in model.named_children()] == ["conv", "hidden", "out"]


def test_lenet_becomes_layers_that_can_be_decomposed():
    data = small_mnist(256, 50)
    start = train(quick(epochs=2), data, progress=False).model
    found = from_module(start, (1, 28, 28))
    with pytest.raises(InputError, match="must be folded before a graph becomes a module"):
        Plain(found)
    model = Plain(fold(found))
    with torch.no_grad():
        torch.testing.assert_close(model(data.test.images), start(data.test.images), rtol=1e-3, atol=1e-3)
    names = [name for name, _ in model.named_children()]
    less = decomposed(model, {names[1]: ("tucker", 0.9), names[2]: ("svd", 32)})
    assert sum(p.numel() for p in less.parameters()) < 0.3 * sum(p.numel() for p in model.parameters())


def test_names_that_would_meet_are_refused():
    found = graph()
    found.ops[0].name, found.ops[4].name = "a.b", "a_b"
    try:
        with pytest.raises(InputError, match="must differ by more than dots and underscores"):
            Plain(found)
    finally:
        found.ops[0].name, found.ops[4].name = "conv", "hidden"
