"""Shapes of the layers of published networks, built from short descriptions of their architectures.

Pooling, normalisation and activations have no rows; they stand in the sizes of the layers behind them.
"""

from dataclasses import dataclass

from golden.errors import InputError

__all__ = ["NETWORKS", "Row", "network_rows"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer, for one image.

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


class Rows:
    """Collects rows, following the shape of what the last one made: channels `n`, height and width `h`."""

    def __init__(self, n, h):
        self.found, self.n, self.h = [], n, h

    def conv(self, name, m, k, s=1, pad=0, groups=1):
        row = Row(name=name, kind="conv", n=self.n, m=m, k=k, s=s, pad=pad, h=self.h, w=self.h, groups=groups)
        self.found.append(row)
        self.n, self.h = m, row.out[0]

    def pool(self, k=3, s=2):
        """Pooling, which has no row, with a last window that need not be whole, as Caffe does it."""
        self.h = (self.h - k + s - 1) // s + 1

    def dense(self, name, m):
        self.found.append(Row(name=name, kind="dense", n=self.n * self.h**2, m=m))
        self.n, self.h = m, 1


def lenet():
    """Caffe's LeNet on 28 x 28 pixels."""
    net = Rows(1, 28)
    for name, m in (("conv1", 20), ("conv2", 50)):
        net.conv(name, m, 5)
        net.pool(2)
    net.dense("ip1", 500)
    net.dense("ip2", 10)
    return net.found


def alexnet():
    """Krizhevsky et al., 2012; conv2, conv4 and conv5 in two groups."""
    net = Rows(3, 227)
    net.conv("conv1", 96, 11, s=4)
    net.pool()
    net.conv("conv2", 256, 5, pad=2, groups=2)
    net.pool()
    net.conv("conv3", 384, 3, pad=1)
    net.conv("conv4", 384, 3, pad=1, groups=2)
    net.conv("conv5", 256, 3, pad=1, groups=2)
    net.pool()
    for name, m in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        net.dense(name, m)
    return net.found


def vgg16():
    """Simonyan and Zisserman, 2014, configuration D."""
    net = Rows(3, 224)
    for stage, (m, layers) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for layer in range(1, layers + 1):
            net.conv(f"conv{stage}_{layer}", m, 3, pad=1)
        net.pool(2)
    for name, m in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        net.dense(name, m)
    return net.found


INCEPTIONS = {  # filters of 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; pool projection
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet():
    """Szegedy et al., 2014, with Caffe's pooling and without the auxiliary classifiers."""
    net = Rows(3, 224)
    net.conv("conv1/7x7_s2", 64, 7, s=2, pad=3)
    net.pool()
    net.conv("conv2/3x3_reduce", 64, 1)
    net.conv("conv2/3x3", 192, 3, pad=1)
    for module, (one, reduce3, three, reduce5, five, projection) in INCEPTIONS.items():
        if module in ("3a", "4a", "5a"):
            net.pool()
        n = net.n
        branches = (("1x1", one, 1, None), ("3x3", three, 3, reduce3), ("5x5", five, 5, reduce5))
        for name, m, k, reduced in (*branches, ("pool_proj", projection, 1, None)):
            net.n = n
            if reduced is not None:
                net.conv(f"inception_{module}/{name}_reduce", reduced, 1)
            net.conv(f"inception_{module}/{name}", m, k, pad=k // 2)
        net.n = one + three + five + projection
    net.h = 1  # global average pooling
    net.dense("loss3/classifier", 1000)
    return net.found


def resnet34():
    """He et al., 2015; projections where the shape changes."""
    net = Rows(3, 224)
    net.conv("conv1", 64, 7, s=2, pad=3)
    net.pool()
    for stage, (m, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 2):
        for block in range(1, blocks + 1):
            name, n, h = f"conv{stage}_{block}", net.n, net.h
            s = 1 if n == m else 2
            net.conv(f"{name}_a", m, 3, s=s, pad=1)
            net.conv(f"{name}_b", m, 3, pad=1)
            if s == 2:
                net.n, net.h = n, h
                net.conv(f"{name}_proj", m, 1, s=s)
    net.h = 1  # global average pooling
    net.dense("fc", 1000)
    return net.found


NETWORKS = {"lenet": lenet, "alexnet": alexnet, "vgg16": vgg16, "googlenet": googlenet, "resnet34": resnet34}


def network_rows(name):
    """The rows of the network called `name`.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in NETWORKS:
        raise InputError(f"no layer table is called {name!r}; allowed: {', '.join(NETWORKS)}")
    return NETWORKS[name]()
