import copy

import pytest
import torch
from quadrants import quadrants, trained

from golden.errors import InputError
from quant.settings import Settings
from quant.sharing import shared, sharing
from quant.train import fit, reproducible


def test_zeros_have_code_0_and_nothing_else_has():
    weight = torch.tensor([[0.0, 1.0, -2.0], [0.0, 1.01, 1e-9]])
    found = sharing(weight, 2)
    assert torch.equal(found.codes == 0, weight == 0) and found.table[0] == 0 and len(found.table) == 4
    assert float((found.weight - weight).abs().max()) < 0.006
    exact = sharing(weight, 8)
    assert torch.equal(exact.weight, weight) and len(exact.table) == 5
    assert sharing(torch.zeros(2, 2), 4).codes.tolist() == [[0, 0], [0, 0]]
    with pytest.raises(InputError, match="bits of a shared weight must be 1 to 8, not 9"):
        sharing(weight, 9)


def test_values_follow_the_sum_of_their_weights_gradients():
    model = torch.nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.5, 0.0, -1.0], [-1.0, 0.5, 0.5]]))
    found = {"": sharing(model.weight, 4)}
    assert found[""].codes.tolist() == [[2, 0, 1], [1, 2, 2]]
    x = torch.tensor([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    with shared(model, found):
        model(x).sum().backward()
        table = model.parametrizations.weight.original
        assert table.grad.tolist() == [300 + 3, 3 + 30 + 300]
        with torch.no_grad():
            table += 1
    assert found[""].table.tolist() == [0.0, 0.0, 1.5]
    assert model.weight.tolist() == [[1.5, 0.0, 0.0], [0.0, 1.5, 1.5]]


def test_training_moves_values_and_no_zero():
    model = copy.deepcopy(trained())
    with torch.no_grad():
        model.hidden.weight[:, ::2] = 0
    found = {"hidden": sharing(model.hidden.weight, 3), "conv": sharing(model.conv.weight, 8)}
    before = found["hidden"]
    with reproducible(0) as generator, shared(model, found):
        fit(model, quadrants(), Settings(epochs=2, batch=40), generator, "shared", progress=False)
    weight = model.hidden.weight.detach()
    assert torch.equal(weight, found["hidden"].weight) and not weight[:, ::2].any()
    assert len(weight.unique()) == 8 and not torch.equal(found["hidden"].table, before.table)
    assert torch.equal(found["hidden"].codes, before.codes)
