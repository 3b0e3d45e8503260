"""Running a target's Verilog with its streams fed from files, so that no Python is in the loop."""

import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from rtl.beats import Beats
from rtl.generate import generate
from rtl.targets import target
from tb.cases import Case, Failure, check_padding, compare, joined
from tb.harness import harness, stream_parts
from tb.simulators import simulator

__all__ = ["Stalls", "Outcome", "Memory", "run", "run_cases"]


@dataclass(frozen=True, kw_only=True)
class Stalls:
    """How reluctant the surroundings of a design are.

    Parameters
    ----------
    idle, stall : int
        Beats of 256 that a source holds back, and cycles of 256 in which a sink starts not to be ready, 0 to 255.
    burst : int
        Mask of the extra cycles that it takes, 0 to 255: 0 or one less than a power of two.
    lazy : int
        1 for sinks that are not ready before a beat is there, 0 for others.
    reset_at : int
        Cycle of a reset in the middle, after which all input comes again; 0 for none.
    seed : int
        Of all that is random.
    """

    idle: int = 0
    stall: int = 0
    burst: int = 0
    lazy: int = 0
    reset_at: int = 0
    seed: int = 1

    @property
    def slowdown(self):
        """Cycles, at the most and roughly, that a cycle without stalls becomes."""
        wait = 1 + self.burst
        return 1 + self.lazy + sum(share * wait / (256 - share) for share in (self.idle, self.stall))


@dataclass(frozen=True)
class Outcome:
    """What a run brought.

    Attributes
    ----------
    beats : dict
        Role -> `Beats` of each output. A beat with unknown bits makes `unknown` true.
    cycles : int
        From the first accepted input beat to the last accepted output beat, both included.
    simulated : int
        Cycles simulated.
    complete : bool
        All input was taken, and the design then fell silent.
    offences : int
        Cycles in which an output broke the rules of streams.
    unknown : bool
    """

    beats: dict
    cycles: int
    simulated: int
    complete: bool
    offences: int
    unknown: bool

    def demand(self):
        """Raise `Failure` unless the run was complete and orderly."""
        if not self.complete:
            raise Failure(f"the design hangs or babbles: {self.simulated} cycles were not enough")
        if self.offences:
            raise Failure(f"{self.offences} cycles break the rules of streams at an output")
        if self.unknown:
            raise Failure("an output beat holds unknown bits")


class Memory:
    """A design in the memory-fed bench, built.

    Parameters
    ----------
    verilog : str
        The design.
    sidecar : dict
        Its ``module`` and ``streams``.
    sim : str
        Name of a simulator.
    controls : dict, optional
        Further inputs of the design, name -> width.

    Raises
    ------
    InputError
        If the simulator is unknown or not installed.
    """

    def __init__(self, verilog, sidecar, sim="verilator", controls=None):
        self.inputs = {s["role"]: s["bytes"] for s in sidecar["streams"] if stream_parts(s)[1]}
        self.outputs = {s["role"]: s["bytes"] for s in sidecar["streams"] if not stream_parts(s)[1]}
        self.widths = {s["role"]: s["width"] for s in sidecar["streams"] if not stream_parts(s)[1]}
        bench = harness(sidecar["module"], sidecar["streams"], controls)
        self.command = simulator(sim).build({"bench.v": bench, "design.v": verilog}, "bench")

    def run(self, beats, *, deadline, stalls=Stalls(), patience=2000, folder=None, **controls):
        """Simulate `beats` (role -> `Beats`): an `Outcome`.

        Parameters
        ----------
        deadline : int
            Cycles after which the run is given up.
        stalls : Stalls
        patience : int
            Cycles without a beat on any stream after which the run is over.
        folder : path, optional
            Where the beats already lie as files (see `store`); they are then not written again.
        controls : int
            Values of the further inputs.
        """
        with tempfile.TemporaryDirectory() as scratch:
            scratch = Path(scratch)
            folder = scratch if folder is None else Path(folder)
            if folder == scratch:
                self.store(beats, folder)
            files = {role: folder / f"{role}.beats" for role in self.inputs}
            files |= {role: scratch / f"{role}.text" for role in self.outputs}
            settings = files | vars(stalls) | {"deadline": deadline, "patience": patience} | controls
            command = [*self.command, *(f"+{name}={value}" for name, value in settings.items())]
            done = subprocess.run(command, capture_output=True, text=True)
            reports = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("narrowgate ")]
            if done.returncode or len(reports) != 1:
                raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
            cycles, simulated, complete, offences = map(int, reports[0])
            parsed = {role: read_beats(scratch / f"{role}.text", width) for role, width in self.outputs.items()}
        return Outcome(
            beats={role: found for role, (found, _) in parsed.items()},
            cycles=cycles,
            simulated=simulated,
            complete=bool(complete),
            offences=offences,
            unknown=any(unknown for _, unknown in parsed.values()),
        )

    def store(self, beats, folder):
        """Write the files of `beats` that the bench reads."""
        for role, width in self.inputs.items():
            data = beats[role].data
            if data.shape[1] != width:
                raise ValueError(f"beats of {role} have {data.shape[1]} bytes, its port has {width}")
            last = beats[role].last.astype(np.uint8)[:, None]
            np.concatenate([data[:, ::-1], last], axis=1).tofile(Path(folder) / f"{role}.beats")


NIBBLES = np.full(256, 16, np.uint8)
NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def read_beats(path, width):
    """The beats of a sink's file, of `width` bytes each, and whether any bit is unknown (it then reads as 0)."""
    text = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 2 * width + 3)
    nibbles = NIBBLES[text[:, : 2 * width]]
    last = NIBBLES[text[:, 2 * width + 1]]
    unknown = bool((nibbles > 15).any() or (last > 1).any())
    nibbles = nibbles & 15
    data = (nibbles[:, 0::2] << 4 | nibbles[:, 1::2])[:, ::-1]
    return Beats(np.ascontiguousarray(data), last == 1), unknown


@lru_cache
def built(name, settings, sim):
    """A target's engine and its design in the memory-fed bench."""
    row = target(name)
    engine = row.engine(**dict(settings))
    return engine, Memory(*generate(row, engine), sim)


def run_cases(memory, cases, stalls=Stalls(), **controls):
    """Run `cases` back to back in a `Memory`, under `controls`: the results of each and the cycles of all.

    Raises
    ------
    Failure
        If an output differs from golden in any way.
    """
    deadline = 1000 + stalls.reset_at + int(4 * stalls.slowdown * sum(case.cycles for case in cases))
    outcome = memory.run(joined(cases), deadline=deadline + 2000, stalls=stalls, **controls)
    outcome.demand()
    check_padding(outcome.beats, memory.widths)
    return compare(cases, outcome.beats), outcome.cycles


def run(name, settings, operands, sim="verilator", stalls=Stalls()):
    """Run operands of any size through a target's Verilog, compare everything with golden, and count cycles.

    Parameters
    ----------
    name : str
        The target.
    settings : dict
        Its parameters; those not given are at their defaults.
    operands : dict
        Key -> array of integers.
    sim : str
        Name of a simulator.
    stalls : Stalls

    Returns
    -------
    results : dict
        Key -> array of int64.
    cycles : int
        From the first accepted input beat to the last accepted output beat; without stalls, as the model says.

    Raises
    ------
    InputError
        If the target, a parameter or an operand is not as it must be, or the simulator is not there.
    Failure
        If results or cycles differ from golden.
    """
    engine, memory = built(name, tuple(sorted(settings.items())), sim)
    case = Case(engine, operands)
    [results], cycles = run_cases(memory, [case], stalls)
    if stalls == Stalls() and cycles != case.cycles:
        raise Failure(f"{case}: {cycles} cycles, the model says {case.cycles}")
    return results, cycles
