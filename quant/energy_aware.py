"""Energy-aware pruning: the layers that take the most energy first, each refitted to what it made before."""

import numpy as np
import torch

from golden.energy import EnergySpec, layer_energy
from quant.calls import calls
from quant.masks import largest

__all__ = ["allotted", "energies", "refitted", "select", "total"]

RESTORED = 0.2  # of the weights that stay: chosen by what they do to the sums, not by magnitude
RIDGE = 1e-6  # of the mean of a Gram matrix's diagonal, added to it
SHARES = 0.85 ** np.arange(40)  # that a layer may keep: down to 0.2 %
PRICES = np.geomspace(1e-6, 1e3, 500)  # of energy, in error


def energies(model, images, spec=None, **bits):
    """{name: energy of each layer, as `golden.energy.layer_energy` has it}, by the zeros of its weights and inputs.

    Outputs count as dense.

    Parameters
    ----------
    spec : EnergySpec, optional
    bits
        ``weight_bits`` and ``activation_bits``.
    """
    spec, found = EnergySpec() if spec is None else spec, {}
    for name, call in calls(model, images).items():
        shares = {"weights": share(call.module.weight), "inputs": share(call.x)}
        found[name] = layer_energy(spec, call.row, **shares, **bits)
    return found


def total(levels):
    """The energy of a layer, of all that `golden.energy.layer_energy` tells apart."""
    return sum(sum(x.values()) for x in levels.values())


def share(x):
    """Of the numbers that are not 0."""
    return float((x != 0).double().mean())


def grouped(call):
    """The weights of a call, float64 [groups, filters, products of a sum], and their `grams`."""
    gram = grams(call)
    return call.module.weight.reshape(call.groups, -1, gram.shape[2]).double(), gram


def grams(call, batch=64):
    """``X' X`` of the columns X that each group of filters sees: float64 [groups, products, products]."""
    found = 0.0
    for x in call.x.split(batch):
        columns = call.columns(x).double()
        found = found + columns.transpose(1, 2) @ columns
    return found


def restored(weight, kept, gram, count):
    """`kept` and those `count` of the other weights, none of them 0, that, restored alone, lower the sums' error most.

    With e = X (w - kept w), restoring weight k changes ``|e|^2`` by ``G_kk w_k^2 - 2 w_k (X' e)_k``.
    """
    errors = (weight * (1 - kept)) @ gram
    gains = 2 * weight * errors - torch.diagonal(gram) * weight**2
    lost = (kept == 0) & (weight != 0)
    gains = torch.where(lost, gains, -torch.inf).flatten()
    found = kept.clone().flatten()
    found[gains.topk(min(count, int(lost.sum()))).indices] = 1.0
    return found.reshape(kept.shape)


def refitted(weight, kept, gram):
    """Weights [M, K], 0 where `kept` is, whose sums are nearest to those of `weight`: least squares, closed form."""
    found = torch.zeros_like(weight)
    ridge = RIDGE * torch.diagonal(gram).mean().clamp(min=1e-30)
    wanted = weight @ gram
    for row, (mask, target) in enumerate(zip(kept > 0, wanted, strict=True)):
        if mask.any():
            part = gram[mask][:, mask]
            found[row, mask] = torch.linalg.solve(part + ridge * torch.eye(len(part), dtype=part.dtype), target[mask])
    return found


def lost(weight, kept, gram):
    """Of the squares of all sums, the share that is off without the weights where `kept` is 0."""
    gone = weight * (1 - kept)
    return float(((gone @ gram) * gone).sum() / ((weight @ gram) * weight).sum().clamp(min=1e-30))


@torch.no_grad()
def allotted(model, images, kept):
    """{name: share of its weights that each layer keeps}: at most `kept` of all, few where energy is won for little.

    With error_l(s) the share of the squares of a layer's sums that is off if a share s of its weights, the greatest,
    stays, and energy_l(s) its energy then, of the network's, each layer has the s of `SHARES` with the least
    ``error_l(s) + price * energy_l(s)``, at the least price of `PRICES` at which no more than `kept` of all weights stay.
    No other shares with as little energy have less error.

    This is beyond the paper, which prunes each layer until the network's accuracy has fallen by so much.
    """
    spec, made = EnergySpec(), calls(model, images)
    sizes = np.array([call.module.weight.numel() for call in made.values()])
    errors, joules = np.zeros((2, len(made), len(SHARES)))
    for i, call in enumerate(made.values()):
        (weight, gram), nonzero, inputs = grouped(call), share(call.module.weight), share(call.x)
        for j, s in enumerate(SHARES):
            errors[i, j] = lost(weight, largest(weight.abs(), s), gram)
            joules[i, j] = total(layer_energy(spec, call.row, weights=min(s, nonzero), inputs=inputs))
    joules /= joules[:, 0].sum()
    for price in PRICES:
        found = SHARES[(errors + price * joules).argmin(1)]
        if found @ sizes <= kept * sizes.sum():
            return dict(zip(made, found.tolist(), strict=True))
    return dict.fromkeys(made, kept)


@torch.no_grad()
def select(model, images, shares, masks, generator):
    """Masks of the layers, whose weights are changed: pruned by magnitude, some restored, the rest refitted.

    Layers come in the order of falling energy. Each sees what the layers before it, as they are by then, make of
    `images`, and is fitted to what its weights made of that before.

    Parameters
    ----------
    shares : dict
        Name of a layer → share of its weights that stays; under "" that of all, which `allotted` divides.
    masks : dict
        Those so far; what is pruned stays so.

    Source: Yang, Chen and Sze, Designing Energy-Efficient Convolutional Neural Networks using Energy-Aware Pruning,
    CVPR 2017.
    """
    if "" in shares:
        shares = allotted(model, images, shares[""])
    totals = {name: total(levels) for name, levels in energies(model, images).items()}
    found = dict(masks)
    for name in sorted(shares, key=totals.get, reverse=True):
        call = calls(model, images)[name]
        module, (weight, gram) = call.module, grouped(call)
        count = max(1, round(shares[name] * weight.numel()))
        count = min(count, int((weight != 0).sum()))  # what is pruned has weight 0, and gains nothing
        kept = largest(weight.abs(), (1 - RESTORED) * count / weight.numel()) * (weight != 0)
        for group, (w, k, g) in enumerate(zip(weight, kept, gram, strict=True)):
            more = (count - int(kept.sum())) // (call.groups - group)
            kept[group] = restored(w, k, g, max(0, more))
            weight[group] = refitted(w, kept[group], g)
        found[name] = kept.reshape(module.weight.shape).to(module.weight.dtype)
        module.weight.copy_(weight.reshape(module.weight.shape))
    return found
