"""From ranges to formats: the rules for integer lengths and exponents, and the schemes that are made of them.

A scheme is a space to search (`quant.search`): it says which numbers share a width, and which formats they may have at
a width.

Source: Gysel, Ristretto, sections 4 to 7; what the text leaves open is settled as its code does, or as said here.
"""

import math
from abc import ABC, abstractmethod

from golden.errors import InputError
from golden.formats import Integer, PowerOfTwo, fixed, parse
from quant.assignment import Assignment, formats
from quant.ranges import rectified
from quant.space import NARROWEST

__all__ = [
    "BIASES",
    "SCHEMES",
    "Dynamic",
    "DynamicByLayer",
    "Fixed",
    "Mini",
    "Power",
    "Scheme",
    "dynamic",
    "exponent_bits",
    "length_of_outputs",
    "length_of_weights",
    "wide_bias",
]

BIASES = ("weights", "wide")
BIAS_WIDTH = 16
BIAS_SHIFT = 15  # at most so many bits finer than the products: what engines shift a sum up by, at run time
SEARCHED_BELOW = 5  # bits
LEAST_UNIT = -126  # log2: of the least normal float32, so that all that is finer counts as 0
FINER = 3  # fraction lengths that are tried there: the rule's, and up to so many less one above it
LEAST_EXPONENT_BITS, MOST_EXPONENT_BITS = 4, 5


def ceil_log2(x):
    """``ceil(log2 x)`` of a positive x, exact."""
    fraction, exponent = math.frexp(x)  # x = fraction * 2**exponent, 0.5 <= fraction < 1
    return exponent - (fraction == 0.5)


def length_of_weights(greatest):
    """Integer length, sign included, of weights up to `greatest` in magnitude: ``ceil(log2 greatest + 1)``.

    Nothing saturates, but for a power of two itself, by one unit. 1 if all weights are 0.

    Source: Gysel, Ristretto, equation 5.2, whose "+ 1" stands outside the logarithm, as in its code.
    """
    return ceil_log2(greatest) + 1 if greatest > 0 else 1


def length_of_outputs(greatest):
    """Integer length, sign included, of layer outputs: one less than that of weights, ``ceil(log2 greatest)``.

    Values in the upper half of the range saturate. 1 if all outputs are 0.

    Source: Gysel, Ristretto, section 5.2.1.
    """
    return ceil_log2(greatest) if greatest > 0 else 1


def dynamic(bits, greatest, *, outputs=False, signed=True):
    """Formats of dynamic fixed point for numbers up to `greatest`, the rule's own first: ``FL = bits - IL``.

    IL is `length_of_weights`, or of layer outputs `length_of_outputs`. Without a sign IL and with it the unit stay: the
    sign's bit doubles the range.

    With 4 bits and less the rule's unit is often too coarse (with 2 bits, half the codes of weights are idle): that unit,
    half of it and a quarter are there to choose from.

    No unit is below ``2**LEAST_UNIT``.
    """
    length = length_of_outputs(greatest) if outputs else length_of_weights(greatest)
    tried = FINER if bits < SEARCHED_BELOW else 1
    coarsest = max(length - bits, LEAST_UNIT + tried - 1)
    return [Integer(bits, signed, coarsest - finer) for finer in range(tried)]


def exponent_bits(greatest):
    """Exponent bits of minifloats up to `greatest`: ``ceil(log2(log2 greatest - 1) + 1)``, at least 4.

    That is the least E with ``greatest <= 2**(2**(E - 1) + 1)``. At or below 2, where the formula has no value, 4.

    Source: Gysel, Ristretto, equation 6.2; the least of 4 is its code's.
    """
    bits = LEAST_EXPONENT_BITS
    while greatest > 0 and ceil_log2(greatest) > 2 ** (bits - 1) + 1:
        bits += 1
    return bits


def wide_bias(greatest, products=None):
    """A 16-bit integer in the finest unit that holds biases up to `greatest`.

    A bias is added once to a sum of hundreds of products and is none of the network's traffic, so that narrowing it
    saves nothing and costs accuracy. Its unit is at most 2**-15 of a product's unit, ``2**products``: finer would be
    rounded off with the sum.
    """
    exponent = max(length_of_weights(greatest) - BIAS_WIDTH, LEAST_UNIT)
    if products is not None:
        exponent = max(exponent, products - BIAS_SHIFT)
    return Integer(BIAS_WIDTH, True, exponent)


class Scheme(ABC):
    """A space of formats for the numbers of a network.

    Parameters
    ----------
    graph : Graph
        Without batch normalisation; of raw pixels, the unit is a power of two.
    ranges : Ranges
    biases : str, optional
        A row of `BIASES`: the format of the layer's weights, as Ristretto does, or `wide_bias`. By default what suits
        the scheme.
    unsigned : bool
        Whether outputs that only a ReLU uses are unsigned: the sign's bit then doubles their range and the unit stays.
        Ristretto's are signed.
    rounded : bool
        Whether sums are made in FP32: results then are minifloats with a mantissa.

    Attributes
    ----------
    groups : dict
        Name → parts that have one width at first.
    separate : bool
        Whether parts may differ in format.
    narrowest, narrowest_rounded : int
        Bits of the narrowest formats; of those with `rounded`, None if there are none.
    given : dict
        Group → width that the scheme sets.
    narrow : bool
        Whether each part gets a width of its own in the end.
    """

    separate = True
    narrowest = NARROWEST
    narrowest_rounded = None
    narrow = False
    widths = {}
    usual_biases = "wide"

    def __init__(self, graph, ranges, *, biases=None, unsigned=False, rounded=False):
        if biases is not None and biases not in BIASES:
            raise InputError(f"biases must be one of {', '.join(BIASES)}, not {biases!r}")
        self.graph, self.ranges, self.rounded = graph, ranges, rounded
        self.narrowest = self.narrowest_rounded if rounded else self.narrowest
        self.biases = self.usual_biases if biases is None else biases
        self.above_zero = rectified(graph) if unsigned else set()
        self.groups = self.grouped(tuple(ranges.greatest))
        self.given = {group: bits for group, bits in self.widths.items() if group in self.groups}

    def grouped(self, parts):
        """Convolution weights, dense weights and outputs, as far as there are any."""
        groups = {}
        for part in parts:
            groups[part.kind] = (*groups.get(part.kind, ()), part)
        return groups

    @abstractmethod
    def proposals(self, parts, bits):
        """The formats to try for `parts` at a width, a list of {part: format}; the first is the rule's own."""

    def assignment(self, chosen):
        """The `Assignment` of {part: format}; a layer whose weights have a format has one for its bias."""
        weights, outputs = {}, {}
        for part, found in chosen.items():
            (outputs if part.kind == "outputs" else weights).update(dict.fromkeys(part.names, found))
        biases = {name: weights[name] for name in self.ranges.biases if name in weights}
        if self.biases == "wide":
            inputs = formats(self.graph, Assignment(outputs=outputs))
            for op in self.graph.ops:
                if op.name in biases:
                    a, w = inputs[op.inputs[0]], weights[op.name]
                    products = None if a is None else a.exponent + w.exponent
                    biases[op.name] = wide_bias(self.ranges.biases[op.name], products)
        return Assignment(outputs=outputs, weights=weights, biases=biases)


class Dynamic(Scheme):
    """Dynamic fixed point, one unit a part; what `dynamic` leaves to choose is tried.

    An input of reals has the length of weights: unlike outputs, of which few are great, it may fill its range.

    Source: Gysel, Ristretto, section 5; the trial is beyond it.
    """

    def formats(self, part, bits):
        """Those to try for `part`, the rule's own first."""
        outputs = part.kind == "outputs" and self.graph.input not in part.names
        signed = not (outputs and self.above_zero.issuperset(part.names))
        return dynamic(bits, self.ranges.greatest[part], outputs=outputs, signed=signed)

    def proposals(self, parts, bits):
        return [dict(zip(parts, tried, strict=True)) for tried in zip(*(self.formats(part, bits) for part in parts))]


class DynamicByLayer(Dynamic):
    """Dynamic fixed point with a width for each layer's weights and each layer's outputs, for bit-serial engines."""

    narrow = True


class Fixed(Scheme):
    """Fixed point [IL.FL]: one format for all weights, biases and outputs; all splits of the bits are tried.

    From as many integer bits as nothing saturates with, or all bits, down to the sign alone. With more, all numbers
    would only be coarser.

    Source: Gysel, Ristretto, section 4.
    """

    separate = False
    usual_biases = "weights"

    def grouped(self, parts):
        return {"all": parts}

    def proposals(self, parts, bits):
        enough = length_of_weights(max(self.ranges.greatest.values()))
        lengths = range(max(1, min(bits, enough)), 0, -1)
        return [dict.fromkeys(parts, fixed(il, bits - il)) for il in lengths]


class Mini(Scheme):
    """Minifloat: one format for all weights, biases and outputs, with `exponent_bits` for the greatest output.

    Where the width has no room for a sign and that many exponent bits, all bits but the sign are exponent: large and
    small numbers are then lost, and accuracy falls sharply.

    Source: Gysel, Ristretto, sections 6 and 8.3.
    """

    separate = False
    narrowest = 2  # a sign and an exponent
    narrowest_rounded = 2 + LEAST_EXPONENT_BITS  # and a bit of mantissa
    usual_biases = "weights"

    def grouped(self, parts):
        return {"all": parts}

    def proposals(self, parts, bits):
        greatest = max(self.ranges.greatest[part] for part in parts if part.kind == "outputs")
        exponent = min(exponent_bits(greatest), bits - 1 - self.rounded)
        if exponent > MOST_EXPONENT_BITS:
            raise InputError(
                f"outputs of up to {greatest:.3g} need {exponent} exponent bits; minifloats have {MOST_EXPONENT_BITS}"
            )
        return [dict.fromkeys(parts, parse(f"mini_e{exponent}m{bits - 1 - exponent}"))]


class Power(Dynamic):
    """Power-of-two weights, of 4 bits for 2**-8 to 2**-1, and 8-bit dynamic fixed point outputs.

    Layers with groups, dilation or padding on one side, where filters need zeros, take the variant that has one.

    Source: Gysel, Ristretto, section 7, whose outputs are float.
    """

    narrowest = 2  # a sign and an exponent
    widths = {"conv": 4, "dense": 4, "outputs": 8}

    def formats(self, part, bits):
        if part.kind == "outputs":
            return super().formats(part, bits)
        zero = any(op.present is not None for op in self.graph.ops if op.name in part.names)
        return [PowerOfTwo(bits, zero)]


SCHEMES = {"fixed": Fixed, "dfp": Dynamic, "dfp-per-layer": DynamicByLayer, "minifloat": Mini, "pow2": Power}
