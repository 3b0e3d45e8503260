"""k-means of single numbers."""

import torch

__all__ = ["clustered", "coded", "nearest"]

ITERATIONS = 200


def nearest(values, centroids):
    """Index of the nearest of the ascending `centroids` for each value, the lower of two as near."""
    middles = (centroids[1:] + centroids[:-1]) / 2
    return torch.searchsorted(middles, values.contiguous(), side="left")


def clustered(values, count):
    """`count` ascending centroids of the numbers `values`, float64, or these themselves if no more of them differ.

    At first they are evenly spaced from the least number to the greatest. A centroid that is nearest to nothing stays
    where it is.

    Source: Han, Mao and Dally, Deep Compression, section 3.2 (linear initialisation).
    """
    x = values.detach().flatten().double().sort().values  # so that a cluster is what lies between two places
    if len(different := x.unique_consecutive()) <= count:
        return different
    sums = torch.cat([x.new_zeros(1), x.cumsum(0)])
    centroids = torch.linspace(float(x[0]), float(x[-1]), count, dtype=torch.float64)
    before = None
    for _ in range(ITERATIONS):
        middles = (centroids[1:] + centroids[:-1]) / 2
        places = torch.searchsorted(x, middles, side="right")
        places = torch.cat([places.new_zeros(1), places, places.new_full((1,), len(x))])
        if before is not None and torch.equal(places, before):
            break
        members = places.diff()
        centroids = torch.where(members > 0, sums[places].diff() / members.clamp(min=1), centroids)
        before = places
    return centroids


def coded(weight, count, zero):
    """(code of each weight, int64; what each of `count` codes is worth, float64): k-means, 0 for codes not needed.

    Parameters
    ----------
    zero : bool
        Whether code 0 is kept for weights of 0: it is worth 0, and no other weight has it.
    """
    kept = weight != 0 if zero else torch.ones_like(weight, dtype=torch.bool)
    codes, table = torch.zeros_like(weight, dtype=torch.int64), torch.zeros(count, dtype=torch.float64)
    if kept.any():
        rest, first = weight[kept].double(), int(zero)
        centroids = clustered(rest, count - first)
        table[first : first + len(centroids)] = centroids
        codes[kept] = first + nearest(rest, centroids)
    return codes, table
