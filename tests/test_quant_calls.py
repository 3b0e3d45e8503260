import pytest
import torch
from small_mnist import small_mnist
from torch import nn

from golden.errors import InputError
from golden.layer_tables import network_rows, topology
from quant.calls import calls
from quant.models import Classifier


def test_lenets_rows_are_those_of_its_table():
    model = Classifier(topology("lenet"))
    found = calls(model, small_mnist(5, 5).train.images)
    wanted = [(row.name, row.kind, row.n, row.m, row.k, row.macs) for row in network_rows("lenet")]
    assert [(r.name, r.kind, r.n, r.m, r.k, r.macs) for r in (call.row for call in found.values())] == wanted
    assert not model.training


class Odd(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, **settings)

    def forward(self, x):
        return self.conv(x)


@pytest.mark.parametrize(
    "settings", [{}, {"stride": 2, "padding": 1}, {"groups": 2}, {"groups": 2, "padding": (0, 2), "stride": (2, 1)}]
)
def test_columns_times_weights_are_the_sums(settings):
    torch.manual_seed(0)
    model, x = Odd(bias=False, **settings), torch.randn(3, 4, 7, 8)
    call = calls(model, x)["conv"]
    columns = call.columns(call.x)
    weight = model.conv.weight.reshape(call.groups, 6 // call.groups, -1)
    sums = (columns @ weight.transpose(1, 2)).detach()  # [groups, windows, filters]
    expected = call.y.flatten(2).transpose(1, 2).reshape(-1, call.groups, 6 // call.groups).transpose(0, 1)
    torch.testing.assert_close(sums, expected)


def test_what_cannot_be_followed_is_refused():
    x = torch.zeros(2, 4, 9, 9)
    with pytest.raises(InputError, match=r"conv must not be dilated, not \(2, 2\)"):
        calls(Odd(dilation=2), x)
    with pytest.raises(InputError, match=r"padding of conv must be square, not \(0, 2\)"):
        _ = calls(Odd(padding=(0, 2)), x)["conv"].row
    model = Odd()
    model.forward = lambda x: model.conv(model.conv(x)[:, :4])
    with pytest.raises(InputError, match="layer conv must be called once, not twice"):
        calls(model, x)
    images = small_mnist(5, 5).train.images
    with pytest.raises(InputError, match="layer conv1 must multiply by its weights as they are"):
        calls(Classifier(topology("lenet"), ("ternary",) * 4), images)
