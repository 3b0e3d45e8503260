"""Weight sharing: each weight of a layer is one of a few values, which are trained; those that are 0 stay so."""

import contextlib
from dataclasses import dataclass

import torch
from torch.nn.utils import parametrize

from golden.errors import InputError
from quant.clusters import coded
from quant.masks import layers, plain

__all__ = ["Shared", "shared", "sharing"]


@dataclass(frozen=True, eq=False)
class Shared:
    """The weights of a layer as codes.

    Parameters
    ----------
    codes : int64 tensor [...]
        Of each weight; 0 for the weight 0.
    table : float32 tensor [values]
        What each code is worth; the first is 0.
    """

    codes: torch.Tensor
    table: torch.Tensor

    @property
    def weight(self):
        """The weights."""
        return self.table[self.codes]


def sharing(weight, bits):
    """The `Shared` of a weight: 0 for what is 0, and up to ``2**bits - 1`` values, by k-means, for the rest.

    Raises
    ------
    InputError
        If `bits` is not 1 to 8.
    """
    if bits not in range(1, 9):
        raise InputError(f"bits of a shared weight must be 1 to 8, not {bits}")
    weight = weight.detach()
    codes, table = coded(weight, 1 << bits, zero=True)
    used = torch.cat([codes.new_zeros(1), codes.flatten()]).unique()
    return Shared(torch.searchsorted(used, codes.contiguous()), table[used].float())


class Table(torch.nn.Module):
    """A parametrisation whose parameter is the table without its first value: the weights are what codes say."""

    def __init__(self, found):
        super().__init__()
        self.register_buffer("codes", found.codes)
        self.first = found.table[1:].clone()

    def forward(self, table):
        return torch.cat([table.new_zeros(1), table])[self.codes]

    def right_inverse(self, weight):
        return self.first


@contextlib.contextmanager
def shared(model, found):
    """Inside the block, tables are trained in place of weights; behind it `found` has them, and weights are as before.

    The gradient of a value is the sum of those of the weights that have it.

    Parameters
    ----------
    found : dict
        Name of a layer → its `Shared`.
    """
    modules = layers(model)
    for name, each in found.items():
        parametrize.register_parametrization(modules[name], "weight", Table(each), unsafe=True)
    try:
        yield model
    finally:
        for name, each in found.items():
            table = modules[name].parametrizations.weight.original.detach().clone()
            found[name] = Shared(each.codes, torch.cat([torch.zeros(1), table]))
            plain(modules[name])
