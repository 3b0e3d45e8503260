"""The prover says yes to what holds and no to what does not."""

import pytest
from amaranth import Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from tb.formal import Property, holds, stream_rules


class Stage(wiring.Component):
    """A register stage; `fault` breaks one rule of streams."""

    def __init__(self, fault=None):
        self.fault = fault
        super().__init__({"x": In(stream.Signature(3)), "y": Out(stream.Signature(3))})

    def elaborate(self, platform):
        m = Module()
        overwrites, withdraws = (Const(self.fault == fault, 1) for fault in ("overwrites", "withdraws"))
        m.d.comb += self.x.ready.eq(~self.y.valid | self.y.ready | overwrites)
        with m.If(self.x.ready):
            m.d.sync += [self.y.payload.eq(self.x.payload), self.y.valid.eq(self.x.valid)]
        with m.Elif(withdraws):
            m.d.sync += self.y.valid.eq(0)
        return m


def rules(fault):
    property = Property()
    stage = property.add("stage", Stage(fault))
    property.free(stage.x.valid, stage.x.payload, stage.y.ready)
    stream_rules(property, stage.y, "y")
    return property


@pytest.mark.parametrize(("fault", "expected"), [(None, True), ("overwrites", False), ("withdraws", False)])
def test_a_stage_keeps_the_rules_of_streams_unless_it_is_broken(fault, expected):
    assert holds(rules(fault), induction=3) == holds(rules(fault), cycles=5) == expected


class Counter(wiring.Component):
    """Counts from 0 while it is `enabled`, and stays at 6."""

    def __init__(self):
        super().__init__({"enabled": In(1), "count": Out(3)})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.enabled & (self.count != 6)):
            m.d.sync += self.count.eq(self.count + 1)
        return m


def counts(condition, supposed=lambda enabled: 1):
    property = Property()
    counter = property.add("counter", Counter())
    property.free(counter.enabled)
    property.require(condition(counter.count))
    property.suppose(supposed(counter.enabled))
    return property


def test_a_bound_is_as_many_cycles_as_it_says():
    def never(count):
        return count != 4

    assert holds(counts(never), cycles=5)  # the first is the reset, 0 the second
    assert not holds(counts(never), cycles=6)
    assert holds(counts(never, lambda enabled: ~enabled), cycles=9)


def test_induction_is_for_ever_but_not_of_everything_that_is_true():
    assert holds(counts(lambda count: count < 7), induction=2)
    assert not holds(counts(lambda count: count < 6), induction=9)


def constants(condition=lambda value: 1):
    property = Property()
    value, before = property.constant(4, "value"), Signal(4)
    known = Signal()
    property.m.d.sync += [before.eq(value), known.eq(1)]
    property.require((~known | (before == value)) & condition(value))
    return property


def test_constants_stay_and_begin_with_any_value():
    assert holds(constants(), induction=3)
    assert not holds(constants(lambda value: value != 11), cycles=3)
