"""Running the cocotb bench on a design."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tb.harness import stream_parts
from tb.simulators import required_module, simulator

__all__ = ["JOB", "regress"]

JOB = "NARROWGATE_BENCH"  # environment variable that brings the bench its job, a JSON object


def regress(name, verilog, sidecar, sim, *, seed=1, cases=6, with_directed=True, tests="", plusargs=()):
    """Run `tb.bench` on a design: what each of its tests found, {test: None or how it failed}.

    Parameters
    ----------
    name : str
        The target, for its engine.
    verilog : str
        The design.
    sidecar : dict
        Its ``module``, ``streams`` and the engine's ``parameters``.
    sim : str
        Name of a simulator.
    seed, cases : int
        Of what is random, and how many random cases a test has.
    with_directed : bool
        Whether the directed cases run too.
    tests : str
        Regular expression of the tests to run; all of them by default.
    plusargs : sequence of str
        Plus arguments of the simulation.

    Raises
    ------
    InputError
        If the simulator or cocotb is not installed.
    """
    for module, package in (("cocotb", "cocotb"), ("cocotbext.axi", "cocotbext-axi")):
        required_module(module, package)
    command = simulator(sim).build({"design.v": verilog}, sidecar["module"], with_cocotb=True)
    widths = {True: {}, False: {}}
    for stream in sidecar["streams"]:
        widths[stream_parts(stream)[1]][stream["role"]] = stream["width"]
    job = {
        "target": name,
        "settings": sidecar["parameters"],
        "inputs": widths[True],
        "outputs": widths[False],
        "seed": seed,
        "cases": cases,
        "directed": with_directed,
    }
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        environment = os.environ | cocotb_environment() | {
            JOB: json.dumps(job),
            "COCOTB_TOPLEVEL": sidecar["module"],
            "COCOTB_TEST_MODULES": "tb.bench",
            "COCOTB_TEST_FILTER": tests,
            "COCOTB_RESULTS_FILE": str(results),
            "COCOTB_RANDOM_SEED": str(seed),
            "COCOTB_LOG_LEVEL": "WARNING",
            "COCOTB_TRUST_INERTIAL_WRITES": str(int(sim == "verilator")),  # as cocotb's own runner has it
        }  # fmt: skip
        done = subprocess.run([*command, *plusargs], cwd=folder, env=environment, capture_output=True, text=True)
        found = ElementTree.parse(results).iter("testcase") if results.exists() else ()
        found = {case.get("name"): failure_of(case) for case in found}
    if not found:
        raise RuntimeError(f"the bench of {name} did not run:\n{done.stdout}{done.stderr}")
    return found


def failure_of(case):
    """How a test case of a results file failed, or None."""
    failures = [element for kind in ("failure", "error") for element in case.iter(kind)]
    if not failures:
        return None
    return " ".join(f"{failure.get('type')}: {failure.get('message')}" for failure in failures)


def cocotb_environment():
    """What makes a simulator find this Python and its packages."""
    import cocotb_tools.config
    import find_libpython

    entry = cocotb_tools.config.pygpi_entry_point()
    return {
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{find_libpython.find_libpython()};{entry}",
        "TOPLEVEL_LANG": "verilog",
    }
