"""Operands of a user's, from a file."""

import numpy as np

from golden.errors import InputError
from golden.formats import parse

__all__ = ["read_arrays", "read_operands"]


def read_arrays(path):
    """Key → array of an npz file.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            return dict(file)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except Exception:  # a damaged archive raises what its decompressor, zipfile, NumPy or a tokenizer does
        raise InputError(f"{path} is not an npz file of plain arrays") from None


def read_operands(path, engine):
    """The operands of an engine in an npz file, checked.

    Each is an array of integers under its key. ``<key>_format`` may name its format, which must then be the engine's.

    Raises
    ------
    InputError
        If the file cannot be read, holds other keys than the engine's operands, or one that does not suit.
    """
    arrays = read_arrays(path)
    for key in engine.operands:
        if f"{key}_format" in arrays:
            given, wanted = str(arrays.pop(f"{key}_format")), getattr(engine, key, None)
            if parse(given) != wanted:
                raise InputError(f"{key} is given as {given}, the target takes {wanted or 'plain integers'}")
    return engine.check(arrays)
