"""The geometry that convolution and pooling share: windows that slide over an image."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from golden.errors import InputError

__all__ = ["Window"]


def pair(value, what, least):
    """`value` as (vertical, horizontal), if it is an integer or two of them, each at least `least`."""
    both = (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if len(both) != 2 or not all(type(v) is int and v >= least for v in both):
        raise InputError(f"{what} must be an integer of at least {least} or a pair of them, not {value!r}")
    return both


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window of `kernel` pixels that moves over an image in steps of `stride`.

    Outputs along an axis of n pixels are ``floor((n + 2 * padding - kernel) / stride) + 1``. With `ceil_mode` the
    quotient is rounded up, but no window begins right of the image (torch's and Caffe's rule).

    Parameters
    ----------
    kernel, stride, padding : int or (vertical, horizontal)
        Pixels; padding is added on both sides.
    ceil_mode : bool
        Whether a last window may reach over the edge.
    """

    kernel: tuple
    stride: tuple = (1, 1)
    padding: tuple = (0, 0)
    ceil_mode: bool = False

    def __post_init__(self):
        for what, least in (("kernel", 1), ("stride", 1), ("padding", 0)):
            object.__setattr__(self, what, pair(getattr(self, what), what, least))
        if type(self.ceil_mode) is not bool:
            raise InputError(f"ceil_mode must be true or false, not {self.ceil_mode!r}")

    def size(self, height, width):
        """Outputs (vertical, horizontal) on an image of `height` by `width`.

        Raises
        ------
        InputError
            If the padded image is smaller than the kernel.
        """
        outputs = []
        for n, kernel, stride, padding in zip((height, width), self.kernel, self.stride, self.padding, strict=True):
            room = n + 2 * padding - kernel
            if room < 0:
                raise InputError(f"a kernel of {kernel} does not fit {n} pixels padded with {padding} on both sides")
            count = (-(-room // stride) if self.ceil_mode else room // stride) + 1
            if self.ceil_mode and (count - 1) * stride >= n + padding:
                count -= 1
            outputs.append(count)
        return tuple(outputs)

    def covered(self, x, fill=0):
        """The part of `x` [N, C, H, W] that windows touch, padded with `fill` where they reach over its edges.

        The order of the axes in memory stays as it is in `x`.
        """
        spans = [
            (count - 1) * stride + kernel
            for count, stride, kernel in zip(self.size(*x.shape[2:]), self.stride, self.kernel, strict=True)
        ]
        (top, left), (height, width) = self.padding, x.shape[2:]
        if (top, left) == (0, 0) and spans[0] <= height and spans[1] <= width:
            return x[:, :, : spans[0], : spans[1]]
        padded = np.full_like(x, fill, shape=(*x.shape[:2], *spans))
        inside = x[:, :, : max(0, spans[0] - top), : max(0, spans[1] - left)]
        padded[:, :, top : top + inside.shape[2], left : left + inside.shape[3]] = inside
        return padded

    def views(self, x, fill=0):
        """Every window of `x` [N, C, H, W], as a read-only view [N, C, OH, OW, KH, KW]."""
        views = sliding_window_view(self.covered(x, fill), self.kernel, axis=(2, 3))
        return views[:, :, :: self.stride[0], :: self.stride[1]]

    def reduce(self, function, x, fill=0):
        """`function`, an associative ufunc, over each window of `x` [N, C, H, W]: [N, C, OH, OW]."""
        x = self.covered(x, fill)
        for axis, kernel, stride in ((2, self.kernel[0], self.stride[0]), (3, self.kernel[1], self.stride[1])):
            last = x.shape[axis] - kernel + 1
            lead = (slice(None),) * axis
            parts = [x[*lead, slice(i, i + last, stride)] for i in range(kernel)]
            x = parts[0].copy(order="K") if kernel == 1 else function(parts[0], parts[1])
            for part in parts[2:]:
                function(x, part, out=x)
        return x
