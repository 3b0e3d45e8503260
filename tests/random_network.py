"""Networks that nobody trained: every operation of golden, in random shapes and formats, for tests."""

import numpy as np

from golden.builder import Builder
from golden.formats import parse
from golden.requant import RequantSpec, fold_affine

__all__ = ["random_network", "random_images", "random_weights"]


def random_weights(rng, name, shape):
    """Integers of the format called `name`."""
    format = parse(name)
    if name == "binary":
        return rng.choice([-1, 1], shape)
    return rng.integers(format.lo, format.hi, shape, endpoint=True)


def random_images(rng, network, count):
    """Inputs of `network`."""
    tensor = network.tensors[network.input]
    return rng.integers(tensor.format.lo, tensor.format.hi, (count, *tensor.shape), endpoint=True).astype(
        tensor.format.dtype
    )


class Blocks:
    """Draws the blocks of a network from `rng`."""

    def __init__(self, rng, builder):
        self.rng, self.builder, self.count = rng, builder, 0

    def name(self, op):
        self.count += 1
        return f"{op}{self.count}"

    def requant(self, x, to, unit=None):
        """Batch normalisation, of either sign, of the accumulators `x`, folded into their requantisation to `to`."""
        y, network = parse(to), self.builder.build(x)
        sums = np.moveaxis(network.run(random_images(self.rng, network, 16)), 1, 0)
        channels = len(sums)
        mean, deviation = (f(sums.reshape(channels, -1), axis=1) for f in (np.mean, np.std))
        gamma = self.rng.uniform(0.1, 0.4, channels) * self.rng.choice([-1, 1, 1], channels) * (y.hi - y.lo)
        gamma[self.rng.random(channels) < 0.1] = 0
        scale = gamma / np.maximum(deviation, 1)
        offset = (y.hi + y.lo) / 2 - scale * mean
        m, b, s = fold_affine(RequantSpec(x=self.builder.tensors[x].format, y=y), scale, offset)
        parameters = {role: (None, values) for role, values in (("m", m), ("b", b), ("s", s))}
        name = self.name("requant")
        return self.builder.add(name, "requant", x, parameters=parameters, attributes={"format": to}, unit=unit)

    def conv(self, x, filters, kernel, weights, **attributes):
        shape = (filters, self.builder.tensors[x].shape[0], *kernel)
        weight = (weights, random_weights(self.rng, weights, shape))
        return self.builder.add(self.name("conv"), "conv", x, parameters={"weight": weight}, attributes=attributes)

    def dense(self, x, features, weights):
        weight = (weights, random_weights(self.rng, weights, (features, *self.builder.tensors[x].shape)))
        return self.builder.add(self.name("dense"), "dense", x, parameters={"weight": weight})

    def add(self, a, b, to):
        channels, rng = self.builder.tensors[a].shape[0], self.rng
        parameters = {
            "m_a": (None, rng.integers(-300, 300, channels)),
            "m_b": (None, rng.integers(-300, 300, channels)),
            "d": (None, rng.integers(-2000, 2000, channels)),
            "s": (None, rng.integers(0, 12, channels)),
        }
        return self.builder.add(self.name("add"), "add", a, b, parameters=parameters, attributes={"format": to})


def random_network(seed, *, shape=(2, 11, 9), classes=5):
    """A network with convolutions, batch normalisation of either sign, a residual addition, a concatenation, max and
    average pooling and dense layers, whose formats and shapes follow from `seed`."""
    rng = np.random.default_rng(seed)
    pick = rng.choice
    builder = Builder("uint8", shape, unit=1 / 255)
    blocks = Blocks(rng, builder)
    activations = [str(pick(["uint8", "int8", "uint4", "int5"])) for _ in range(4)]
    weights = [str(pick(["ternary", "binary", "int8", "int4"])) for _ in range(6)]
    filters = int(pick([3, 4, 7]))

    x = blocks.conv("input", filters, (3, 3), weights[0], padding=1)
    trunk = blocks.requant(x, activations[0])
    kernel = [(3, 3), (1, 3), (1, 1)][rng.integers(3)]
    x = blocks.conv(trunk, filters, kernel, weights[1], padding=[kernel[0] // 2, kernel[1] // 2])
    x = blocks.requant(x, activations[1])
    x = blocks.add(x, trunk, activations[2])
    x = builder.add(
        blocks.name("max_pool"),
        "max_pool",
        x,
        attributes={"kernel": int(pick([2, 3])), "stride": 2, "padding": int(pick([0, 1])), "ceil_mode": bool(pick(2))},
    )
    left = blocks.requant(blocks.conv(x, 4, (1, 1), weights[2]), activations[3], unit=0.5)
    right = blocks.requant(blocks.conv(x, 3, (3, 3), weights[3], padding=1), activations[3], unit=0.5)
    x = builder.add(blocks.name("concat"), "concat", left, right)
    x = builder.add(
        blocks.name("average_pool"),
        "average_pool",
        x,
        attributes={
            "kernel": 2,
            "stride": [2, 1],
            "padding": int(pick([0, 1])),
            "ceil_mode": bool(pick(2)),
            "divisor": str(pick(["window", "padded", "image"])),
        },
    )
    x = blocks.requant(x, "uint8")
    x = builder.add(blocks.name("flatten"), "flatten", x)
    x = blocks.requant(blocks.dense(x, 12, weights[4]), "uint8")
    x = blocks.dense(x, classes, weights[5])
    return builder.build(x, info={"seed": seed})
