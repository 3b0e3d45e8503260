"""Mutation: how many small faults in a design the bench notices."""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from golden.errors import InputError, replacing
from rtl.generate import generate
from rtl.targets import target
from tb.cases import compare, directed, joined, random_cases
from tb.memory import Memory, Stalls
from tb.simulators import required_module

__all__ = ["Mutant", "Report", "mutate"]

FOLDER = Path("build/mutate")
CONTROL = "mutsel"  # input of the mutated design: which of its mutants is at work, 0 for none
CONTROL_BITS = 16
PLACE = ("mode", "cell", "port", "portbit", "ctrlbit", "wire", "wirebit")
VERDICTS = ("killed", "equivalent", "survived")
PATIENCE = 10  # seconds for a proof; a multiplier behind the fault needs for ever

SURROUNDINGS = (
    Stalls(),
    Stalls(idle=90, stall=90, burst=3),
    Stalls(idle=20, stall=120, burst=15, reset_at=150, seed=2),
    Stalls(idle=120, stall=20, burst=31, reset_at=333, seed=3),
    Stalls(idle=40, burst=63, lazy=1, seed=4),
)

FLATTEN = """\
read_verilog -sv design.v
hierarchy -check -top {top}
proc
flatten
opt_expr
opt_clean
write_rtlil flat.il
mutate -list {count} -seed {seed} -ctrl {control} {bits} 1 -o mutants.ys
"""

APPLY = """\
read_rtlil flat.il
script mutants.ys
write_verilog -noattr mutated.v
"""

# Only ports and registers are matched: a wire that differs must not be taken for a cut.
PROVE = """\
read_rtlil flat.il
select -set registers t:$*dff* %co1:+[Q] w:* %i
select -set others w:* @registers %d
rename -hide @others
write_rtlil plain.il
rename {top} gold
design -stash gold
read_rtlil plain.il
{mutation}
rename {top} gate
design -stash gate
design -copy-from gold gold
design -copy-from gate gate
equiv_make gold gate pair
hierarchy -top pair
opt_clean
equiv_simple -short
equiv_induct -seq 4
equiv_status -assert
"""


@dataclass(frozen=True)
class Mutant:
    """One fault: its Yosys command, the place in the Verilog, and what became of it.

    Attributes
    ----------
    number : int
    fault : str
        What is done to which port of which cell.
    line : int
        Line of the Verilog, 0 if unknown.
    module : str
        Of the Verilog, which that line is in.
    text : str
        That line.
    verdict : str
        ``killed``, ``equivalent`` (proven to change nothing) or ``survived``.
    by : str
        What noticed it.
    """

    number: int
    fault: str
    line: int
    module: str
    text: str
    verdict: str
    by: str = ""


@dataclass(frozen=True)
class Report:
    """The fate of every mutant of a target."""

    target: str
    settings: dict
    seed: int
    mutants: tuple

    def of(self, verdict):
        """The mutants with a verdict."""
        return [mutant for mutant in self.mutants if mutant.verdict == verdict]

    @property
    def score(self):
        """Share of the mutants that are killed, of those not proven to change nothing."""
        return len(self.of("killed")) / max(1, len(self.mutants) - len(self.of("equivalent")))

    def within(self, module):
        """The report of a module alone, with those that it holds, whose names continue its own."""
        return replace(self, mutants=tuple(m for m in self.mutants if f"{m.module}_".startswith(f"{module}_")))

    @property
    def modules(self):
        """Module -> `within` it, of the modules that have mutants."""
        return {name: self.within(name) for name in sorted({m.module for m in self.mutants} - {""})}

    @property
    def counts(self):
        """Verdict -> mutants."""
        return {verdict: len(self.of(verdict)) for verdict in VERDICTS}

    def text(self):
        """A summary of the whole, one of each module, and a line for each survivor."""
        settings = " ".join(f"{key}={value}" for key, value in self.settings.items())
        lines = [f"{self.target} {settings}: {self.summary}"]
        lines += [f"  {module}: {report.summary}" for module, report in self.modules.items()]
        return "\n".join([*lines, *(f"  line {m.line}: {m.text}  <- {m.fault}" for m in self.of("survived"))])

    @property
    def summary(self):
        """Its counts and score in a line."""
        killed, equivalent, survived = self.counts.values()
        counts = f"{killed} killed, {equivalent} proven equivalent, {survived} survive"
        return f"{len(self.mutants)} mutants, {counts}: {self.score:.1%}"

    def json(self):
        """The whole report as a JSON object."""
        modules = {module: report.counts | {"score": report.score} for module, report in self.modules.items()}
        found = {"score": self.score, "modules": modules, "mutants": [asdict(mutant) for mutant in self.mutants]}
        return vars(self) | self.counts | found


def yosys(script, folder, timeout=None):
    """Run a Yosys script in `folder`; whether it succeeded, and its output. Yosys keeps state, hence a process."""
    required_module("pyosys", "pyosys")
    (folder / "script.ys").write_text(script)
    program = "from pyosys import libyosys; libyosys.run_pass('script script.ys')"
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return False, f"no end within {timeout} s"
    return done.returncode == 0, done.stdout + done.stderr


def demand(script, folder):
    """Run a Yosys script that must succeed."""
    succeeded, output = yosys(script, folder)
    if not succeeded:
        raise RuntimeError(f"Yosys failed:\n{output[-2000:]}")


def modules(lines):
    """The name of the module that each of the `lines` of Verilog is in."""
    found, name = [], ""
    for line in lines:
        if line.startswith("module "):
            name = line.split()[1].split("(")[0]
        found.append(name)
    return found


def options(command):
    """The options of a ``mutate`` command, by name."""
    words = command.split()
    return {words[i][1:]: words[i + 1] for i in range(1, len(words) - 1) if words[i].startswith("-")}


def mutate(name, *, count=100, seed=1, settings=None, progress=True):
    """Make mutants of a target's design and run each through the memory-fed bench: a `Report`.

    The mutants are Yosys's (``mutate -list``), of the flat netlist of the whole target. All are in one simulator, one
    at work in each run. A mutant is killed when an output beat, its order, ``tlast``, a rule of streams, the end, or,
    without stalls, the number of cycles differs. What survives may change nothing at all: that is tried to be proven
    by induction over the netlist (registers of both designs matched by name), and such mutants do not count.

    Parameters
    ----------
    name : str
        The target.
    count, seed : int
        Mutants, 1 to 60000, and which.
    settings : dict, optional
        Parameters of the target, by default its first, smallest bench.

    Raises
    ------
    InputError
        If the target, a parameter or the count is not as it must be, or a tool is not installed.
    """
    row = target(name)
    settings = row.bench[0] if settings is None else settings
    engine = row.engine(**settings)
    if not 1 <= count <= 60000:
        raise InputError(f"count must be 1 to 60000, not {count}")
    verilog, sidecar = generate(row, engine)
    lines = ["", *verilog.splitlines()]  # counted from 1; 0 is unknown
    module_of = modules(lines)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "design.v").write_text(verilog)
        top = sidecar["module"]
        demand(FLATTEN.format(top=top, count=count, seed=seed, control=CONTROL, bits=CONTROL_BITS), folder)
        demand(APPLY, folder)
        commands = (folder / "mutants.ys").read_text().splitlines()
        memory = Memory((folder / "mutated.v").read_text(), sidecar, controls={CONTROL: CONTROL_BITS})
        bench = Jury(engine, memory, folder)

        def judge(number):
            command = commands[number - 1]
            by = bench.verdict(number)
            verdict = "killed" if by else "survived"
            if not by and equivalent(command, top, folder):
                verdict, by = "equivalent", "induction"
            found = options(command)
            line = int(found.get("src", ":0").split(":")[1].split(".")[0])
            where = " ".join(f"{key} {found[key]}" for key in PLACE if key in found)
            return Mutant(number, where, line, module_of[line], lines[line].strip(), verdict, by)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            numbers = range(1, len(commands) + 1)
            mutants = list(tqdm(pool.map(judge, numbers), total=len(commands), desc=name, disable=not progress))
    report = Report(name, engine.settings(), seed, tuple(mutants))
    with replacing(FOLDER / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(report.json(), indent=2) + "\n")
    return report


class Jury:
    """The cases through which each mutant goes, and what the sound design makes of them, which is golden's."""

    def __init__(self, engine, memory, folder):
        rng = np.random.default_rng(1)
        cases = directed(engine, rng, amount=25) + random_cases(engine, rng, 20)
        rng.shuffle(cases)
        self.memory, self.folder = memory, folder
        self.deadline = 4000 + 30 * sum(case.cycles for case in cases)
        self.beats = joined(cases, rng)
        memory.store(self.beats, folder)
        self.sound = [self.outcome(stalls, 0) for stalls in SURROUNDINGS]
        for outcome in self.sound:
            outcome.demand()
            compare(cases, outcome.beats)

    def outcome(self, stalls, number):
        return self.memory.run(
            self.beats, deadline=self.deadline, stalls=stalls, patience=600, folder=self.folder, **{CONTROL: number}
        )

    def verdict(self, number):
        """What notices a mutant; nothing if it survives."""
        for stalls, sound in zip(SURROUNDINGS, self.sound):
            outcome = self.outcome(stalls, number)
            situation = "stalls" if stalls.idle or stalls.stall else "no stalls"
            situation += " and a reset" if stalls.reset_at else ""
            if not outcome.complete:
                return f"no end, with {situation}"
            if outcome.offences:
                return f"rules of streams, with {situation}"
            for role, beats in sound.beats.items():
                for part in ("last", "data"):
                    if not np.array_equal(getattr(beats, part), getattr(outcome.beats[role], part)):
                        return f"{role} {part}, with {situation}"
            if stalls == Stalls() and outcome.cycles != sound.cycles:
                return "cycles"
        return ""


def netlist(path):
    """The lines of RTLIL that say what is connected to what."""
    unsaid = ("attribute", "autoidx", "#")
    return [line for line in path.read_text().splitlines() if not line.lstrip().startswith(unsaid)]


def equivalent(command, top, folder):
    """Whether it is proven that a mutation changes nothing, whatever the inputs."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        (scratch / "flat.il").write_bytes((folder / "flat.il").read_bytes())
        words = command.split()
        control = words.index("-ctrl")
        plain = " ".join(words[:control] + words[control + 4 :])
        demand(f"read_rtlil flat.il\nwrite_rtlil sound.il\n{plain}\nwrite_rtlil mutant.il\n", scratch)
        if netlist(scratch / "sound.il") == netlist(scratch / "mutant.il"):
            return True  # a constant replaced by itself
        return yosys(PROVE.format(top=top, mutation=plain), scratch, PATIENCE)[0]
