"""The test bench of every target, run by cocotb inside a simulator; `tb.regression` starts it.

One body for all: the registry's engine makes operands, beats and golden results, `cocotbext-axi` drives and receives
them. With neither idle inputs nor back-pressure the cycles must equal the engine's model.
"""

import itertools
import json
import os
import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Event, FallingEdge, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

from rtl.beats import Beats
from rtl.targets import target
from tb.cases import Failure, check_padding, compare, directed, joined, random_cases
from tb.regression import JOB

__all__ = ["cycles", "streams", "valid_first", "reset"]


class Surroundings:
    """A design between sources and sinks, watched in every cycle.

    Parameters
    ----------
    dut : cocotb's handle of the design
    inputs, outputs : dict
        Role -> bits of data in a beat.

    Attributes
    ----------
    sources, sinks : dict
        Role -> source or sink.
    cycles : int
        From the first accepted input beat to the last accepted output beat since `run` began.
    """

    def __init__(self, dut, inputs, outputs):
        self.dut = dut
        axis = (dut.aclk, dut.aresetn, False)
        # a beat is one "byte" of the whole width, so that a frame is a list of integers
        buses = {role: AxiStreamBus.from_prefix(dut, f"s_axis_{role}") for role in inputs}
        self.sources = {role: AxiStreamSource(bus, *axis, byte_lanes=1) for role, bus in buses.items()}
        buses = {role: AxiStreamBus.from_prefix(dut, f"m_axis_{role}") for role in outputs}
        self.sinks = {role: AxiStreamSink(bus, *axis, byte_lanes=1) for role, bus in buses.items()}
        self.widths = outputs
        self.over = Event()
        self.expect({}, 0)
        cocotb.start_soon(self.watch())

    def expect(self, beats, deadline):
        """Begin to count: `over` is set when `beats` (role -> number) have left, or after `deadline` cycles."""
        self.missing = dict(beats)
        self.deadline = deadline
        self.cycle = self.first = self.last = 0
        self.over.clear()

    @property
    def cycles(self):
        return self.last - self.first + 1

    async def watch(self):
        """In the middle of each cycle, when every signal has settled, look at what its end will accept."""
        held, asleep = {}, 0
        while True:
            await FallingEdge(self.dut.aclk)
            if not self.dut.aresetn.value:
                held, asleep = {}, asleep + 1
                for role, sink in self.sinks.items():
                    assert asleep < 3 or not sink.bus.tvalid.value, f"{role} is valid during reset"
                continue
            asleep = 0
            self.cycle += 1
            if not self.first and any(s.bus.tvalid.value and s.bus.tready.value for s in self.sources.values()):
                self.first = self.cycle
            for role, sink in self.sinks.items():
                bus = sink.bus
                valid = bool(bus.tvalid.value)  # an unknown bit raises here
                beat = (int(bus.tdata.value), bool(bus.tlast.value) if hasattr(bus, "tlast") else True) if valid else None
                assert held.get(role) in (None, beat), f"{role} changed while it was valid and not ready"
                taken = valid and bus.tready.value
                held[role] = None if taken else beat
                if taken:
                    self.last = self.cycle
                    self.missing[role] = self.missing.get(role, 0) - 1
            if self.deadline and (self.cycle > self.deadline or not any(n > 0 for n in self.missing.values())):
                self.over.set()

    async def reset(self):
        """Hold reset for some cycles; what was under way is forgotten."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 2)
        for end in (*self.sources.values(), *self.sinks.values()):
            end.clear()
        await ClockCycles(self.dut.aclk, 3)
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)

    def stall(self, rng, idle, backpressure):
        """Let the sources (`idle`) and the sinks (`backpressure`) pause at random, in bursts."""
        for ends, share in ((self.sources, idle), (self.sinks, backpressure)):
            for end in ends.values():
                end.set_pause_generator(pauses(random.Random(int(rng.integers(1 << 32))), share) if share else None)
                end.pause = False

    def send(self, cases, rng=None):
        """Queue the beats of `cases`; `rng` as `joined` has it."""
        for role, beats in joined(cases, rng).items():
            for frame in frames(beats):
                self.sources[role].send_nowait(frame)

    async def run(self, cases, slowdown, rng=None):
        """Send `cases` back to back and require their results, all of them and nothing else. Pauses of sinks end."""
        wanted = {role: sum(case.beats[role] for case in cases) for role in self.sinks}
        self.expect(wanted, slowdown * sum(case.cycles for case in cases) + 500)
        self.send(cases, rng)
        await self.over.wait()
        for sink in self.sinks.values():
            sink.set_pause_generator(None)
            sink.pause = False
        await ClockCycles(self.dut.aclk, 40)  # beats too many would come now, and no sink is asleep in a pause
        beats = {role: received(sink) for role, sink in self.sinks.items()}
        compare(cases, beats)
        check_padding(beats, self.widths)
        for role, end in (*self.sources.items(), *self.sinks.items()):
            if not (end.empty() and end.idle()):
                raise Failure(f"{role} is not empty at the end")


def pauses(rng, share):
    """For each cycle, whether to pause: runs of 1 to 12 cycles, `share` of the time or so."""
    while True:
        yield from itertools.repeat(rng.random() < share, rng.choice((1, 1, 2, 3, 12)))


def frames(beats):
    """`beats` as lists of integers, one for each ``tlast``."""
    values = [int.from_bytes(row.tobytes(), "little") for row in beats.data]
    stops = np.flatnonzero(beats.last) + 1
    return [values[start:stop] for start, stop in zip((0, *stops), stops)]


def received(sink):
    """The beats of all packets that a sink holds."""
    width = len(sink.bus.tdata) // 8
    data, last = [], []
    while not sink.empty():
        frame = list(sink.recv_nowait().tdata)
        data += frame
        last += [False] * (len(frame) - 1) + [True]
    raw = b"".join(value.to_bytes(width, "little") for value in data)
    return Beats(np.frombuffer(raw, np.uint8).reshape(-1, width), np.array(last, bool))


def chosen(job, engine, rng):
    """The cases of a job."""
    return (directed(engine, rng) if job["directed"] else []) + random_cases(engine, rng, job["cases"])


async def prepare(dut):
    """The job, its engine, its random source, and the design out of reset between sources and sinks."""
    job = json.loads(os.environ[JOB])
    engine = target(job["target"]).engine(**job["settings"])
    dut.aresetn.value = 0
    Clock(dut.aclk, 2, "ns").start()
    around = Surroundings(dut, job["inputs"], job["outputs"])
    await around.reset()
    return job, engine, np.random.default_rng(job["seed"]), around


@cocotb.test()
async def cycles(dut):
    """Each case alone, without a stall: results, and cycles equal to the model."""
    job, engine, rng, around = await prepare(dut)
    for case in chosen(job, engine, rng):
        await around.run([case], 2)
        if around.cycles != case.cycles:
            raise Failure(f"{case}: {around.cycles} cycles, the model says {case.cycles}")


@cocotb.test()
@cocotb.parametrize(idle=[False, True], backpressure=[False, True])
async def streams(dut, idle, backpressure):
    """All cases back to back, with every kind of stall."""
    job, engine, rng, around = await prepare(dut)
    cases = chosen(job, engine, rng)
    rng.shuffle(cases)
    if not (idle or backpressure):
        await around.run(cases, 2, rng)
        return
    for share, part in ((0.2, cases[::2]), (0.7, cases[1::2])):
        around.stall(rng, idle * share, backpressure * share)
        await around.run(part, 20, rng)


@cocotb.test()
async def valid_first(dut):
    """An output becomes valid without waiting for its ready."""
    job, engine, rng, around = await prepare(dut)
    for role, sink in around.sinks.items():
        [case] = random_cases(engine, rng, 1)
        while not case.beats[role]:
            [case] = random_cases(engine, rng, 1)
        sink.pause = True
        around.send([case])
        for _ in range(10 * case.cycles + 500):
            await FallingEdge(dut.aclk)
            if sink.bus.tvalid.value:
                break
        else:
            raise Failure(f"{role} waits for ready")
        sink.pause = False
        await around.reset()


@cocotb.test()
async def reset(dut):
    """A reset in the middle of a transfer, stalled or not, leaves nothing behind."""
    job, engine, rng, around = await prepare(dut)
    cases = random_cases(engine, rng, 3)
    length = sum(case.cycles for case in cases)
    for trial in range(6):
        around.stall(rng, 0.3 * (trial % 2), 0.3 * (trial % 2))
        around.send(cases)
        await ClockCycles(dut.aclk, int(rng.integers(1, length)))
        await around.reset()
        await around.run(cases, 20)
