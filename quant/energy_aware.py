"""Energy-aware pruning: the layers that take the most energy first, each refitted to what it made before."""

import torch

from golden.energy import EnergySpec, layer_energy
from quant.calls import calls
from quant.masks import largest

__all__ = ["energies", "refitted", "select"]

RESTORED = 0.2  # of the weights that stay: chosen by what they do to the sums, not by magnitude
RIDGE = 1e-6  # of the mean of a Gram matrix's diagonal, added to it


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


def share(x):
    """Of the numbers that are not 0."""
    return float((x != 0).double().mean())


def grams(call, batch=64):
    """``X' X`` of the columns X that each group of filters sees: float64 [groups, products, products]."""
    total = 0.0
    for x in call.x.split(batch):
        columns = call.columns(x).double()
        total = total + columns.transpose(1, 2) @ columns
    return total


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


@torch.no_grad()
def select(model, images, shares, masks, generator):
    """Masks of the layers, whose weights are changed: pruned by magnitude, some restored, the rest refitted.

    Layers come in the order of falling energy. Each sees what the layers before it, as they are by then, make of
    `images`, and is fitted to what its weights made of that before.

    Parameters
    ----------
    shares : dict
        Name of a layer → share of its weights that stays.
    masks : dict
        Those so far; what is pruned stays so.

    Source: Yang, Chen and Sze, Designing Energy-Efficient Convolutional Neural Networks using Energy-Aware Pruning,
    CVPR 2017.
    """
    totals = {name: sum(sum(x.values()) for x in levels.values()) for name, levels in energies(model, images).items()}
    found = dict(masks)
    for name in sorted(shares, key=totals.get, reverse=True):
        call = calls(model, images)[name]
        module, gram = call.module, grams(call)
        weight = module.weight.reshape(call.groups, -1, gram.shape[2]).double()
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
