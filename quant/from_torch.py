"""Graphs from torch: any module that torch.export can trace, or a file that it wrote."""

import contextlib
import io
import logging
import traceback
import warnings
from pathlib import Path

import torch

from golden.errors import InputError
from quant.walk import Unconverted, Walk

__all__ = ["from_exported", "from_module"]

BATCH = 2  # samples of the trace: torch treats 1 as a special case


def from_module(module, shape, *, names=None):
    """The `Graph` of a module in evaluation mode.

    Operations are called as the submodule whose weights they use or whose call they are, with _ for dots, others as
    torch's trace calls them. A module that can be called with uint8 images, which it then converts and may scale, makes
    a graph of pixels; what it scales by is the unit. Weights become float32.

    Parameters
    ----------
    module : torch.nn.Module
        Takes one batch [N, *shape] and returns one. It is left as it was.
    shape : tuple of int
        Of one sample: (C, H, W) or (features,).
    names : dict, optional
        Path of a submodule → name of its operation.

    Raises
    ------
    InputError
        If the module cannot be traced, or an operation is none of a graph's; the message names it and its node.
    """
    shape, training = tuple(shape), {name: part.training for name, part in module.named_modules()}
    module.eval()
    try:
        try:
            return Walk(traced(module, shape, torch.uint8), names).graph()
        except Unconverted:
            return Walk(traced(module, shape, torch.float32), names).graph()
    finally:
        for name, part in module.named_modules():
            part.training = training[name]


def from_exported(path):
    """The `Graph` of a file that `torch.export.save` wrote, of a module in evaluation mode; see `from_module`.

    Such files may hold pickles: read only what you trust.

    Raises
    ------
    InputError
        If the file cannot be read, or as of `from_module`.
    """
    if not Path(path).is_file():
        raise InputError(f"cannot read {path}: there is no such file")
    try:
        with quiet():
            program = functional(torch.export.load(path))
    except Exception as error:  # of any kind: zip, JSON, pickle, torch's own
        raise InputError(f"cannot read {path} as a file of torch.export: {line(error)}") from None
    return Walk(program).graph()


@contextlib.contextmanager
def quiet():
    """No gradients, no warnings, and nothing of what torch logs and prints beside its exceptions."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def line(error):
    """The first line of an error, or its type if it says nothing."""
    if "data-dependent" in str(error):
        return "its control flow depends on the data"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def functional(program):
    """`program` with no operation that works in place."""
    schemas = (getattr(node.target, "_schema", None) for node in program.graph.nodes)
    return program.run_decompositions({}) if any(s is not None and s.is_mutable for s in schemas) else program


def traced(module, shape, dtype):
    """What torch.export makes of a module for inputs of `shape` and `dtype`."""
    try:
        with quiet():
            example = (torch.zeros(BATCH, *shape, dtype=dtype),)
            return functional(torch.export.export(module, example))
    except Exception as error:  # whatever the module's own code raises
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.name == "forward"]
        own = [f for f in frames if Path(torch.__file__).parent not in Path(f.filename).parents]
        where = f" at {Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""
        kind = InputError if dtype.is_floating_point else Unconverted
        raise kind(f"cannot trace {type(module).__name__}{where}: {line(error)}") from None
