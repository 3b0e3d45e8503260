"""Tensors on their way through DPRed containers: written, read back, compared, and counted."""

import numpy as np

from golden.dpred import DpredSpec, decode, encode
from golden.errors import InputError
from golden.formats import Integer
from tb.cases import Failure
from tb.memory import run

__all__ = ["Containers"]

WIDEST = 16  # bits of a value in memory


class Containers:
    """A memory that holds every tensor as a DPRed container, of 8-bit words where they suffice, else of 16-bit ones.

    Parameters
    ----------
    group : int
        Values that share a precision.
    zeros : bool
        Whether a bit a value says that it is zero.
    sim : str, optional
        A simulator: the Verilog of encoder and decoder does the same, and must agree to the bit.

    Attributes
    ----------
    plain, packed : int
        Bits of all that went through, in memory words without a container and in containers, header and trailer
        included.
    """

    def __init__(self, *, group=16, zeros=False, sim=None):
        self.group, self.zeros, self.sim = group, zeros, sim
        self.plain = self.packed = 0
        self.tables = {}

    def spec(self, fmt, what):
        """The `DpredSpec` of tensors of a format, and the bits of its numbers."""
        width = fmt.width if isinstance(fmt, Integer) else 1 + max(~fmt.lo, fmt.hi).bit_length()
        if width > WIDEST:
            raise InputError(f"values of {what} have {width} bits; a DPRed container takes up to {WIDEST}")
        return DpredSpec(word=8 if width <= 8 else WIDEST, signed=fmt.signed, group=self.group, zeros=self.zeros), width

    def profile(self, x, fmt, what):
        """Give the containers of the tensors called `what` the widths that are best for the tensors `x` [N, ...].

        The greatest is that of the format, so that every tensor of it fits. Without a profile each has its own best.
        """
        spec, width = self.spec(fmt, what)
        self.tables[what] = spec.table(*x, greatest=width)

    def __call__(self, x, fmt, what="tensor"):
        """`x`, integers of the format `fmt`, as they come out of their container.

        Raises
        ------
        InputError
            If the values need more than 16 bits.
        Failure
            If what comes out is not what went in, or the Verilog differs from golden.
        """
        spec, _ = self.spec(fmt, what)
        table = self.tables.get(what) or spec.table(x)
        words = encode(spec, x, table)
        read, y = decode(words)
        if read != spec or not np.array_equal(y, np.ravel(x)):
            raise Failure(f"{what} does not come out of its container as it went in")
        if self.sim is not None:
            self.simulate(spec, table, np.ravel(x), words, what)
        self.plain += spec.word * y.size
        self.packed += 64 * words.size
        return y.reshape(np.shape(x)).astype(np.asarray(x).dtype)

    def simulate(self, spec, table, x, words, what):
        """The same container by the Verilog of the encoder, and its values by that of the decoder."""
        settings = {key: int(getattr(spec, key)) for key in ("word", "signed", "group", "zeros")}
        operands = {"x": x.astype(np.int64), "n": np.array(x.size), "table": np.array(table.mask)}
        written, _ = run("dpred_encoder", settings, operands, self.sim)
        if not np.array_equal(written["c"].view(np.uint64), words) or written["e"].any():
            raise Failure(f"the encoder's container of {what} is not golden's")
        read, _ = run("dpred_decoder", settings, {"c": words}, self.sim)
        if not np.array_equal(read["x"], x) or read["e"].any():
            raise Failure(f"the decoder's values of {what} are not those of its container")
