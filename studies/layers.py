"""Layers of real networks with their numbers: reals as they were captured, and integers of a width made of them."""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError

__all__ = ["Layer", "Rounded", "quantise", "rounded"]

WIDTHS = range(1, 17)


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """A convolution or dense layer, its weights and what went into it.

    Parameters
    ----------
    name, kind : str
        `kind` is "conv" or "dense".
    weights : float array
        conv [M, N / groups, KH, KW], dense [M, N].
    inputs : list of float arrays
        One for each image: conv [N, H, W], dense [rows, N].
    stride : pair of int
    padding : four of int
        Zeros above, below, to the left and to the right.
    groups : int
    """

    name: str
    kind: str
    weights: np.ndarray
    inputs: list
    stride: tuple = (1, 1)
    padding: tuple = (0, 0, 0, 0)
    groups: int = 1

    def __post_init__(self):
        axes = {4: 3, 2: 2}[self.weights.ndim]
        if not self.inputs or any(x.ndim != axes for x in self.inputs):
            raise InputError(f"inputs of {self.name} must have {axes} axes each, not {[x.ndim for x in self.inputs]}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Rounded:
    """A layer in integers.

    Parameters
    ----------
    name, kind : str
    word : int
        Bits in which a value lies in memory uncompressed.
    weights : int32 array
        In storage order, along the input channels: conv [M, KH, KW, N / groups], dense [M, N].
    inputs : list of int32 arrays
        In storage order, along the channels: conv [H, W, N], dense [rows, N].
    signed : bool
        Whether inputs are two's complement; weights always are.
    width_w, width_a : int
        Bits that the scales of weights and inputs were chosen for: the static precisions of the layer.
    stride, padding, groups
        As of `Layer`.
    """

    name: str
    kind: str
    word: int
    weights: np.ndarray
    inputs: list
    signed: bool
    width_w: int
    width_a: int
    stride: tuple = (1, 1)
    padding: tuple = (0, 0, 0, 0)
    groups: int = 1

    @property
    def out(self):
        """Height and width of the results for the first image; (rows, 1) of a dense layer."""
        if self.weights.ndim == 2:
            return len(self.inputs[0]), 1
        sizes = zip(self.inputs[0].shape, self.padding[::2], self.padding[1::2], self.weights.shape[1:3], self.stride)
        return tuple((size + before + after - k) // s + 1 for size, before, after, k, s in sizes)

    @property
    def gemm(self):
        """(windows of an image, products of a sum, filters) of the matrix product of one group."""
        filters = len(self.weights)
        return self.out[0] * self.out[1], self.weights.size // filters, filters // self.groups

    @property
    def macs(self):
        """Products for an image."""
        windows, depth, filters = self.gemm
        return windows * depth * filters * self.groups

    def operands(self, group, image, at):
        """What a GEMM of one group multiplies: inputs of the windows `at` [len(at), K], weights [K, filters].

        Products of a sum are in the order of rows, columns and channels, the channels next to each other.
        """
        _, depth, filters = self.gemm
        weights = self.weights[group * filters : (group + 1) * filters].reshape(filters, depth).T
        x = self.inputs[image]
        if x.ndim == 2:
            return x[at], weights
        _, height, width, channels = self.weights.shape
        top, bottom, left, right = self.padding
        x = np.pad(x[..., group * channels : (group + 1) * channels], ((top, bottom), (left, right), (0, 0)))
        views = np.lib.stride_tricks.sliding_window_view(x, (height, width), (0, 1))  # [rows, columns, C, KH, KW]
        row, column = np.divmod(at, self.out[1])
        picked = views[row * self.stride[0], column * self.stride[1]]
        return np.moveaxis(picked, 1, -1).reshape(len(at), depth), weights


def quantise(x, bits, *, signed, greatest=None):
    """``round(x / unit)``, ties to even, with the unit that makes the greatest magnitude the greatest integer.

    Symmetric: signed integers reach from -(2^(bits-1) - 1) to 2^(bits-1) - 1, unsigned ones from 0 to 2^bits - 1.

    Parameters
    ----------
    greatest : float, optional
        Of the magnitudes; by default that of `x`.

    Raises
    ------
    InputError
        If bits are out of range.
    """
    if bits not in WIDTHS or (signed and bits == 1):
        raise InputError(f"bits must be {2 if signed else 1} to {WIDTHS[-1]}, not {bits}")
    greatest = np.abs(x).max(initial=0) if greatest is None else greatest
    if greatest == 0:
        return np.zeros(x.shape, np.int32)
    top = (1 << bits - signed) - 1
    return np.rint(x.astype(np.float64) * (top / greatest)).astype(np.int32)


def rounded(layer, word, width_w=None, width_a=None):
    """The `Rounded` of a `Layer`.

    Parameters
    ----------
    word : int
        Bits of a value in memory.
    width_w, width_a : int, optional
        Bits that weights and inputs are rounded to, at most `word`, by default all of it.
    """
    width_w, width_a = width_w or word, width_a or word
    if max(width_w, width_a) > word:
        raise InputError(f"widths of {layer.name} must be at most the word of {word} bits, not {width_w} and {width_a}")
    signed = any(x.min(initial=0) < 0 for x in layer.inputs)
    greatest = max(np.abs(x).max(initial=0) for x in layer.inputs)
    axes = (lambda x: np.moveaxis(x, -3, -1)) if layer.weights.ndim == 4 else (lambda x: x)
    inputs = [np.ascontiguousarray(axes(quantise(x, width_a, signed=signed, greatest=greatest))) for x in layer.inputs]
    return Rounded(
        name=layer.name,
        kind=layer.kind,
        word=word,
        weights=np.ascontiguousarray(axes(quantise(layer.weights, width_w, signed=True))),
        inputs=inputs,
        signed=signed,
        width_w=width_w,
        width_a=width_a,
        stride=layer.stride,
        padding=layer.padding,
        groups=layer.groups,
    )
