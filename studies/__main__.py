"""``python -m studies ristretto``: published tables and figures, redrawn."""

import shutil
from pathlib import Path

from golden.errors import Parser, command

BUILD = Path("build/quant")
FOLDER = Path("build/ristretto")
DOCS = Path("docs")


def main():
    parser = Parser(prog="python -m studies", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    ristretto = commands.add_parser("ristretto", help=f"Gysel's tables and figures, into {FOLDER}")
    ristretto.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ristretto.add_argument("--bases", nargs="+", default=["sgd", "adamw"], help="how the float network is trained")
    ristretto.add_argument("--cifar", metavar="FOLDER", help="the binary version of CIFAR-10: its rows instead")
    ristretto.add_argument("--docs", action="store_true", help=f"copy the page and its pictures to {DOCS}")
    given = parser.parse_args()

    from studies.areas import areas  # not above: without torch or Yosys, `command` says what is missing
    from studies.ristretto import cifar, study
    from studies.ristretto_report import write

    if given.cifar is not None:
        print(cifar(given.cifar, given.seeds, BUILD, FOLDER))
        return
    page = write(study(given.bases, given.seeds, BUILD, FOLDER, areas()), FOLDER)
    print(page.read_text())
    if given.docs:
        for path in (page, *FOLDER.glob("*.png")):
            shutil.copy(path, DOCS / path.name)
    print(f"written: {page}")


if __name__ == "__main__":
    command(main)
