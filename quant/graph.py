"""A network of float operations: what every importer makes, and what folding, the flow and the export start from."""

import math
from dataclasses import dataclass, field

import torch

from golden.errors import InputError
from quant.kinds import KINDS, compute

__all__ = ["Graph", "Op", "expand"]


@dataclass(eq=False)
class Op:
    """One operation; the tensor that it makes is called as it is.

    Parameters
    ----------
    name : str
    op : str
        A row of `quant.kinds.KINDS`.
    inputs : tuple of str
        Names of tensors.
    attributes : dict
        Exactly those of the row.
    weight : float tensor or None
        Filters [M, C, KH, KW] of conv, [out, in] of dense.
    bias : float tensor or None
        [M] or [out].
    present : bool tensor or None
        Which elements of `weight` are weights; the others are zeros, and stay zeros in every format, where groups,
        dilation or padding on one side leave nothing to multiply: see `expand`. None: all.
    """

    name: str
    op: str
    inputs: tuple
    attributes: dict = field(default_factory=dict)
    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    present: torch.Tensor | None = None

    @property
    def weights(self):
        """The elements of `weight` that are weights."""
        return self.weight if self.present is None else self.weight[self.present]


@dataclass(eq=False)
class Graph:
    """A directed graph of operations on tensors of one sample each, batches left out.

    The rows of `quant.kinds.KINDS`, with their attributes: conv (stride and padding, pairs), dense, batch_norm (tensors
    mean, var, gamma and beta [C], number eps), relu, max_pool (pairs kernel, stride and padding, ceil_mode),
    average_pool (also divisor, a row of `golden.pool.DIVISORS`), add, concat (along the channels), flatten (channel,
    row, column) and lrn (size, alpha, beta, k; see `golden.lrn`).

    Parameters
    ----------
    shape : tuple of int
        Of one input sample: (channels, height, width) or (features,).
    ops : list of Op
        In an order in which each uses only what stands before it.
    output : str
        Name of a tensor.
    input : str
    unit : float or None
        What the integer 1 is worth if the input is pixels, 0 to 255; None if it is reals.

    Raises
    ------
    InputError
        If a name is unknown, used twice or not at all, an operation or attribute is unknown, shapes do not agree, or
        a weight is NaN or infinite; the message names the operation.
    """

    shape: tuple
    ops: list
    output: str
    input: str = "input"
    unit: float | None = None

    def __post_init__(self):
        self.shape = tuple(self.shape)
        if len(self.shape) not in (1, 3) or not all(type(n) is int and n >= 1 for n in self.shape):
            raise InputError(f"shape of an input sample must be (features,) or (C, H, W), not {self.shape!r}")
        if self.unit is not None and not 0 < self.unit < math.inf:
            raise InputError(f"unit of the input must be above 0 and finite, not {self.unit!r}")
        made = {self.input}
        for op in self.ops:
            self.check(op, made)
            made.add(op.name)
        self.shapes()
        if self.output not in made:
            raise InputError(f"no operation makes the output {self.output!r}")
        used = {self.output}.union(*(op.inputs for op in self.ops))
        for name in (self.input, *(op.name for op in self.ops)):
            if name not in used:
                raise InputError(f"nothing uses the {'input' if name == self.input else 'tensor'} {name!r}")

    def check(self, op, made):
        """Refuse an operation that is not of its kind, or that uses a tensor not yet `made`."""
        if op.op not in KINDS:
            raise InputError(f"no operation of a graph is called {op.op!r}; allowed: {', '.join(KINDS)}")
        kind, what = KINDS[op.op], f"{op.op} {op.name!r}"
        if op.name in made:
            raise InputError(f"there are two tensors {op.name!r}")
        op.inputs = tuple(op.inputs)
        if unmade := [name for name in op.inputs if name not in made]:
            raise InputError(f"{what} uses {unmade[0]!r}, which nothing before it makes")
        if len(op.inputs) < 2 if kind.arity is None else len(op.inputs) != kind.arity:
            raise InputError(f"{what} must have {kind.arity or '2 or more'} inputs, not {len(op.inputs)}")
        if set(op.attributes) != set(kind.attributes):
            raise InputError(f"{what} must have the attributes {list(kind.attributes)}, not {list(op.attributes)}")
        if (op.weight is not None) != (kind.axes > 0) or (op.weight is not None and op.weight.ndim != kind.axes):
            found = None if op.weight is None else list(op.weight.shape)
            raise InputError(f"weight of {what} must have {kind.axes} axes, not {found}")
        if op.bias is not None and (op.weight is None or op.bias.shape != op.weight.shape[:1]):
            raise InputError(f"bias of {what} must have an element for each filter, not {list(op.bias.shape)}")
        if op.present is not None:
            if op.weight is None or op.present.shape != op.weight.shape or op.weight[~op.present].any():
                raise InputError(f"weight of {what} must be 0 wherever it is not present, and have as many elements")
        for name, x in {"weight": op.weight, "bias": op.bias, **op.attributes}.items():
            if isinstance(x, torch.Tensor | float) and not torch.as_tensor(x).isfinite().all():
                raise InputError(f"{name} of {what} must be finite; NaN or infinity is among its numbers")

    def shapes(self):
        """Tensor → shape of one sample."""
        found = {self.input: self.shape}
        for op in self.ops:
            try:
                found[op.name] = KINDS[op.op].shape(op, *(found[name] for name in op.inputs))
            except InputError as error:
                raise InputError(f"{op.op} {op.name!r}: {error}") from None
        return found

    def macs(self):
        """Name → products for one sample, of each operation with weights."""
        shapes = self.shapes()
        return {op.name: op.weights.numel() * math.prod(shapes[op.name][1:]) for op in self.ops if op.weight is not None}

    def users(self, name):
        """The operations that use a tensor."""
        return [op for op in self.ops if name in op.inputs]

    def real(self, x):
        """`x` [N, ...] as reals: pixels, in uint8 or in a float, times their unit; without a unit, floats as they are.

        uint8 pixels become float32; channels lie last in memory, where convolution and pooling find them faster.
        """
        if x.dtype == torch.uint8 and self.unit is not None:
            x = x.float()
        if not x.dtype.is_floating_point:
            wanted = "floats" if self.unit is None else "uint8 pixels or floats"
            raise InputError(f"input of the network must be {wanted}, not {x.dtype}")
        x = x if self.unit is None else x * self.unit
        return x.to(memory_format=torch.channels_last) if x.ndim == 4 else x

    def fused(self):
        """Name of a conv or dense → the relu that alone uses it: hardware computes the two in one."""
        found = {}
        for op in self.ops:
            users = self.users(op.name)
            if op.weight is not None and len(users) == 1 and users[0].op == "relu" and op.name != self.output:
                found[op.name] = users[0].name
        return found

    def run(self, x):
        """Tensor → its values for `x` [N, ...], in the input's precision; float32 of pixels."""
        values = {self.input: self.real(x)}
        for op in self.ops:
            own = (None if p is None else p.to(values[self.input].dtype) for p in (op.weight, op.bias))
            values[op.name] = compute(op, [values[name] for name in op.inputs], *own)
        return values


def expand(weight, groups=1, dilation=(1, 1), margins=(0, 0, 0, 0)):
    """Filters without groups or dilation, for images padded alike on both sides, that do what those of `weight` do.

    What groups and dilation leave out become zeros, and so does what padding on one side adds to a filter.

    Parameters
    ----------
    weight : tensor [M, C / groups, KH, KW]
    margins : tuple of int
        Columns of zeros on the left and right of a filter, rows above and below.

    Returns
    -------
    (tensor, bool tensor or None)
        The filters [M, C, ...], and which of their elements are weights, None if all are: see `Op`.
    """
    filters, channels, height, width = weight.shape
    (down, right), each = dilation, filters // groups

    def spread(x):
        found = x.new_zeros(filters, channels * groups, (height - 1) * down + 1, (width - 1) * right + 1)
        for group in range(groups):
            rows = slice(group * each, (group + 1) * each)
            found[rows, group * channels : (group + 1) * channels, ::down, ::right] = x[rows]
        return torch.nn.functional.pad(found, margins)

    present = spread(torch.ones_like(weight, dtype=torch.bool))
    return spread(weight), None if present.all() else present
