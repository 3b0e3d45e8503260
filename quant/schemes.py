"""The names of quantisers, one row each, and how a text names one for every layer of a network."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from golden.errors import InputError
from golden.formats import Integer, Minifloat, PowerOfTwo, UnitFormat, parse
from golden.topology import INPUT
from quant.quantisers import Dynamic, InFormat, Nearest, Wrpn
from quant.quantisers_activations import Clipped, DynamicRange, LogRange, Observed, Sign, Static
from quant.quantisers_binary import BinaryConnect, BinaryWeight
from quant.quantisers_nonlinear import Logarithmic, Shared
from quant.quantisers_ternary import Ttq, Twn

__all__ = [
    "ACTIVATIONS",
    "EDGES",
    "WEIGHTS",
    "activation_quantiser",
    "activation_schemes",
    "coarse",
    "listed",
    "schemes",
    "weight_quantiser",
]

FLOAT = "float"
EDGES = "int8"  # of the first and the last layer, which papers leave in floating point
CALIBRATED = 8  # bits


@dataclass(frozen=True)
class Scheme:
    """A row: how a quantiser is made.

    Parameters
    ----------
    make : callable
        Of weights (layer[, width]), of activations (relu[, width]) → quantiser.
    widths : range, optional
        Bits that may stand behind the name; none do, without it.
    """

    make: Callable
    widths: range | None = None


def integers(width, relu):
    """Integers of activations: without a sign behind a ReLU."""
    if width == 1 and not relu:
        raise InputError("activations of a bit must be behind a ReLU; with a sign they need 2 or more")
    return Integer(width, signed=not relu)


WEIGHTS = {
    "ternary": Scheme(Twn),
    "ttq": Scheme(Ttq),
    "binaryconnect": Scheme(BinaryConnect),
    "binaryconnect_stochastic": Scheme(lambda layer: BinaryConnect(layer, stochastic=True)),
    "bnn": Scheme(lambda layer: BinaryConnect(layer, reach=1.0)),
    "bwn": Scheme(BinaryWeight),
    "bwn_layer": Scheme(lambda layer: BinaryWeight(layer, filters=False)),
    "wrpn": Scheme(Wrpn, range(1, 17)),
    "log": Scheme(Logarithmic, range(2, 7)),
    "shared": Scheme(Shared, range(1, 9)),
    "int": Scheme(Nearest, range(2, 17)),
    "dfp": Scheme(Dynamic, range(2, 17)),
}

ACTIVATIONS = {
    "binary": Scheme(lambda relu: Sign()),
    "binary_scaled": Scheme(lambda relu: Sign(scaled=True)),
    "wrpn": Scheme(lambda relu, width: Clipped(integers(width, relu)), range(1, 17)),
    "log": Scheme(lambda relu, width: LogRange(PowerOfTwo(width, zero=True, signed=not relu)), range(2, 6)),
    "int": Scheme(lambda relu, width: Observed(integers(width, relu)), range(1, 17)),
    "dfp": Scheme(lambda relu, width: DynamicRange(integers(width, relu)), range(2, 17)),
}


def listed(table):
    """The names of a table, for messages: of those with a width, the least and the greatest."""
    names = []
    for name, row in table.items():
        names.append(name if row.widths is None else f"{name}{row.widths[0]} to {name}{row.widths[-1]}")
    return f"{FLOAT}, {', '.join(names)}, or a number format such as int8e-6, mini_e4m3 or pow2_4"


def find(table, what, scheme):
    """(make, widths in a tuple) of a row, or (None, format) if `scheme` is the name of a format.

    Raises
    ------
    InputError
        If there is no such row, nor such a width of it.
    """
    if (row := table.get(scheme)) is not None and row.widths is None:
        return row.make, ()
    name, digits = re.fullmatch(r"(.*?)(\d*)", scheme).groups()
    if (row := table.get(name)) is not None and row.widths is not None and digits and int(digits) in row.widths:
        return row.make, (int(digits),)
    try:
        format = parse(scheme)
    except InputError:
        format = None
    if not isinstance(format, UnitFormat):
        raise InputError(f"no {what} scheme is called {scheme!r}; allowed: {listed(table)}")
    return None, format


def weight_quantiser(scheme, layer):
    """The weight quantiser that `scheme` names for a layer; None of "float".

    Raises
    ------
    InputError
        If there is none.
    """
    if scheme == FLOAT:
        return None
    make, rest = find(WEIGHTS, "weight", scheme)
    return InFormat(layer, rest) if make is None else make(layer, *rest)


def activation_quantiser(scheme, relu):
    """The activation quantiser that `scheme` names, behind a ReLU or not; None of "float".

    Raises
    ------
    InputError
        If there is none.
    """
    if scheme == FLOAT:
        return None
    make, rest = find(ACTIVATIONS, "activation", scheme)
    return Static(rest, relu) if make is None else make(relu, *rest)


def coarse(scheme):
    """Whether a network has to be trained with a scheme: not floats, nor evenly spaced numbers of 8 bits or more."""
    name, digits = re.fullmatch(r"(.*?)(\d*)", scheme).groups()
    return scheme != FLOAT and not (name in ("int", "dfp") and int(digits) >= CALIBRATED)


def spelled(text, names, edges, check):
    """Name → scheme, as `text` spells it: see `schemes`."""
    chosen, general, edge = {}, None, EDGES
    for part in text.split(","):
        name, named, scheme = part.rpartition("=")
        check(scheme)
        if name == "edges":
            edge = scheme
        elif not named:
            if general is not None:
                raise InputError(f"{general} and {scheme} are both for every layer, in {text!r}; allowed: one of them")
            general, chosen = scheme, {}
        elif name in names:
            chosen[name] = scheme
        else:
            raise InputError(f"no layer is called {name!r}; allowed: edges, {', '.join(names)}")
    if general is not None:
        edge = edge if general != FLOAT else FLOAT
        chosen = {name: edge if name in edges else general for name in names} | chosen
    if missing := [name for name in names if name not in chosen]:
        raise InputError(f"no scheme for {', '.join(missing)} in {text!r}")
    return {name: chosen[name] for name in names}


def schemes(text, net):
    """The weight scheme of each layer of a topology, that `text` spells; () if all are float.

    ``ternary`` is every layer but the first and the last, which have 8 bits; ``ternary,edges=ternary`` is every layer,
    ``ternary,conv1=int4`` sets one, ``conv1=int8,ip1=ternary,...`` names each.

    Raises
    ------
    InputError
        If a scheme or layer does not exist, or a layer has none.
    """
    rows = {row.name: row for row in net.rows}
    edges = {net.rows[0].name, net.rows[-1].name}
    found = spelled(text, list(rows), edges, lambda scheme: weight_quantiser(scheme, net.rows[0]))
    return () if set(found.values()) == {FLOAT} else tuple(found.values())


def activated(net):
    """The nodes whose results are rounded to activations."""
    return [node for node in net.nodes if not node.linear and node.kind not in ("max_pool", "shortcut")]


def activation_schemes(text, net):
    """Node, or "input" → activation scheme, as `text` spells it.

    As of `schemes`; the edge, with 8 bits, is what the last layer reads and what lies behind it. ``input=wrpn2`` is for
    the pixels, which otherwise stay as they are.

    Raises
    ------
    InputError
        If a scheme or node does not exist, or a node has none.
    """
    last = net.rows[-1]
    behind = {last.name}
    for node in net.nodes:
        if behind & set(node.sources):
            behind.add(node.name)
    names = [node.name for node in activated(net)]
    edges = {name for name in names if name in behind or all(user is last for user in net.users(name))}
    parts = text.split(",")
    pixels = [part.partition("=")[2] for part in parts if part.startswith(f"{INPUT}=")]
    rest = [part for part in parts if not part.startswith(f"{INPUT}=")]

    def check(scheme):
        activation_quantiser(scheme, True)

    for scheme in pixels:
        check(scheme)
    return {INPUT: pixels[-1] if pixels else FLOAT} | spelled(",".join(rest), names, edges, check)
