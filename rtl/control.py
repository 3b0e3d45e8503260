"""When tiles may enter the systolic array and when their sums leave it."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FrontControl"]


class FrontControl(wiring.Component):
    """Decides for each slot (a cycle in which the array moves) whether it holds a k-step, a front, or both.

    A front makes the elements that it passes hand out their sums and start anew. The first k-step of a tile carries
    one; when no k-step comes and sums are waiting, a bubble does.

    Parameters
    ----------
    rows, cols : int
        Size of the array: fronts keep `rows` slots apart, and row r of the sums leaves ``cols + r`` slots behind.

    Attributes
    ----------
    offered : In(1)
        A k-step is there.
    last : In(1)
        It is the last of its tile.
    open : Out(1)
        A k-step that is there enters in this slot.
    first : Out(1)
        This slot is a front.
    leaving, leaving_last : Out(1)
        A row of sums leaves in this slot, and it is the last of its tile.
    """

    def __init__(self, *, rows, cols):
        self.rows, self.cols = rows, cols
        super().__init__(
            {
                "offered": In(1),
                "last": In(1),
                "open": Out(1),
                "first": Out(1),
                "leaving": Out(1),
                "leaving_last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        begun = Signal()  # a tile has begun and not ended
        waiting = Signal()  # sums of a whole tile are in the array
        fronts = Signal(self.rows - 1)  # bit t: a front entered t + 1 slots ago
        clear = Signal()
        enters = Signal()
        emits = Signal()
        m.d.comb += [
            clear.eq(~fronts.any()),
            self.open.eq(begun | clear),
            enters.eq(self.offered & self.open),
            self.first.eq(~begun & clear & (self.offered | waiting)),
            emits.eq(self.first & waiting),
        ]
        with m.If(enters):
            m.d.sync += [begun.eq(~self.last), waiting.eq(self.last)]
        with m.Elif(self.first):
            m.d.sync += waiting.eq(0)

        behind = Signal(self.cols + self.rows - 1)  # bit t: sums began to leave t + 1 slots ago
        m.d.sync += [fronts.eq(Cat(self.first, fronts)), behind.eq(Cat(emits, behind))]
        m.d.comb += [
            self.leaving.eq(behind[self.cols - 1 :].any()),
            self.leaving_last.eq(behind[-1]),
        ]
        return m
