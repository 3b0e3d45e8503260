"""The zero-skipping grid of DLAC: its size, what it stores, its tiles and masks."""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError

__all__ = ["SKIPS", "GridShape", "tiled", "masks"]

SKIPS = ("none", "activations", "weights", "both")
RANGES = {
    "rows": (1, 64),
    "cols": (1, 64),
    "pixels": (1, 8),
    "filters": (1, 8),
    "units": (1, 16),
    "depth": (1, 16),
    "adder_latency": (1, 5),
}


@dataclass(frozen=True, kw_only=True)
class GridShape:
    """Size of a grid of processing elements (PEs), each with a tile of sums in output buffers and a few units.

    A PE has a lane for each of its pixels: a queue of activations, each with the filters whose weights are to multiply
    it. Lanes, not k-steps, are what decouples PEs from each other here. A queue of whole k-steps keeps all activations of
    a step until the last of them is done, zeros among them, and works on one step at a time. A lane takes an activation
    only if there is a product for it, and the lanes of a PE move independently, so that products of several k-steps are
    issued together while each buffer, which belongs to one lane, still gets its own in order. At equal storage that is
    faster (`docs/dlac.md` has the figures).

    Parameters
    ----------
    rows, cols : int
        PEs along M and along N, 1 to 64 each.
    pixels, filters : int
        Sums of a PE along M and along N, 1 to 8 each: its output buffers.
    units : int
        Arithmetic units of a PE, 1 to 16 and at most the buffers.
    adders : int
        How many of the units only add; at least one multiplies too.
    depth : int
        Activations that a lane holds, 1 to 16; ``depth * filters`` is at most 64.
    adder_latency : int
        Cycles from the issue of a product to the sum that the next product of the buffer may read, 1 to 5.
    skip : str
        Operands whose zeros are skipped: none, activations, weights or both.
    ternary : bool
        Weights are -1, 0 and 1, so that any unit does a product; else only those that multiply do.

    Source: Venkatesh, Nurvitadhi and Marr, Accelerating Deep Convolutional Networks Using Low-Precision and Sparsity,
    section 3 and figure 2.
    """

    rows: int = 16
    cols: int = 16
    pixels: int = 4
    filters: int = 4
    units: int = 2
    adders: int = 0
    depth: int = 14
    adder_latency: int = 3
    skip: str = "both"
    ternary: bool = True

    def __post_init__(self):
        for what, (least, most) in RANGES.items():
            if not least <= getattr(self, what) <= most:
                raise InputError(f"{what} must be {least} to {most}, not {getattr(self, what)}")
        if self.units > self.buffers:
            raise InputError(f"units must be at most the {self.buffers} output buffers of a PE, not {self.units}")
        if not 0 <= self.adders < self.units:
            raise InputError(f"adders must be 0 to {self.units - 1} of the {self.units} units, not {self.adders}")
        if self.adders and not self.ternary and self.units > self.filters:
            raise InputError(
                f"units must be at most the {self.filters} filters of a PE if some only add and weights are floats, not "
                f"{self.units}"
            )
        if self.depth * self.filters > 64:
            raise InputError(f"depth must be at most {64 // self.filters} with {self.filters} filters, not {self.depth}")
        if self.skip not in SKIPS:
            raise InputError(f"skip must be {', '.join(SKIPS[:-1])} or {SKIPS[-1]}, not {self.skip!r}")

    @property
    def buffers(self):
        """Output buffers of a PE."""
        return self.pixels * self.filters

    @property
    def tile_rows(self):
        """Rows of the result in a tile, and activations in a beat."""
        return self.rows * self.pixels

    @property
    def tile_cols(self):
        """Columns of the result in a tile, and weights in a beat."""
        return self.cols * self.filters

    @property
    def multipliers(self):
        """Units of a PE that multiply."""
        return self.units - self.adders

    @property
    def issue(self):
        """Products that a PE issues in a cycle at most."""
        return self.units if self.ternary else self.multipliers

    @property
    def skips(self):
        """Whether zeros of activations, and of weights, are skipped."""
        return self.skip in ("activations", "both"), self.skip in ("weights", "both")

    @property
    def dense_step(self):
        """Cycles of a k-step without skipping."""
        return self.buffers / self.issue

    def tiles(self, m, n):
        """Tiles of an [m, n] result: (along M, along N). The last of each may be partial."""
        return -(-m // self.tile_rows), -(-n // self.tile_cols)

    def storage_bits(self, width):
        """Bits that a PE keeps for numbers of `width` bits: (in its lanes, in its output buffers).

        An entry of a lane is an activation and the weights: signs and which are 0 if ternary, else numbers and, if zeros
        are skipped, which have products. Beside them a lane remembers which products of its first entry are issued.
        """
        weight = 2 if self.ternary else width + self.skips[1]
        return self.pixels * (self.depth * (width + self.filters * weight) + self.filters), self.buffers * width


def tiled(shape, a, w):
    """Operands of the tiles: of every row of tiles [down, K, tile_rows], of every column [across, K, tile_cols].

    Parameters
    ----------
    a, w : array [M, K] and [K, N]
        Partial tiles are filled with zeros.
    """
    (m, k), n = a.shape, w.shape[1]
    down, across = shape.tiles(m, n)
    a = np.pad(a, ((0, down * shape.tile_rows - m), (0, 0)))
    w = np.pad(w, ((0, 0), (0, across * shape.tile_cols - n)))
    a = a.reshape(down, shape.tile_rows, k).swapaxes(1, 2)
    return a, w.reshape(k, across, shape.tile_cols).swapaxes(0, 1)


def masks(shape, a, w):
    """Which operands of `tiled` numbers get products: their nonzeros, or all where zeros are not skipped."""
    return tuple((x != 0) | (not skips) for x, skips in zip(tiled(shape, a, w), shape.skips))
