"""The registry from the command line: ``python -m rtl list``, ``verilog TARGET [rows=16 ...]`` and ``docs``."""

import json
import sys
from pathlib import Path

from golden.errors import Parser, assignments, command, replacing
from rtl import docs
from rtl.generate import generate
from rtl.targets import TARGETS, target


def list_targets():
    """One line a target."""
    width = max(map(len, TARGETS))
    for row in TARGETS.values():
        print(f"{row.name:<{width}}  {row.summary}")


def write_verilog(name, words, folder):
    """Write a target's Verilog and sidecar into `folder`."""
    row = target(name)
    engine = row.engine(**assignments(words))
    verilog, sidecar = generate(row, engine)
    path = Path(folder) / f"{name}.v"
    with replacing(path) as temporary:
        temporary.write_text(verilog)
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(sidecar, indent=2) + "\n")
    print(f"{path}: {len(verilog.splitlines())} lines, ports and parameters in {path.with_suffix('.json').name}")


def main():
    parser = Parser(prog="python -m rtl", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|verilog|docs")
    actions.add_parser("list", help="the targets, one line each")
    verilog = actions.add_parser("verilog", help="write the Verilog of a target")
    verilog.add_argument("target")
    verilog.add_argument("parameters", nargs="*", default=[], metavar="name=value")
    verilog.add_argument("--folder", default="build/verilog")
    actions.add_parser("docs", help="bring the table of targets in README.md up to date")
    given = parser.parse_args(sys.argv[1:])
    if given.action == "list":
        list_targets()
    elif given.action == "docs":
        print("README.md: " + ("brought up to date" if docs.write() else "up to date"))
    else:
        write_verilog(given.target, given.parameters, given.folder)


if __name__ == "__main__":
    command(main)
