"""Weight sharing: each weight of a layer is one of a few values, which are trained; those that are 0 stay so."""

import contextlib
from dataclasses import dataclass

import torch
from torch.nn.utils import parametrize

from golden.errors import InputError
from quant.masks import layers

__all__ = ["Shared", "clustered", "nearest", "shared", "sharing"]

ITERATIONS = 200


def nearest(values, centroids):
    """Index of the nearest of the ascending `centroids` for each value, the lower of two as near."""
    middles = (centroids[1:] + centroids[:-1]) / 2
    return torch.searchsorted(middles, values.contiguous(), side="left")


def clustered(values, count):
    """`count` ascending centroids of k-means on the numbers `values`.

    At first they are evenly spaced from the least number to the greatest. A centroid that is nearest to nothing stays where it is.

    Source: Han, Mao and Dally, Deep Compression, section 3.2 (linear initialisation).
    """
    values = values.flatten().double()
    centroids = torch.linspace(float(values.min()), float(values.max()), count, dtype=torch.float64)
    before = None
    for _ in range(ITERATIONS):
        codes = nearest(values, centroids)
        if before is not None and torch.equal(codes, before):
            break
        members = torch.bincount(codes, minlength=count)
        sums = torch.bincount(codes, weights=values, minlength=count)
        centroids = torch.where(members > 0, sums / members.clamp(min=1), centroids)
        before = codes
    return centroids


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
    kept = weight != 0
    if not kept.any():
        return Shared(torch.zeros_like(weight, dtype=torch.int64), torch.zeros(2))
    rest, most = weight[kept].double(), (1 << bits) - 1
    single = rest.unique()
    centroids = single if len(single) <= most else clustered(rest, most)
    centroids = centroids[nearest(rest, centroids).unique()]  # those that are nearest to something
    codes = torch.zeros_like(weight, dtype=torch.int64)
    codes[kept] = 1 + nearest(rest, centroids)
    return Shared(codes, torch.cat([torch.zeros(1), centroids.float()]))


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
            parametrize.remove_parametrizations(modules[name], "weight")
