"""Which products a processing element of DLAC issues in a cycle."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.fetch import picked

__all__ = ["Issue", "fullest"]


def fullest(m, counts):
    """Which of the lanes has the most entries, the first of several: a bit for each."""
    best, chosen = counts[0], [Const(1, 1)]
    for i, count in enumerate(counts[1:], 1):
        more, most = Signal(name=f"more_{i}"), Signal(len(best), name=f"most_{i}")
        m.d.comb += [more.eq(count > best), most.eq(Mux(more, count, best))]
        chosen = [bit & ~more for bit in chosen] + [more]
        best = most
    return chosen


class Issue(wiring.Component):
    """Chooses the first few of the products that lanes offer: those of the fullest lane first. No latency.

    Lanes follow the fullest one around the end; of a lane, filters follow each other.

    Parameters
    ----------
    pixels, filters : int
        Lanes, and products that a lane may offer.
    issue : int
        Products chosen at most.
    count_width : int

    Attributes
    ----------
    counts : In
        Entries in each lane.
    offered : In
        Products of each lane that may be issued.
    lane, filter : Out
        For each of the `issue` units, a bit for the lane and one for the filter of its product; none if it has none.
    """

    def __init__(self, *, pixels, filters, issue, count_width):
        self.pixels, self.filters, self.issue = pixels, filters, issue
        super().__init__(
            {
                "counts": In(data.ArrayLayout(count_width, pixels)),
                "offered": In(data.ArrayLayout(filters, pixels)),
                "lane": Out(data.ArrayLayout(pixels, issue)),
                "filter": Out(data.ArrayLayout(filters, issue)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pixels, filters = range(self.pixels), self.filters
        first = fullest(m, [self.counts[p] for p in pixels])

        def turned(parts, way):
            """`parts`, one for each lane, moved by the place of the fullest one."""
            return [picked(first, [parts[(i + way * p) % self.pixels] for p in pixels]) for i in pixels]

        left = Signal(self.pixels * filters, name="left_0")
        m.d.comb += left.eq(Cat(turned([self.offered[p] for p in pixels], 1)))
        for unit in range(self.issue):
            lowest = Signal(len(left), name=f"lowest_{unit}")
            m.d.comb += lowest.eq(left & (~left + 1)[: len(left)])
            parts = [lowest[p * filters : (p + 1) * filters] for p in pixels]
            m.d.comb += [
                self.filter[unit].eq(reduce(or_, parts)),
                self.lane[unit].eq(Cat(turned([part.any() for part in parts], -1))),
            ]
            if unit < self.issue - 1:
                rest = Signal(len(left), name=f"left_{unit + 1}")
                m.d.comb += rest.eq(left & ~lowest)
                left = rest
        return m
