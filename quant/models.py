"""The networks, as tables of layers, and the model that trains them."""

from dataclasses import replace

import torch

from golden.errors import InputError
from golden.formats import Integer
from quant.layers import Layer, Stage
from quant.quantisers import weight_quantiser

__all__ = ["NETWORKS", "PIXEL", "PIXEL_UNIT", "Classifier", "network_layers", "schemes"]

PIXEL = Integer(8, signed=False)
PIXEL_UNIT = 1 / 255

LENET = (
    Layer(name="conv1", kind="conv", n=1, m=20, k=5, h=28, pool=2),
    Layer(name="conv2", kind="conv", n=20, m=50, k=5, h=12, pool=2),
    Layer(name="ip1", kind="fc", n=800, m=500),
    Layer(name="ip2", kind="fc", n=500, m=10, last=True),
)

NETWORKS = {
    "lenet": LENET,
    # Caffe's, after LeCun et al.: biases instead of batch normalisation, and a ReLU behind ip1 alone. Caffe's bias of
    # ip2 is left out, so that the sums are the logits.
    "lenet_caffe": tuple(replace(layer, norm=False, relu=layer.name == "ip1") for layer in LENET),
}


def network_layers(name):
    """The layers of the network called `name`.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in NETWORKS:
        raise InputError(f"no network is called {name!r}; allowed: {', '.join(NETWORKS)}")
    return NETWORKS[name]


def schemes(text, layers):
    """The weight scheme of each of `layers` that `text` spells; () for float.

    ``ternary`` is every layer, ``ternary,conv1=int8`` every layer but one, ``conv1=int8,ip2=int8,...`` names each.

    Raises
    ------
    InputError
        If a scheme or layer does not exist, or a layer has none.
    """
    if text == "float":
        return ()
    chosen = dict.fromkeys(layer.name for layer in layers)
    for part in text.split(","):
        name, _, scheme = part.rpartition("=")
        weight_quantiser(scheme)
        if name and name not in chosen:
            raise InputError(f"no layer is called {name!r}; allowed: {', '.join(chosen)}")
        chosen |= {name: scheme} if name else dict.fromkeys(chosen, scheme)
    if missing := [name for name, scheme in chosen.items() if scheme is None]:
        raise InputError(f"no weight scheme for {', '.join(missing)} in {text!r}")
    return tuple(chosen.values())


class Classifier(torch.nn.Module):
    """A chain of stages from raw pixels to logits.

    In training, and in evaluation of a float network, `forward` computes reals. In evaluation of a quantised network it
    computes the exported integers, exactly, in float64: its logits are those of golden and of the hardware.

    Parameters
    ----------
    layers : sequence of Layer
    schemes : sequence of str
        Weight scheme of each layer; empty for a float network.
    """

    def __init__(self, layers, schemes=()):
        super().__init__()
        if schemes and len(schemes) != len(layers):
            raise InputError(f"{len(layers)} layers need as many weight schemes, not {len(schemes)}")
        quantisers = [weight_quantiser(scheme) for scheme in schemes] or [None] * len(layers)
        self.schemes = tuple(schemes)
        self.stages = torch.nn.ModuleList(Stage(layer, q) for layer, q in zip(layers, quantisers, strict=True))

    @property
    def quantised(self):
        """Whether the network has integers to export."""
        return bool(self.schemes)

    def forward(self, pixels):
        if self.quantised and not self.training:
            for _, logits in self.steps(pixels):
                pass
            return logits
        x = pixels.float() * PIXEL_UNIT
        for stage in self.stages:
            x = stage(x)
        return x

    def units(self):
        """Yield (stage, unit of its input)."""
        unit = PIXEL_UNIT
        for stage in self.stages:
            yield stage, unit
            unit = stage.unit

    def steps(self, pixels):
        """Yield (name, integers as float64) for every tensor that the exported network makes of uint8 `pixels`."""
        x = pixels.double()
        for stage, unit in self.units():
            for name, x in stage.steps(x, unit):
                yield name, x
