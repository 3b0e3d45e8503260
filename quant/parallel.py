"""Training in several processes that `torchrun` starts: each has its part of every batch.

After the backward pass gradients are averaged, and so is what layers count as they see images: statistics of batch
normalisation, ranges of activations. The processes thus hold equal models at all times. A run in one process with the
same batch differs in the order in which gradients are added, so by rounding; with batch normalisation also in that each
process normalises its own part of the batch.
"""

import contextlib
import os

import torch
from torch import distributed

from golden.errors import InputError

__all__ = ["average", "first", "part", "processes", "total", "wait", "world"]


def world():
    """(number of this process, processes): (0, 1) outside of `processes`."""
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


def first():
    """Whether this process is the one that writes and prints."""
    return world()[0] == 0


@contextlib.contextmanager
def processes():
    """Join the processes that `torchrun` started with this one, if it did, by gloo; leave them at the end."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    distributed.init_process_group("gloo")
    try:
        yield
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def wait():
    """Go on when all processes have come here: behind what one of them writes and all then read."""
    if world()[1] > 1:
        distributed.barrier()


def part(count, what="batch"):
    """The slice of `count` things that is this process's: equal ones.

    Raises
    ------
    InputError
        If the processes do not divide `count`.
    """
    rank, size = world()
    if count % size:
        raise InputError(f"{what} must be a multiple of the {size} processes, not {count}")
    return slice(rank * count // size, (rank + 1) * count // size)


@torch.no_grad()
def total(numbers):
    """The sums over processes of a few numbers."""
    if world()[1] == 1:
        return list(numbers)
    sums = torch.tensor(numbers, dtype=torch.float64)
    distributed.all_reduce(sums)
    return sums.tolist()


@torch.no_grad()
def average(tensors):
    """Each of the tensors becomes its mean over the processes."""
    size = world()[1]
    if size == 1:
        return
    flat = torch.cat([x.flatten() for x in tensors])
    distributed.all_reduce(flat)
    flat /= size
    for x, mean in zip(tensors, flat.split([x.numel() for x in tensors]), strict=True):
        x.copy_(mean.reshape(x.shape))
