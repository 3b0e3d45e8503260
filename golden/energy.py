"""Energy of a layer on a spatial array: accesses to each level of memory times what one costs, and multiplications.

With MACs the products of a layer for one image, W, I and O its weights, inputs and outputs, k and s its kernel and
stride, p filters and q channels that a processing element interleaves, accesses for one image are:

===========  ==================  ============================  =================================
level        weights             inputs                        sums
===========  ==================  ============================  =================================
``rf``       MACs                MACs                          2 MACs: read, and written
``noc``      MACs / out width    MACs / (p k/s), at least I    MACs / (k q)
``glb``      W                   noc / (k/s), at least I       2 (MACs / (k^2 q) - O) + O
``dram``     W / batch           I                             O
===========  ==================  ============================  =================================

as on a row-stationary array: a row of a filter stays in a register file, and slides along a row of inputs; inputs go to
the elements of a diagonal at once, sums run down a column, and what an array cannot sum or see at once comes again from
the global buffer, which holds a layer.

An access costs in proportion to its bits, a multiplication to the product of both widths. Products with a zero factor
are left out, in the multipliers and the register files; above those, zeros are not moved, if values that carry a number
of zeros each are fewer bits.
"""

from dataclasses import dataclass, fields

from golden.errors import InputError

__all__ = ["EnergySpec", "LEVELS", "layer_energy"]

LEVELS = ("mac", "rf", "noc", "glb", "dram")


@dataclass(frozen=True, kw_only=True)
class EnergySpec:
    """What an access costs, and what the array reuses.

    Parameters
    ----------
    mac, rf, noc, glb, dram : float
        Energy of a multiplication and of an access to register file, array, global buffer and DRAM, of `word` bits, in
        units of that multiplication.
    word : int
        Bits.
    batch : int
        Images for which weights are fetched once.
    filters, channels : int
        That an element interleaves: p and q.
    index_bits : int
        That a value carries where zeros are left out.

    Source: Chen, Emer and Sze, Eyeriss, ISCA 2016, section VI, for costs and reuse; Yang, Chen and Sze, Designing
    Energy-Efficient Convolutional Neural Networks using Energy-Aware Pruning, CVPR 2017, for zeros and widths.
    """

    mac: float = 1.0
    rf: float = 1.0
    noc: float = 2.0
    glb: float = 6.0
    dram: float = 200.0
    word: int = 16
    batch: int = 16
    filters: int = 16
    channels: int = 4
    index_bits: int = 4

    def __post_init__(self):
        for field in fields(self):
            least = 1 if field.type is int and field.name != "index_bits" else 0
            if not getattr(self, field.name) >= least:
                raise InputError(f"{field.name} must be at least {least}, not {getattr(self, field.name)}")

    def moved(self, share, bits):
        """Bits that a value takes on average if this share is not 0: those of all, or of these, numbered."""
        return min(float(bits), share * (bits + self.index_bits))


def layer_energy(spec, row, *, weight_bits=16, activation_bits=16, weights=1.0, inputs=1.0, outputs=1.0):
    """Energy of a layer for one image: {"weights", "inputs", "sums" or "products": {level: energy}}.

    Parameters
    ----------
    spec : EnergySpec
    row : golden.layer_tables.Row
    weight_bits, activation_bits : int
        Sums have as many bits as activations.
    weights, inputs, outputs : float
        Share of each that is not zero.

    Raises
    ------
    InputError
        If a share is not 0 to 1, or a width below 1.
    """
    for name, share in (("weights", weights), ("inputs", inputs), ("outputs", outputs)):
        if not 0 <= share <= 1:
            raise InputError(f"share of {name} that is not zero must be 0 to 1, not {share}")
    for name, bits in (("weight_bits", weight_bits), ("activation_bits", activation_bits)):
        if bits < 1:
            raise InputError(f"{name} must be at least 1, not {bits}")
    (height, width), n = row.out, row.n // row.groups
    results, slide = row.m * height * width, max(1.0, row.k / row.s)
    p, q = min(spec.filters, row.m // row.groups), min(spec.channels, n)
    done = weights * inputs  # of the products
    noc = max(row.inputs, row.macs / (p * slide))
    accesses = {  # level: of dense tensors
        "weights": {"noc": row.macs / width, "glb": row.weights, "dram": row.weights / spec.batch},
        "inputs": {"noc": noc, "glb": max(row.inputs, noc / slide), "dram": row.inputs},
        "sums": {
            "noc": row.macs / (row.k * q),
            "glb": 2 * max(0.0, row.macs / (row.k**2 * q) - results) + results,
            "dram": results,
        },
    }
    bits = {"weights": spec.moved(weights, weight_bits), "inputs": spec.moved(inputs, activation_bits)}
    widths = {"weights": weight_bits, "inputs": activation_bits, "sums": 2 * activation_bits}
    found = {"products": {"mac": spec.mac * row.macs * done * weight_bits * activation_bits / spec.word**2}}
    for what, levels in accesses.items():
        found[what] = {"rf": spec.rf * row.macs * done * widths[what] / spec.word}
        for level, count in levels.items():
            partial = activation_bits if level != "dram" else spec.moved(outputs, activation_bits)  # sums are dense
            found[what][level] = getattr(spec, level) * count * bits.get(what, partial) / spec.word
    return found
