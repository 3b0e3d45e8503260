"""Residual networks, of ImageNet's and of CIFAR's kind, at any depth and width."""

from golden.errors import InputError
from golden.topology import Topology
from golden.window import Window

__all__ = ["bottlenecks", "plain_blocks", "resnet_cifar"]

STAGES = (64, 128, 256, 512)  # filters
EXPANSION = 4


def block(net, name, convolutions, s, project, names):
    """Append a residual block: `convolutions` (filters, kernel), the first with stride `s`; a projection by need."""
    source = net.output
    n = net.size(source)[0]
    for i, (m, k) in enumerate(convolutions):
        last = i == len(convolutions) - 1
        net.conv(f"{name}_{names[i]}", m, k, s=1 if i else s, pad=k // 2, linear=last)
    branch, m = net.output, convolutions[-1][0]
    if n != m or s != 1:
        shortcut = f"{name}_{'proj' if project else 'shortcut'}"
        if project:
            source = net.conv(shortcut, m, 1, s=s, source=source, linear=True)
        else:
            source = net.shortcut(shortcut, m, s, source=source)
    net.add(name, branch, source)


def imagenet(blocks, convolutions, names, shape, classes, width):
    """The stem, four stages of `blocks` blocks, and the classifier."""
    net = Topology(shape)
    stem = Window(kernel=3, stride=2, padding=1)
    net.conv("conv1", scaled(STAGES[0], width), 7, s=2, pad=3, pool=stem)
    for stage, (m, count) in enumerate(zip(STAGES, blocks, strict=True), 2):
        for i in range(1, count + 1):
            s = 2 if i == 1 and stage > 2 else 1
            block(net, f"conv{stage}_{i}", convolutions(scaled(m, width)), s, True, names)
    net.average_pool("average")
    net.logits("fc", classes)
    return net


def scaled(m, width):
    """`m` filters times `width`, which must be whole."""
    found = m * width
    if found < 1 or found != int(found):
        raise InputError(f"width {width} makes no whole number of {m} filters")
    return int(found)


def plain_blocks(blocks):
    """Blocks of two 3 x 3 convolutions: ResNet-18 with 2, 2, 2, 2, ResNet-34 with 3, 4, 6, 3.

    Source: He et al., Deep Residual Learning for Image Recognition, table 1; projections where the shape changes.
    """

    def made(shape=(3, 224, 224), classes=1000, width=1):
        return imagenet(blocks, lambda m: ((m, 3), (m, 3)), "ab", shape, classes, width)

    return made


def bottlenecks(blocks):
    """Blocks of 1 x 1, 3 x 3 and 1 x 1 convolutions, the last with four times the filters: ResNet-50 with 3, 4, 6, 3.

    The stride is on the first convolution, as in the paper; many later programs have it on the second.

    Source: He et al., Deep Residual Learning for Image Recognition, table 1.
    """

    def made(shape=(3, 224, 224), classes=1000, width=1):
        names = ("1x1a", "3x3", "1x1b")
        return imagenet(blocks, lambda m: ((m, 1), (m, 3), (EXPANSION * m, 1)), names, shape, classes, width)

    return made


def resnet_cifar(n):
    """``6 n + 2`` layers: a convolution, three stages of n blocks with 16, 32 and 64 filters, and a dense layer.

    Shortcuts are of option A: where the image shrinks, every second pixel, and zeros as the new channels. Widening
    follows WRPN: `width` multiplies the filters of the whole network, `first` those of the first convolution and stage
    alone, which is the first third of the layers, and changes shortcuts at an edge between stages only.

    Source: He et al., Deep Residual Learning for Image Recognition, section 4.2; Mishra and Marr, WRPN & Apprentice,
    section 2.
    """

    def made(shape=(3, 32, 32), classes=10, width=1, first=1):
        net = Topology(shape)
        filters = [scaled(m, width) for m in (16, 32, 64)]
        filters[0] = scaled(filters[0], first)
        net.conv("conv1", filters[0], 3, pad=1)
        for stage, m in enumerate(filters, 1):
            for i in range(1, n + 1):
                s = 2 if i == 1 and stage > 1 else 1
                block(net, f"s{stage}_b{i}", ((m, 3), (m, 3)), s, False, "ab")
        net.average_pool("average")
        net.logits("fc", classes)
        return net

    return made
