"""Where a network to approximate comes from."""

import importlib
import sys
from pathlib import Path

import torch

from golden.errors import InputError
from quant.from_onnx import from_onnx
from quant.from_torch import from_exported, from_module
from quant.qonnx import from_qonnx, is_quantised

__all__ = ["source"]

ALLOWED = "an ONNX or QONNX file, a file of torch.export (.pt2), or module:function"


def source(name, shape):
    """The float `Graph` that `name` says; of a file that is quantised, golden's `Network`.

    A function is called without arguments and makes a torch module in float.

    Parameters
    ----------
    name : str
        ``net.onnx``, ``net.pt2`` or ``package.module:function``.
    shape : tuple
        Of an input of the module, [C, H, W] or [features]; files know it.

    Raises
    ------
    InputError
        If there is no such file, module or function, or it cannot be traced or taken over.
    """
    path = Path(name)
    if path.suffix == ".onnx":
        existing(path)
        return from_qonnx(path, {"name": path.stem}) if is_quantised(path) else from_onnx(path)
    if path.suffix == ".pt2":
        return from_exported(existing(path))
    module, colon, function = name.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), function)):
        raise InputError(f"a network must be {ALLOWED}, not {name!r}")
    return from_module(made(module, function), shape)


def existing(path):
    """`path`, if it is a file."""
    if not path.is_file():
        raise InputError(f"{path} is no file; a network must be {ALLOWED}")
    return path


def made(module, function):
    """What the function makes: a torch module."""
    sys.path.insert(0, "")  # a user's own module, beside the command
    try:
        code = importlib.import_module(module)
    except Exception as error:  # whatever the user's code raises
        raise InputError(f"module {module} cannot be imported: {said(error)}") from None
    finally:
        sys.path.remove("")
    if not callable(call := getattr(code, function, None)):
        raise InputError(f"module {module} has no function {function}")
    try:
        found = call()
    except Exception as error:
        raise InputError(f"{module}:{function} cannot be called: {said(error)}") from None
    if not isinstance(found, torch.nn.Module):
        raise InputError(f"{module}:{function} must make a torch module, not {type(found).__name__}")
    return found


def said(error):
    """What a user's code raised, in a line."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
