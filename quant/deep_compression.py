"""Deep Compression of a network from end to end: pruned, its weights shared, packed into Huffman-coded containers."""

from dataclasses import dataclass

import torch

from golden.deep_compression import INDEX_BITS, decode, encode, parts
from golden.errors import InputError
from quant.masks import layers, nonzero
from quant.pruning import Pruning, prune
from quant.run import correct
from quant.settings import Settings
from quant.sharing import shared, sharing
from quant.train import fit

__all__ = ["Compressed", "DeepCompression", "compress", "unpack"]

FLOAT_BITS = 32


@dataclass(frozen=True, kw_only=True)
class DeepCompression:
    """How a network is compressed.

    Parameters
    ----------
    pruning : Pruning
    retraining : Settings
        By which the weights that stay are trained on.
    conv_bits, dense_bits : int
        Of a code: 2 to that power values, the first of them 0.
    index_bits : int
        Of the number of zeros before an entry.
    sharing : Settings
        By which the shared values are trained on; 0 epochs for not at all.

    Source: Han, Mao and Dally, Deep Compression, arXiv:1510.00149.
    """

    pruning: Pruning
    retraining: Settings
    conv_bits: int = 8
    dense_bits: int = 4
    index_bits: int = INDEX_BITS
    sharing: Settings = Settings(rate=1e-4)


@dataclass(frozen=True, eq=False)
class Compressed:
    """A network whose weights are those of its containers.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    containers : dict
        Name of a layer → bytes.
    bits : dict
        Name of a layer → `golden.deep_compression.Bits` of its container.
    held_out : dict
        Accuracy on held-out images "before", when "pruned", and when "shared".
    kept : dict
        Share of the weights that are not 0, of each layer, and of all under "".
    """

    model: torch.nn.Module
    containers: dict
    bits: dict
    held_out: dict
    kept: dict

    def ratio(self, name=None):
        """Bits of the weights of a layer, or of all, as floats, over those of its container."""
        names = self.containers if name is None else [name]
        weights = sum(layers(self.model)[each].weight.numel() for each in names)
        return FLOAT_BITS * weights / sum(8 * len(self.containers[each]) for each in names)


def compress(model, dataset, plan, generator, title, *, checkpoint=None, progress=True):
    """The `Compressed` of a trained network, which is changed.

    Parameters
    ----------
    plan : DeepCompression
    checkpoint : quant.checkpoint.Checkpoint, optional
        As of `quant.train.fit`.

    Raises
    ------
    InputError
        As of `quant.pruning.prune` and `quant.sharing.sharing`.
    """
    count = len(dataset.held_out)
    held_out = {"before": correct(model, dataset.held_out) / count}
    settings = {"checkpoint": checkpoint, "progress": progress}
    prune(model, dataset, plan.pruning, plan.retraining, generator, f"{title}, pruned", **settings)
    held_out["pruned"] = correct(model, dataset.held_out) / count
    found = {}
    for name, module in layers(model).items():
        found[name] = sharing(module.weight, plan.conv_bits if module.weight.ndim == 4 else plan.dense_bits)
    with shared(model, found):
        if plan.sharing.epochs:
            saved = None if checkpoint is None else checkpoint.part("shared")
            fit(model, dataset, plan.sharing, generator, f"{title}, shared", checkpoint=saved, progress=progress)
    containers, bits = {}, {}
    for name, each in found.items():
        given = each.codes.numpy(), each.table.numpy(), plan.index_bits
        containers[name], bits[name] = encode(*given), parts(*given)
    unpack(model, containers)
    held_out["shared"] = correct(model, dataset.held_out) / count
    return Compressed(model, containers, bits, held_out, nonzero(model))


@torch.no_grad()
def unpack(model, containers):
    """Give the layers of `model` the weights in `containers`, {name: bytes}.

    Raises
    ------
    InputError
        If a container is corrupted, or of a layer that the model does not have or has in another shape.
    """
    modules = layers(model)
    for name, data in containers.items():
        codes, table, _ = decode(data)
        if name not in modules:
            raise InputError(f"no layer is called {name!r}; allowed: {', '.join(modules)}")
        if codes.shape != tuple(modules[name].weight.shape):
            wanted = list(modules[name].weight.shape)
            raise InputError(f"weights of {name} must be {wanted}, not {list(codes.shape)} as in the container")
        modules[name].weight.copy_(torch.from_numpy(table[codes]))
