"""Convolutions and dense layers as several smaller ones: by singular values, Tucker-2 and CP decompositions."""

import copy
import math

import torch
from torch import nn

from golden.errors import InputError
from quant.layers import Stage
from quant.masks import layers
from quant.vbmf import vbmf_rank

__all__ = ["METHODS", "decomposed", "rank_of"]

SWEEPS, TOLERANCE = 200, 1e-8  # of alternating least squares: at most, and the change of the error that ends them
RIDGE = 1e-10  # of a Gram matrix's diagonal, in its own unit


def unfolded(x, axis):
    """The matrix of the slices of `x` along an axis: [size, rest]."""
    return x.movedim(axis, 0).flatten(1)


def leading(matrix, rank):
    """The first `rank` left singular vectors."""
    return torch.linalg.svd(matrix, full_matrices=False).U[:, :rank]


def rank_of(matrix, rule):
    """The rank that a rule gives a matrix: 1 to the less of its sides.

    Parameters
    ----------
    rule : int, float or "vbmf"
        The rank itself; the share of the squared singular values, above 0 and up to 1, that the first ones must hold;
        or `quant.vbmf.vbmf_rank`.
    """
    most = min(matrix.shape)
    if rule == "vbmf":
        return min(most, vbmf_rank(matrix.numpy()))
    if isinstance(rule, float) and 0 < rule <= 1:
        squares = torch.linalg.svdvals(matrix) ** 2
        held = torch.cumsum(squares, 0) / squares.sum()
        return min(most, int((held < rule - 1e-12).sum()) + 1)
    if not isinstance(rule, int) or isinstance(rule, bool) or rule < 1:
        raise InputError(f"a rank must be an integer of at least 1, a share above 0 and up to 1, or vbmf, not {rule!r}")
    return min(most, rule)


def svd(weight, rule):
    """``W = B A``: the layer with `rank` filters, and one that mixes these, [M, rank]: as a list of weights."""
    matrix = weight.flatten(1)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    rank = rank_of(matrix, rule)
    root = s[:rank].sqrt()
    mixed = (u[:, :rank] * root).reshape(-1, rank, *[1] * (weight.ndim - 2))
    return [(root[:, None] * v[:rank]).reshape(rank, *weight.shape[1:]), mixed]


def tucker(weight, rule):
    """``W = G x U x V``: a mix of the channels, a layer of fewer filters on fewer channels, and a mix of these.

    U and V are found by higher-order orthogonal iteration, from singular vectors; their ranks by the rule from the
    slices of W along filters and channels.
    """
    ranks = [rank_of(unfolded(weight, axis), rule) for axis in (0, 1)]
    u, v = (leading(unfolded(weight, axis), rank) for axis, rank in zip((0, 1), ranks, strict=True))
    for _ in range(10):
        u = leading(unfolded(torch.einsum("mchw,cs->mshw", weight, v), 0), ranks[0])
        v = leading(unfolded(torch.einsum("mchw,mr->rchw", weight, u), 1), ranks[1])
    core = torch.einsum("mchw,mr,cs->rshw", weight, u, v)
    return [v.T[:, :, None, None], core, u[:, :, None, None]]


def cp(weight, rule):
    """``W[m, c, y, x] = sum_r A[m, r] B[c, r] C[y, r] D[x, r]``: a mix, a column and a row of each, and a mix.

    By alternating least squares, from singular vectors and, where there are more terms than those, from random ones.
    The rank is the greater of those that the rule gives the slices along filters and along channels, if it is not a
    number.
    """
    rank = rule if isinstance(rule, int) else max(rank_of(unfolded(weight, axis), rule) for axis in (0, 1))
    rank_of(weight.flatten(1), rank)  # refuses what is no rank
    generator = torch.Generator().manual_seed(0)
    factors = []
    for axis, size in enumerate(weight.shape):
        found = torch.randn(size, rank, generator=generator, dtype=weight.dtype) / math.sqrt(size)
        first = leading(unfolded(weight, axis), rank)
        found[:, : first.shape[1]] = first
        factors.append(found)
    errors = [math.inf]
    for _ in range(SWEEPS):
        for axis in range(4):
            others = [f for i, f in enumerate(factors) if i != axis]
            letters = "mchw".replace(old := "mchw"[axis], "")
            product = torch.einsum(f"mchw,{','.join(f'{x}r' for x in letters)}->{old}r", weight, *others)
            gram = math.prod(f.T @ f for f in others)
            ridge = RIDGE * torch.diagonal(gram).mean() * torch.eye(rank, dtype=weight.dtype)
            factors[axis] = torch.linalg.solve(gram + ridge, product.T).T
            if axis < 3:  # one factor alone carries the sizes
                factors[axis] = factors[axis] / factors[axis].norm(dim=0).clamp(min=1e-30)
        made = torch.einsum("mr,cr,hr,wr->mchw", *factors)
        errors.append(float((made - weight).norm() / weight.norm()))
        if abs(errors[-2] - errors[-1]) < TOLERANCE:
            break
    sizes = factors[3].norm(dim=0).clamp(min=1e-30)
    a, b, c, d = factors[0] * sizes**0.5, factors[1] * sizes**0.5, factors[2], factors[3] / sizes
    return [b.T[:, :, None, None], c.T[:, None, :, None], d.T[:, None, None, :], a[:, :, None, None]]


def shapes(parts, stride, padding):
    """(weight, stride, padding, groups) of each part of a convolution."""
    whole = max(range(len(parts)), key=lambda i: parts[i].shape[2] * parts[i].shape[3])
    for i, part in enumerate(parts):
        (height, width), apart = part.shape[2:], len(parts) == 4 and i in (1, 2)  # a column, or a row, of each
        down, right = (i == 1, i == 2) if apart else (i == whole and len(parts) < 4,) * 2
        place = {"stride": (stride[0] if down else 1, stride[1] if right else 1)}
        place["padding"] = (padding[0] if down else 0, padding[1] if right else 0)
        yield part, place | {"groups": len(part) if apart else 1}


METHODS = {"svd": svd, "tucker": tucker, "cp": cp}


class LowRank(Stage):
    """A stage whose sums `parts` make; it has no weights of its own."""

    def sums(self, x, weight, bias=None):
        y = self.parts(x.flatten(1) if self.layer.kind == "dense" else x)
        return y if bias is None else y + bias.reshape(-1, *[1] * (y.ndim - 2))


def geometry(module, name):
    """(stride, padding) of a convolution, () of a dense layer; `InputError` if it cannot be decomposed."""
    if isinstance(module, Stage):
        if module.weights is not None or (module.layer.pad and module.source[0] is not None):
            raise InputError(f"{name} must be decomposed before it is quantised")
        groups, dilation = module.layer.groups, (1, 1)
        stride, padding = (module.layer.s,) * 2, (module.layer.pad,) * 2
    elif isinstance(module, nn.Conv2d | nn.Linear):
        groups, dilation = getattr(module, "groups", 1), getattr(module, "dilation", (1, 1))
        stride, padding = getattr(module, "stride", None), getattr(module, "padding", None)
    else:
        raise InputError(f"{name} must be a convolution or a dense layer, not {type(module).__name__}")
    if groups != 1 or dilation != (1, 1) or isinstance(padding, str):
        raise InputError(f"{name} must have one group, no dilation and numbers as padding to be decomposed")
    return (stride, padding) if module.weight.ndim == 4 else ()


def parts(module, method, rule, name):
    """What stands for a convolution or a dense layer: a `nn.Sequential`, or a stage that has one."""
    if method not in METHODS:
        raise InputError(f"method of a decomposition must be one of {', '.join(METHODS)}, not {method!r}")
    place, weight, made = geometry(module, name), module.weight.detach().double(), []
    if not place:
        if method != "svd":
            raise InputError(f"{name} is a dense layer, which svd alone decomposes, not {method}")
        for part in svd(weight, rule):
            made.append(nn.Linear(part.shape[1], part.shape[0], bias=False))
            made[-1].weight = nn.Parameter(part.float().contiguous())
    else:
        for part, own in shapes(METHODS[method](weight, rule), *place):
            made.append(nn.Conv2d(part.shape[1] * own["groups"], len(part), part.shape[2:], bias=False, **own))
            made[-1].weight = nn.Parameter(part.float().contiguous())
    if isinstance(module, Stage):
        module.__class__, module.parts = LowRank, nn.Sequential(*made)
        module.register_parameter("weight", None)
        return module
    if module.bias is not None:
        made[-1].bias = nn.Parameter(module.bias.detach().clone())
    return nn.Sequential(*made)


def decomposed(model, plan):
    """A copy of `model` in which layers are several smaller ones, to be trained on; nothing but torch modules.

    A convolution of C channels, M filters and K x K weights becomes

    - ``svd``: K x K to R, 1 x 1 to M (a dense layer: to R, to M);
    - ``tucker``: 1 x 1 to S, K x K to R, 1 x 1 to M;
    - ``cp``: 1 x 1 to R, K x 1 and 1 x K of each channel alone, 1 x 1 to M.

    Parameters
    ----------
    model : torch.nn.Module
    plan : dict
        Name of a layer, as `quant.masks.layers` has it → (a row of `METHODS`, a rule of `rank_of`).

    Raises
    ------
    InputError
        If there is no such layer, method or rank, or the layer is quantised, has groups or is dilated.

    Sources: Denton et al., arXiv:1404.0736 (svd); Kim et al., arXiv:1511.06530 (tucker); Lebedev et al.,
    arXiv:1412.6553 (cp).
    """
    model = copy.deepcopy(model)
    known = layers(model)
    paths = {module: path for path, module in model.named_modules()}
    for name, (method, rule) in plan.items():
        if name not in known:
            raise InputError(f"no layer is called {name!r}; allowed: {', '.join(known)}")
        parent, _, child = paths[known[name]].rpartition(".")
        setattr(model.get_submodule(parent), child, parts(known[name], method, rule, name))
    return model
