"""Area, clock and power of targets: ``python -m synth [TARGET [rows=16 ...]]`` writes build/synth/report.{json,md}."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

from golden.errors import InputError, Parser, assignments, command
from rtl.operands import read_operands
from rtl.targets import TARGETS, target
from synth.library import find
from synth.report import write

__all__ = ["report_on"]

TOOLS = {"sta": "opensta", "iverilog": "iverilog"}  # command: Debian package


def require_tools():
    """Refuse to start without the programs that are needed later."""
    for program, package in TOOLS.items():
        if shutil.which(program) is None:
            raise InputError(f"no {program}: install Debian's {package} (apt-get install {package})")


def report_on(engines, library, operands=None):
    """The report on pairs (registry row, engine).

    Parameters
    ----------
    operands : dict, optional
        Operands of the first engine, under which power is measured.
    """
    from tqdm import tqdm  # not above: without it, `command` says what is missing

    from synth.measure import measure, views

    found = [view for row, engine in engines for view in views(row, engine)]
    with ThreadPoolExecutor(os.cpu_count()) as pool, tqdm(total=len(found), unit="design", disable=None) as bar:

        def work(view):
            row = measure(view, library, operands)
            bar.set_postfix_str(f"{view.target} {view.name}")
            bar.update()
            return row

        rows = list(pool.map(work, found))
    version = subprocess.run(["sta", "-version"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "library": {
            "name": library.name,
            "voltage": library.voltage,
            "gate_equivalent": library.gate_equivalent,
            "sha256": library.hash,
            "without_area": library.without_area,
        },
        "versions": {"yosys": metadata.version("pyosys"), "opensta": version},
        "rows": rows,
    }


def summary(report):
    """One line a design."""
    for row in report["rows"]:
        measured = row["netlists"]["area"]
        line = f"{row['target']:<14} {row['view']:<16} {measured['gate_equivalents']:>10,.1f} GE"
        line += f"  {measured['timing']['period_ns']:6.3f} ns  {measured['flip_flops']:>6,} flip-flops"
        yield line + (f"  {row['power']['total_mw']:8.2f} mW" if "power" in row else "")


def main():
    parser = Parser(prog="python -m synth", description=__doc__)
    parser.add_argument("target", nargs="?", help=f"one of {', '.join(TARGETS)}; all by default")
    parser.add_argument("parameters", nargs="*", metavar="name=value")
    parser.add_argument("--operands", metavar="IN.npz", help="measure power under these operands of the target")
    parser.add_argument("--folder", default="build/synth")
    given = parser.parse_args(sys.argv[1:])
    if given.operands and not given.target:
        raise InputError("--operands needs a target")
    chosen = [target(given.target)] if given.target else list(TARGETS.values())
    engines = [(row, row.engine(**assignments(given.parameters))) for row in chosen]
    library = find()
    require_tools()
    operands = read_operands(given.operands, engines[0][1]) if given.operands else None
    report = report_on(engines, library, operands)
    paths = write(report, given.folder)
    print("\n".join(summary(report)))
    print(f"written: {paths[1]}, {paths[0].name}")
    found = [f"{row['target']} {row['view']}: {problem}" for row in report["rows"] for problem in row["problems"]]
    for problem in found:
        print(f"narrowgate: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    command(main)
