"""A trained network as golden's: integers, units and a graph."""

import numpy as np

from golden.builder import Builder
from golden.errors import InputError
from golden.formats import Binary, Integer, PowerOfTwo, fitting
from golden.gemm import Exact, GemmSpec
from golden.requant import RequantSpec, fold_sign
from golden.topology import INPUT, Layer
from quant.affine import SUM, Value, emit, folded, operand, requantises

__all__ = ["PIXEL", "PIXEL_UNIT", "export"]

PIXEL = Integer(8, signed=False)
PIXEL_UNIT = 1 / 255

ACCUMULATOR = 32  # bits, where they suffice
FACTOR = 16  # bits of the signed multipliers of a requantisation, where sums leave room
ADDEND = 48
WIDEST = 32  # of those of an add
POWERS = 54  # bits of sums that golden rounds once to powers of two
LONGEST = 52  # bits of sums of products, which torch adds in float64
LEAST = 8  # bits of multipliers
TWO_SUMS = "ttq_gemm"  # the RTL target of positive and negative weights that share integers or signs


def export(model, info=None):
    """The `golden.network.Network` that computes what `model` computes in evaluation mode.

    A layer ``conv1`` makes the tensors ``conv1``, its sums, ``conv1_requant`` and ``conv1_pool``; with two scales its
    sums are ``conv1_positive`` and ``conv1_negative``. Where signs are pooled, ``conv1_pool`` stands before
    ``conv1_requant``. A joint makes a tensor of its name; an average also its sums, ``average_sum``; and what joints
    read beside what layers read is called ``_stream``. The sums of the last layer are the logits.

    Parameters
    ----------
    info : dict
        JSON values for the reader of the artefact.

    Raises
    ------
    InputError
        If something of the model is left in floating point, or an affine map or sums do not fit golden's integers.
    """
    if not model.quantised:
        raise InputError("a float network has no integers to export; choose schemes of weights and activations")
    return Exporter(model).network(info)


class Exporter:
    """Writes down golden's nodes, one part of the model after the other."""

    def __init__(self, model):
        self.model, self.net = model, model.net
        self.builder = Builder(PIXEL, self.net.shapes[INPUT], unit=PIXEL_UNIT)
        self.reached = {}  # tensor of sums → the greatest magnitude they can have, with the weights as they are
        pixels = (INPUT, PIXEL_UNIT)
        if model.pixels is not None:
            pixels = self.close("input_requant", self.integers(*pixels), model.pixels)
        self.made = {INPUT: (pixels, pixels)}  # node → what layers and what joints read: (tensor, unit), or a `Value`

    def network(self, info):
        """golden's network."""
        for part in self.model.parts():
            if isinstance(part.node, Layer):
                self.layer(part)
            else:
                JOINTS[part.node.kind](self, part, *(self.made[name][1] for name in part.node.sources))
        return self.builder.build(output=self.logits(self.made[self.net.output][0]), info=info)

    def reach(self, tensor):
        """The greatest magnitude of a tensor's integers."""
        fmt = self.builder.tensors[tensor].format
        return self.reached.get(tensor, max(-fmt.lo, fmt.hi))

    def integers(self, tensor, unit):
        """The `Value` of a tensor's integers, each worth `unit`."""
        return Value.of(tensor, unit, self.builder.tensors[tensor].shape[0])

    def value(self, made):
        """The `Value` of what was made."""
        return made if isinstance(made, Value) else self.integers(*made)

    def layer(self, part):
        """Sums, affine map, rounding and pooling."""
        node, (tensor, unit) = part.node, self.made[part.node.sources[0]][0]
        if node.kind == "dense" and len(self.builder.tensors[tensor].shape) == 3:
            flat = f"{tensor}_flat"
            tensor = flat if flat in self.builder.tensors else self.builder.add(flat, "flatten", tensor)
        value = self.sums(part, tensor, unit)
        if part.pools_sums:
            if len(value.terms) > 1:
                value = self.whole(f"{node.name}_whole", value)
            [(sums, scale)] = value.terms
            value = Value(((self.pool(f"{node.name}_pool", sums, node.pool), scale),), value.offset)
        value = value.affine(*part.affine())
        if node.linear:
            self.made[node.name] = (value, value)
        else:
            self.closed(part, f"{node.name}_requant", value, pooled=part.pools_sums)

    def sums(self, part, tensor, unit):
        """The `Value` of a layer's sums of products."""
        node, found, terms = part.node, [], part.weights.terms(part.weight)
        if node.groups > 1:
            raise InputError(f"layer {node.name} has {node.groups} groups; golden's convolutions have 1")
        a = self.builder.tensors[tensor].format
        wanted = TWO_SUMS if len(terms) > 1 and isinstance(a, Integer | Binary) else None
        for i, (fmt, weights, scale) in enumerate(terms):
            weights = weights.numpy()
            spec = GemmSpec(a=a, w=fmt, k=weights[0].size, accumulate=Exact(64))
            attributes = {"accumulate": max(ACCUMULATOR, fitting(spec.lo, spec.hi).width)}
            if node.kind == "conv":
                attributes |= {"stride": node.s, "padding": node.pad}
            worth = scale.numpy() * unit
            uniform = float(worth[0]) if (worth == worth[0]).all() and worth[0] > 0 else None
            name = node.name if len(terms) == 1 else f"{node.name}_{('positive', 'negative')[i]}"
            told = {"unit": uniform, "target": wanted, "attributes": attributes}
            self.builder.add(name, node.kind, tensor, parameters={"weight": (fmt, weights)}, **told)
            self.reached[name] = int(np.abs(weights).reshape(node.m, -1).sum(1).max()) * self.reach(tensor)
            found.append((name, worth))
        return Value(tuple(found), np.zeros(node.m))

    def pool(self, name, tensor, window):
        """Add max pooling; the name of its tensor."""
        settings = {"kernel": list(window.kernel), "stride": list(window.stride), "padding": list(window.padding)}
        return self.builder.add(name, "max_pool", tensor, attributes=settings | {"ceil_mode": window.ceil_mode})

    def closed(self, part, name, value, pooled=False):
        """Round a value to what layers and what joints read of a part, and pool it."""
        node, found = part.node, []
        for quantiser, suffix in ((part.activation, ""), (part.stream, "_stream")):
            if quantiser is not None:
                tensor, unit = self.close(f"{name}{suffix}", value, quantiser, node.relu)
                if node.pool is not None and not pooled:
                    tensor = self.pool(f"{node.name}_pool{suffix}", tensor, node.pool)
                found.append((tensor, unit))
        self.made[node.name] = (found[0], found[-1])

    def close(self, name, value, quantiser, relu=False):
        """Round a value as `quantiser` does; (tensor, unit)."""
        fmt, unit = quantiser.format, float(quantiser.unit)
        rectified = relu and fmt.lo < 0 and not isinstance(fmt, Binary)
        tensor = self.emit(f"{name}_signed" if rectified else name, value.affine(1 / unit, 0.0), fmt, unit)
        return (self.builder.add(name, "relu", tensor) if rectified else tensor), unit

    def emit(self, name, value, fmt, unit):
        """Add the node that rounds a value in units of the result to `fmt`: a requant of one tensor, an add of two.

        A long sum and a short code have multipliers of different lengths, so that those of an add may be longer.
        """
        longest, total = operand(self.builder, value), POWERS if isinstance(fmt, PowerOfTwo) else SUM
        if longest > (most := min(LONGEST, total - 2 - LEAST)):
            raise InputError(f"sums of {name} need {longest} bits; allowed: up to {most}")
        single = requantises(self.builder, value)
        m_width = min(FACTOR, total - 1 - longest) if single else None
        if single and isinstance(fmt, Binary):
            [(tensor, scale)] = value.terms
            spec = RequantSpec(x=self.builder.tensors[tensor].format, y=fmt, m_width=m_width, b_width=ADDEND)
            *factors, b, s = fold_sign(spec, scale, value.offset)
        else:
            factors, b, s = folded(self.builder, value, 1.0, m_width or WIDEST, ADDEND, total)
            s = np.zeros_like(s) if isinstance(fmt, Binary) else s  # signs are those of any multiple
        unit = unit if unit is not None and 0 < unit < np.inf else None
        return emit(self.builder, name, value, factors, b, s, fmt, unit, m_width, ADDEND)

    def whole(self, name, value, common=False):
        """A value of two terms as one: exact sums, once multipliers are whole numbers.

        Parameters
        ----------
        common : bool
            Whether the integers of all channels are worth the same, and include the offset.
        """
        greatest = np.max([np.abs(scale) for _, scale in value.terms], axis=0)
        if common:
            greatest = np.full_like(greatest, greatest.max())
        unit = np.where(greatest > 0, greatest, 1.0) / (1 << FACTOR - 2)
        terms = tuple((tensor, np.rint(scale / unit)) for tensor, scale in value.terms)
        offset = np.rint(value.offset / unit) if common else np.zeros_like(unit)
        reach = int(np.abs(offset).max()) + sum(int(np.abs(m).max()) * self.reach(tensor) for tensor, m in terms)
        fmt = fitting(-reach, reach)
        if fmt.width > LONGEST:
            raise InputError(f"sums of {name} need {fmt.width} bits; allowed: up to {LONGEST}")
        self.emit(name, Value(terms, offset), fmt, float(unit[0]) if common else None)
        return Value(((name, unit),), np.zeros_like(unit) if common else value.offset)

    def join(self, part, a, b):
        """The sum of two tensors, rounded once."""
        parts = [self.value(made) for made in (a, b)]
        for i, source in enumerate(part.node.sources):
            if sum(len(value.terms) for value in parts) > 2 and len(parts[i].terms) > 1:
                parts[i] = self.whole(f"{source}_whole", parts[i])  # golden's add takes two tensors
        a, b = parts
        value = Value(a.terms + b.terms, a.offset + b.offset)
        if part.node.linear:
            self.made[part.node.name] = (value, value)
        else:
            self.closed(part, part.node.name, value)

    def concat(self, part, *sources):
        """Each source rounded to the format and unit of all, then one behind the other."""
        node, found = part.node, []
        for quantiser, suffix in ((part.activation, ""), (part.stream, "_stream")):
            if quantiser is not None:
                tensors = []
                for source, made in zip(node.sources, sources, strict=True):
                    name = f"{source}_requant{suffix}" if isinstance(made, Value) else f"{node.name}_{source}{suffix}"
                    tensors.append(self.close(name, self.value(made), quantiser, node.relu)[0])
                tensor = self.builder.add(f"{node.name}{suffix}", "concat", *tensors)
                if node.pool is not None:
                    tensor = self.pool(f"{node.name}_pool{suffix}", tensor, node.pool)
                found.append((tensor, float(quantiser.unit)))
        self.made[node.name] = (found[0], found[-1])

    def average_pool(self, part, made):
        """Sums over windows, then averages."""
        (tensor, unit), window = made, part.node.window
        settings = {"kernel": list(window.kernel), "stride": list(window.stride), "padding": list(window.padding)}
        settings |= {"ceil_mode": window.ceil_mode}
        tensor = self.builder.add(f"{part.node.name}_sum", "average_pool", tensor, attributes=settings)
        value = self.integers(tensor, unit / int(np.prod(window.kernel)))
        if part.node.linear:
            self.made[part.node.name] = (value, value)
        else:
            self.closed(part, part.node.name, value)

    def max_pool(self, part, made):
        """Pooling of activations as they are."""
        tensor, unit = made
        found = self.pool(part.node.name, tensor, part.node.window), unit
        self.made[part.node.name] = (found, found)

    def shortcut(self, part, made):
        """Some of the pixels, and channels of zeros."""
        tensor, unit = made
        settings = {"stride": list(part.node.window.stride), "channels": part.node.channels}
        found = self.builder.add(part.node.name, "shortcut", tensor, attributes=settings), unit
        self.made[part.node.name] = (found, found)

    def logits(self, made):
        """The tensor of the logits: integers of one worth, in a row."""
        if isinstance(made, Value):
            made = made if made.unit is not None else self.whole("logits", made, common=True)
            made = made.terms[0]
        tensor = made[0]
        if len(self.builder.tensors[tensor].shape) == 3:
            tensor = self.builder.add("logits_flat", "flatten", tensor)
        return tensor


JOINTS = {
    "add": Exporter.join,
    "concat": Exporter.concat,
    "average_pool": Exporter.average_pool,
    "max_pool": Exporter.max_pool,
    "shortcut": Exporter.shortcut,
}
