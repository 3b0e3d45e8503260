"""Networks as data: layers and what joins them, a directed graph with the shape of every tensor."""

import math
from dataclasses import dataclass

from golden.errors import InputError
from golden.window import Window

__all__ = ["INPUT", "Layer", "Node", "Row", "Topology"]

INPUT = "input"
NORMS = ("batch", "bias", None)


@dataclass(frozen=True, kw_only=True)
class Row:
    """The shape of one layer, for one image.

    Parameters
    ----------
    name, kind : str
        `kind` is "conv" or "dense".
    n, m : int
        Input channels and filters, of all groups.
    k, s, pad : int
        Square kernel, stride, zero padding.
    h, w : int
        Height and width of the input.
    groups : int
        Each group of filters sees its own ``n / groups`` channels.
    """

    name: str
    kind: str
    n: int
    m: int
    k: int = 1
    s: int = 1
    pad: int = 0
    h: int = 1
    w: int = 1
    groups: int = 1

    @property
    def out(self):
        """Height and width of the output."""
        return tuple((size + 2 * self.pad - self.k) // self.s + 1 for size in (self.h, self.w))

    @property
    def gemm(self):
        """(windows, products of a sum, filters) of the matrix product of one group."""
        return self.out[0] * self.out[1], self.n // self.groups * self.k**2, self.m // self.groups

    @property
    def weights(self):
        """Number of weights, biases left out."""
        return self.m * self.n // self.groups * self.k**2

    @property
    def inputs(self):
        """Number of input values."""
        return self.n * self.h * self.w

    @property
    def macs(self):
        """Number of products."""
        return self.weights * self.out[0] * self.out[1]


@dataclass(frozen=True, kw_only=True)
class Node:
    """What a node does with tensors: ``pool(activation(kind(sources)))``.

    Kinds beside those of layers: "add" (two tensors), "concat" (two or more, along the channels), "max_pool" and
    "average_pool" (of a `window`), "shortcut" (every ``window.stride``-th pixel, and channels of zeros behind those
    that are there: option A of residual networks).

    Parameters
    ----------
    name, kind : str
    sources : tuple of str
        Names of nodes, or "input".
    relu : bool
        Whether the activation is ``max(x, 0)``; it is the identity otherwise.
    linear : bool
        Whether the results are no activations yet, and not to be rounded: operands of an add or a concat, or logits.
    window : Window, optional
        Of a pooling or a shortcut.
    channels : int, optional
        Of what a shortcut makes.
    pool : Window, optional
        Max pooling behind the activation.
    """

    name: str
    kind: str
    sources: tuple
    relu: bool = False
    linear: bool = False
    window: Window | None = None
    channels: int | None = None
    pool: Window | None = None


@dataclass(frozen=True, kw_only=True)
class Layer(Row, Node):
    """A node that multiplies by weights: convolution or dense layer, and an affine map of each channel.

    Parameters
    ----------
    norm : str or None
        "batch" normalisation, a "bias" alone, or nothing.
    """

    norm: str | None = "batch"

    @property
    def shape(self):
        """Shape of the weights: [M, N / groups, K, K] or [M, N]."""
        return (self.m, self.n // self.groups, self.k, self.k) if self.kind == "conv" else (self.m, self.n)


def outputs(window, name, height, width):
    """``window.size(height, width)`` of the node `name`, which is told of a window that does not fit."""
    try:
        return window.size(height, width)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


class Topology:
    """Collects the nodes of a network; each continues from the last one unless it says from where.

    Parameters
    ----------
    shape : tuple of int
        Of an image: channels, height, width.

    Attributes
    ----------
    nodes : list of Node
    shapes : dict
        Name of a node, or "input" → shape of its result, of one image; (features,) behind a dense layer.
    unpooled : dict
        Name of a node with max pooling behind it → shape of what is pooled.

    Raises
    ------
    InputError
        If a name is used twice or unknown, or shapes do not fit.
    """

    def __init__(self, shape):
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(f"shape of an image must be (channels, height, width), not {shape!r}")
        self.nodes, self.shapes, self.unpooled = [], {INPUT: tuple(shape)}, {}

    @property
    def output(self):
        """The last name."""
        return next(reversed(self.shapes))

    @property
    def rows(self):
        """The layers."""
        return [node for node in self.nodes if isinstance(node, Layer)]

    @property
    def macs(self):
        """Products for one image."""
        return sum(row.macs for row in self.rows)

    @property
    def weights(self):
        """Number of weights."""
        return sum(row.weights for row in self.rows)

    def users(self, name):
        """The nodes that use a tensor."""
        return [node for node in self.nodes if name in node.sources]

    def size(self, name):
        """The (channels, height, width) of a tensor."""
        if name not in self.shapes:
            raise InputError(f"nothing is called {name!r}; allowed: {', '.join(self.shapes)}")
        return (*self.shapes[name], 1, 1)[:3]

    def place(self, node, shape):
        """Append a node that makes a tensor of `shape` before its pooling; its name."""
        if node.name in self.shapes:
            raise InputError(f"there is a node {node.name!r} already")
        if node.pool is not None:
            self.unpooled[node.name] = shape
            shape = (shape[0], *outputs(node.pool, node.name, *shape[1:]))
        self.nodes.append(node)
        self.shapes[node.name] = shape
        return node.name

    def layer(self, kind, name, sizes, source, shape, settings):
        """Append a layer; without a norm it is linear, unless that is said."""
        settings = {"relu": not settings.get("linear", False)} | settings
        if settings.get("norm", "batch") not in NORMS:
            raise InputError(f"norm must be one of batch, bias or None, not {settings['norm']!r}")
        return self.place(Layer(name=name, kind=kind, sources=(source,), **sizes, **settings), shape)

    def conv(self, name, m, k, s=1, pad=0, *, source=None, groups=1, **settings):
        """Append a convolution; `settings` are those of `Layer`. A rectifier follows unless they say otherwise."""
        source = self.output if source is None else source
        n, h, w = self.size(source)
        if n % groups or m % groups:
            raise InputError(f"{name} has {n} channels and {m} filters, which {groups} groups do not divide")
        window = Window(kernel=k, stride=s, padding=pad)
        sizes = {"n": n, "m": m, "k": k, "s": s, "pad": pad, "h": h, "w": w, "groups": groups}
        return self.layer("conv", name, sizes, source, (m, *outputs(window, name, h, w)), settings)

    def dense(self, name, m, *, source=None, **settings):
        """Append a dense layer, on an image as on its values in a row."""
        source = self.output if source is None else source
        n = math.prod(self.size(source))
        return self.layer("dense", name, {"n": n, "m": m}, source, (m,), settings)

    def logits(self, name, classes, **settings):
        """Append the dense layer whose sums are the logits."""
        return self.dense(name, classes, norm=None, linear=True, **settings)

    def add(self, name, a, b, *, relu=True, **settings):
        """Append the sum of two tensors."""
        if self.size(a) != self.size(b):
            raise InputError(f"{name} adds tensors of {self.size(a)} and {self.size(b)}")
        return self.place(Node(name=name, kind="add", sources=(a, b), relu=relu, **settings), self.shapes[a])

    def concat(self, name, *sources, relu=True, **settings):
        """Append tensors one behind the other along their channels."""
        sizes = [self.size(source) for source in sources]
        if len({size[1:] for size in sizes}) != 1:
            raise InputError(f"{name} joins images of {', '.join(map(str, sizes))}")
        shape = (sum(size[0] for size in sizes), *sizes[0][1:])
        return self.place(Node(name=name, kind="concat", sources=sources, relu=relu, **settings), shape)

    def pooling(self, kind, name, window, source, linear=False):
        """Append a pooling."""
        source = self.output if source is None else source
        channels, h, w = self.size(source)
        window = Window(kernel=(h, w)) if window is None else window
        node = Node(name=name, kind=kind, sources=(source,), window=window, linear=linear)
        return self.place(node, (channels, *outputs(window, name, h, w)))

    def max_pool(self, name, window, *, source=None):
        """Append a max pooling."""
        return self.pooling("max_pool", name, window, source)

    def average_pool(self, name, window=None, *, source=None, linear=False):
        """Append an average pooling; of the whole image, without a window."""
        return self.pooling("average_pool", name, window, source, linear)

    def shortcut(self, name, channels, stride, *, source):
        """Append option A: every `stride`-th pixel, and zeros as channels that are not there."""
        found, h, w = self.size(source)
        if channels < found:
            raise InputError(f"a shortcut of {found} channels cannot have {channels}")
        window = Window(kernel=1, stride=stride)
        node = Node(name=name, kind="shortcut", sources=(source,), window=window, channels=channels)
        return self.place(node, (channels, *window.size(h, w)))
