"""The model that trains a network of golden's tables, and computes what is exported of it."""

import torch

from golden.errors import InputError
from golden.layer_tables import NETWORKS
from golden.topology import INPUT, Layer
from quant.export import PIXEL, PIXEL_UNIT, export
from quant.integers import run
from quant.layers import Joint, Stage, adds_up
from quant.schemes import EDGES, FLOAT, activated, activation_quantiser, activation_schemes, schemes, weight_quantiser

__all__ = ["NETWORKS", "PIXEL", "PIXEL_UNIT", "Classifier", "schemes"]


class Classifier(torch.nn.Module):
    """A network from raw pixels to logits.

    In training `forward` computes reals, and so it does in evaluation where something is left in floating point. In
    evaluation of a network that is quantised throughout it computes the exported integers, exactly, in float64: its
    logits are those of golden and of the hardware.

    Parameters
    ----------
    net : Topology
    weights : sequence of str
        Weight scheme of each layer; empty for floats.
    activations : str, optional
        Activation schemes, as `quant.schemes.activation_schemes` reads them; by default 8 bits, or floats where weights
        are.

    Attributes
    ----------
    stages : list of Stage
        The layers, in the order of the topology.
    joints : dict
        Name → Joint, of the other nodes.
    pixels : ActivationQuantiser or None
        Of the input.
    schemes : tuple of str
        As `weights`.
    activations : dict
        Node, or "input" → activation scheme.

    Raises
    ------
    InputError
        If there are more or fewer schemes than layers, or one does not exist.
    """

    def __init__(self, net, weights=(), activations=None):
        super().__init__()
        rows = net.rows
        if weights and len(weights) != len(rows):
            raise InputError(f"{len(rows)} layers need as many weight schemes, not {len(weights)}")
        self.net, self.schemes = net, tuple(weights)
        if activations is None:
            activations = EDGES if weights else FLOAT
        self.activations = activation_schemes(activations, net)
        self.pixels = activation_quantiser(self.activations[INPUT], True)
        self.stages, self.joints = torch.nn.ModuleList(), torch.nn.ModuleDict()
        found = {INPUT: (self.pixels, self.pixels)}  # quantisers of what layers and what joints read
        names = {node.name for node in activated(net)}
        for node in net.nodes:
            sources = [found[name] for name in node.sources]
            if node.name in names:
                pair = self.quantisers(node, sources)
            else:
                pair = (None, None) if node.linear else (sources[0][1],) * 2
            found[node.name] = pair
            closing = {"activation": pair[0], "stream": pair[1] if pair[1] is not pair[0] else None}
            if node.name not in names:
                closing = {}
            if isinstance(node, Layer):
                scheme = self.schemes[len(self.stages)] if weights else FLOAT
                quantiser = weight_quantiser(scheme, node)
                self.stages.append(Stage(node, quantiser, **closing, source=sources[0][0]))
            else:
                self.joints[node.name] = Joint(node, **closing)

    def quantisers(self, node, sources):
        """What layers and what joints read of a node: two activation quantisers, the same one if it suits both."""
        relu = node.relu
        if node.kind == "average_pool":  # without a sign, if what is averaged has none
            relu = sources[0][1] is not None and sources[0][1].format.lo == 0
        own = activation_quantiser(self.activations[node.name], relu)
        users = self.net.users(node.name)
        if adds_up(own) or all(isinstance(user, Layer) for user in users):
            return own, own
        stream = activation_quantiser(EDGES, relu)
        return (own if any(isinstance(user, Layer) for user in users) else stream), stream

    @property
    def quantised(self):
        """Whether the network has integers to export."""
        closing = [part for part in (*self.stages, *self.joints.values()) if part.node.name in self.activations]
        return all(s.weights is not None for s in self.stages) and all(p.activation is not None for p in closing)

    def parts(self):
        """Yield the stages and joints, in the order of the topology."""
        stages = iter(self.stages)
        for node in self.net.nodes:
            yield next(stages) if isinstance(node, Layer) else self.joints[node.name]

    def forward(self, pixels):
        if self.quantised and not self.training:
            for _, logits in self.steps(pixels):
                pass
            return logits.flatten(1)
        x = pixels.float() * PIXEL_UNIT
        values = {INPUT: x if self.pixels is None else self.pixels(x)}
        for part in self.parts():
            reads = 0 if isinstance(part, Stage) else 1
            inputs = [values[name] for name in part.node.sources]
            values[part.node.name] = part(*(x[reads] if isinstance(x, tuple) else x for x in inputs))
        return values[self.net.output].flatten(1)

    def steps(self, pixels):
        """Yield (name, integers as float64) for every tensor that the exported network makes of uint8 `pixels`."""
        return run(export(self), pixels)
