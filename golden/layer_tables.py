"""Published networks, built from short descriptions of their architectures; what a layer costs follows from its row.

Each takes ``shape`` of an image, ``classes`` and ``width``, which multiplies the filters. Batch normalisation follows
every layer but those that make logits and those of `lenet_caffe`: also where originals have none, as VGG-16 and SqueezeNet,
and in place of the local response normalisation of AlexNet, GoogLeNet and CIFAR-10 Full. Dropout, which changes nothing once a network is trained, is left out.
"""

import inspect

from golden.errors import InputError
from golden.residual import bottlenecks, plain_blocks, resnet_cifar, scaled
from golden.topology import Row, Topology
from golden.window import Window

__all__ = ["NETWORKS", "Row", "fitted", "network_rows", "topology"]

HALF = Window(kernel=2, stride=2)
CAFFE = Window(kernel=3, stride=2, ceil_mode=True)  # its last window need not be whole
IMAGENET = (3, 224, 224)


def lenet(shape=(1, 28, 28), classes=10, width=1):
    """Caffe's LeNet, with batch normalisation and a ReLU behind every layer but the last."""
    net = Topology(shape)
    for name, m in (("conv1", 20), ("conv2", 50)):
        net.conv(name, scaled(m, width), 5, pool=HALF)
    net.dense("ip1", scaled(500, width))
    net.logits("ip2", classes)
    return net


def lenet_caffe(shape=(1, 28, 28), classes=10, width=1):
    """Caffe's LeNet, after LeCun et al.: biases, and a ReLU behind ip1 alone.

    Caffe's bias of ip2 is left out, so that the sums are the logits.
    """
    net = Topology(shape)
    for name, m in (("conv1", 20), ("conv2", 50)):
        net.conv(name, scaled(m, width), 5, norm="bias", relu=False, pool=HALF)
    net.dense("ip1", scaled(500, width), norm="bias")
    net.logits("ip2", classes)
    return net


def cifar10_full(shape=(3, 32, 32), classes=10, width=1):
    """Caffe's "CIFAR-10 Full"."""
    net = Topology(shape)
    net.conv("conv1", scaled(32, width), 5, pad=2, pool=CAFFE)
    for name, m in (("conv2", 32), ("conv3", 64)):
        net.conv(name, scaled(m, width), 5, pad=2)
        net.average_pool(f"{name}_average", CAFFE)
    net.logits("ip1", classes)
    return net


def alexnet(shape=(3, 227, 227), classes=1000, width=1):
    """Krizhevsky et al., 2012; conv2, conv4 and conv5 in two groups."""
    net = Topology(shape)
    net.conv("conv1", scaled(96, width), 11, s=4, pool=CAFFE)
    net.conv("conv2", scaled(256, width), 5, pad=2, groups=2, pool=CAFFE)
    net.conv("conv3", scaled(384, width), 3, pad=1)
    net.conv("conv4", scaled(384, width), 3, pad=1, groups=2)
    net.conv("conv5", scaled(256, width), 3, pad=1, groups=2, pool=CAFFE)
    net.dense("fc6", scaled(4096, width))
    net.dense("fc7", scaled(4096, width))
    net.logits("fc8", classes)
    return net


def vgg(net, stages, width):
    """Append stages of 3 x 3 convolutions (filters, layers), each with a pooling behind it."""
    for stage, (m, layers) in enumerate(stages, 1):
        for i in range(1, layers + 1):
            net.conv(f"conv{stage}_{i}", scaled(m, width), 3, pad=1, pool=HALF if i == layers else None)
    return net


def vgg16(shape=IMAGENET, classes=1000, width=1):
    """Simonyan and Zisserman, 2014, configuration D."""
    net = vgg(Topology(shape), ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), width)
    net.dense("fc6", scaled(4096, width))
    net.dense("fc7", scaled(4096, width))
    net.logits("fc8", classes)
    return net


def vgg_cifar(shape=(3, 32, 32), classes=10, width=1):
    """The convolutions of VGG-16 for small images, and two dense layers, as is usual for CIFAR-10."""
    net = vgg(Topology(shape), ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), width)
    net.dense("fc1", scaled(512, width))
    net.logits("fc2", classes)
    return net


def vgg_small(shape=(1, 28, 28), classes=10, width=1):
    """VGG in small: three stages of two convolutions with 16, 32 and 64 filters, and two dense layers."""
    net = vgg(Topology(shape), ((16, 2), (32, 2), (64, 2)), width)
    net.dense("fc1", scaled(128, width))
    net.logits("fc2", classes)
    return net


def mlp(m):
    """Three dense layers of `m` neurons and the classifier."""

    def made(shape=(1, 28, 28), classes=10, width=1):
        net = Topology(shape)
        for name in ("fc1", "fc2", "fc3"):
            net.dense(name, scaled(m, width))
        net.logits("fc4", classes)
        return net

    return made


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


def googlenet(shape=IMAGENET, classes=1000, width=1):
    """Szegedy et al., 2014, with Caffe's pooling and without the auxiliary classifiers."""
    net = Topology(shape)
    net.conv("conv1/7x7_s2", scaled(64, width), 7, s=2, pad=3, pool=CAFFE)
    net.conv("conv2/3x3_reduce", scaled(64, width), 1)
    net.conv("conv2/3x3", scaled(192, width), 3, pad=1, pool=CAFFE)
    for module, filters in INCEPTIONS.items():
        one, reduce3, three, reduce5, five, projection = (scaled(m, width) for m in filters)
        name, source = f"inception_{module}", net.output
        parts = [net.conv(f"{name}/1x1", one, 1, linear=True)]
        for part, reduced, m, k in (("3x3", reduce3, three, 3), ("5x5", reduce5, five, 5)):
            net.conv(f"{name}/{part}_reduce", reduced, 1, source=source)
            parts.append(net.conv(f"{name}/{part}", m, k, pad=k // 2, linear=True))
        net.max_pool(f"{name}/pool", Window(kernel=3, stride=1, padding=1), source=source)
        parts.append(net.conv(f"{name}/pool_proj", projection, 1, linear=True))
        net.concat(f"{name}/output", *parts, pool=CAFFE if module in ("3b", "4e") else None)
    net.average_pool("average")
    net.logits("loss3/classifier", classes)
    return net


FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


def squeezenet(shape=(3, 227, 227), classes=1000, width=1):
    """Iandola et al., 2016, version 1.0: fire modules squeeze with 1 x 1, and expand with 1 x 1 beside 3 x 3.

    Its classifier is a convolution, padded as in its Caffe file; the averages of what its rectifier leaves are the logits.
    """
    net = Topology(shape)
    net.conv("conv1", scaled(96, width), 7, s=2, pool=CAFFE)
    for module, (squeeze, expand) in FIRES.items():
        name, m = f"fire{module}", scaled(expand, width)
        source = net.conv(f"{name}/squeeze1x1", scaled(squeeze, width), 1)
        parts = [net.conv(f"{name}/expand1x1", m, 1, source=source, linear=True)]
        parts.append(net.conv(f"{name}/expand3x3", m, 3, pad=1, source=source, linear=True))
        net.concat(f"{name}/concat", *parts, pool=CAFFE if module in (4, 8) else None)
    net.conv("conv10", classes, 1, pad=1)
    net.average_pool("pool10", linear=True)
    return net


NETWORKS = {
    "lenet": lenet,
    "lenet_caffe": lenet_caffe,
    "mlp64": mlp(64),
    "mlp256": mlp(256),
    "mlp1024": mlp(1024),
    "vgg_small": vgg_small,
    "vgg_cifar": vgg_cifar,
    "cifar10_full": cifar10_full,
    **{f"resnet{6 * n + 2}": resnet_cifar(n) for n in (1, 2, 3, 5, 7, 9, 18)},
    "alexnet": alexnet,
    "vgg16": vgg16,
    "googlenet": googlenet,
    "squeezenet": squeezenet,
    "resnet18": plain_blocks((2, 2, 2, 2)),
    "resnet34": plain_blocks((3, 4, 6, 3)),
    "resnet50": bottlenecks((3, 4, 6, 3)),
    "resnet101": bottlenecks((3, 4, 23, 3)),
    "resnet152": bottlenecks((3, 8, 36, 3)),
}


def number(text):
    """What a number is that is written as text, whole if it can be."""
    found = float(text)
    return int(found) if found == int(found) else found


TYPES = {
    "shape": lambda text: tuple(int(part) for part in text.split("x")),
    "classes": int,
    "width": number,
    "first": number,
}


def spelled(text):
    """(name, settings) of a network as text."""
    name, _, rest = text.partition(":")
    if name not in NETWORKS:
        raise InputError(f"no network is called {name!r}; allowed: {', '.join(NETWORKS)}")
    allowed, settings = inspect.signature(NETWORKS[name]).parameters, {}
    for part in rest.split(",") if rest else ():
        key, _, value = part.partition("=")
        if key not in allowed:
            raise InputError(f"network {name} has no setting {key!r}; allowed: {', '.join(allowed)}")
        try:
            settings[key] = TYPES[key](value)
        except (ValueError, OverflowError):
            raise InputError(f"setting {key} of network {name} must be a number, or CxHxW, not {value!r}") from None
    return name, settings


def topology(text):
    """The `Topology` of a network: its name, and settings behind a colon.

    ``resnet20:width=2,shape=1x28x28,classes=10``: `width` multiplies all filters; `first`, of the residual networks for
    CIFAR, those of the first third of the layers.

    Raises
    ------
    InputError
        If there is no such network, it has no such setting, or it cannot be built with them.
    """
    name, settings = spelled(text)
    return NETWORKS[name](**settings)


def fitted(text, shape, classes):
    """`text`, with the shape and the classes of data in place of those that it says or means.

    Parameters
    ----------
    shape : tuple of int
        Of an image: channels, height, width.
    classes : int
    """
    name, settings = spelled(text)
    usual = {key: p.default for key, p in inspect.signature(NETWORKS[name]).parameters.items()}
    settings = usual | settings | {"shape": tuple(shape), "classes": classes}
    words = settings | {"shape": "x".join(map(str, shape))}
    said = [f"{key}={words[key]}" for key in usual if settings[key] != usual[key]]
    return f"{name}:{','.join(said)}" if said else name


def network_rows(text):
    """The rows of the layers of a network; see `topology`."""
    return topology(text).rows
