"""Which tensors of a network share memory: those that are never needed at one time."""

from dataclasses import dataclass, field

__all__ = ["Buffer", "needed", "share"]

VIEWS = {"flatten"}  # operations whose result is their input, read in the same order


@dataclass(eq=False)
class Buffer:
    """Memory for one tensor at a time, as large as its largest.

    Attributes
    ----------
    tensors : list of str
        In the order in which they are made.
    bytes : int
    """

    tensors: list = field(default_factory=list)
    bytes: int = 0


def needed(network):
    """The nodes of `network` on which its output depends, in order."""
    wanted, found = {network.output}, []
    for node in reversed(network.nodes):
        if node.output in wanted:
            wanted.update(node.inputs)
            found.append(node)
    return found[::-1]


def share(network, nodes, size):
    """Buffers for the tensors that `nodes` make, and the tensor whose memory each view shows.

    A tensor takes the free buffer that needs to grow least, of those that need not grow the smallest.

    Parameters
    ----------
    size : callable
        Name of a tensor → its bytes.
    """
    views = {}
    for node in nodes:
        if node.op in VIEWS:
            views[node.output] = views.get(node.inputs[0], node.inputs[0])
    last = {}  # tensor → number of the node that uses it last
    for number, node in enumerate(nodes):
        last |= {views.get(name, name): number for name in node.inputs}
    last[views.get(network.output, network.output)] = len(nodes)
    buffers, busy = [], {}  # buffer → number of the node after which it is free
    for number, node in enumerate(nodes):
        if node.op in VIEWS:
            continue
        wanted = size(node.output)
        free = [buffer for buffer in buffers if busy[buffer] < number]
        if not free:
            buffers.append(Buffer())
            free = buffers[-1:]
        chosen = min(free, key=lambda buffer: (max(0, wanted - buffer.bytes), buffer.bytes))
        chosen.tensors.append(node.output)
        chosen.bytes = max(chosen.bytes, wanted)
        busy[chosen] = last[node.output]
    return buffers, views
