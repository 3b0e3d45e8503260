"""``python -m studies NAME``: published tables and figures, redrawn, and measurements of our own."""

import importlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from golden.errors import Parser, command

BUILD = Path("build/quant")
RESULTS = Path("build")
DOCS = Path("docs")


@dataclass(frozen=True)
class Study:
    """A row of `STUDIES`.

    Parameters
    ----------
    what : str
        What its pages are about.
    run : callable
        (given arguments, folder of the results) → the pages it wrote there.
    arguments : callable
        Adds the arguments of its own to a parser.
    """

    what: str
    run: Callable
    arguments: Callable = lambda parser: None


# What a study needs is imported when it runs: without torch or Yosys, `command` says what is missing.


def ristretto(given, folder):
    """Those of CIFAR-10 are printed alone, and there are no pages to copy."""
    from studies.areas import areas
    from studies.ristretto import cifar, study
    from studies.ristretto_report import write

    if given.cifar is not None:
        print(cifar(given.cifar, given.seeds, BUILD, folder))
        return []
    page = write(study(given.bases, given.seeds, BUILD, folder, areas), folder)
    print(page.read_text())
    return [page]


def ristretto_arguments(parser):
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--bases", nargs="+", default=["sgd", "adamw"], help="how the float network is trained")
    parser.add_argument("--cifar", metavar="FOLDER", help="of CIFAR-10: its rows instead")


def reported(name):
    """What runs a study in the modules ``studies.NAME`` and ``studies.NAME_report``."""

    def run(given, folder):
        study, report = (importlib.import_module(f"studies.{module}") for module in (name, f"{name}_report"))
        return report.write(study.study(BUILD, folder), folder)

    return run


def written(name, *caches):
    """What runs a study in the module ``studies.NAME``, of one page, which may need folders of `caches`."""

    def run(given, folder):
        return [importlib.import_module(f"studies.{name}").write(*caches, folder)]

    return run


def compression(given, folder):
    from quant.data import mnist
    from studies.compression import study, write

    return write(study(mnist(), BUILD), folder)


def trained(given, folder):
    """The page of a study that trains networks, in the module ``studies.NAME``."""
    from studies.study import study

    module = importlib.import_module(f"studies.{given.command}")
    data = getattr(given, "data", None)
    stem = given.command + ("_data" if data is not None else "_full" if given.full else "")
    seeds = list(module.SEEDS) if given.seeds is None else given.seeds
    page = study(module, stem, module.scale(given.full, data), seeds, BUILD, folder)
    print(page.read_text())
    return [page]


def trained_arguments(parser, data=True):
    longer = parser.add_mutually_exclusive_group()
    longer.add_argument("--full", action="store_true", help="the long version")
    if data:
        longer.add_argument("--data", metavar="FOLDER", help="of CIFAR-10: the papers' own networks")
    parser.add_argument("--seeds", type=int, nargs="+", help="other ones than the page's")


STUDIES = {
    "ristretto": Study("Gysel's tables and figures", ristretto, ristretto_arguments),
    "dpred": Study("traffic and time of bit-serial tiles", reported("dpred")),
    "tiles": Study("LeNet on bit-serial tiles, and their cost", written("tiles", BUILD)),
    "dlac": Study("the figures of DLAC, the zero-skipping grid", reported("dlac")),
    "dlac_storage": Study("storage, speed and area of the zero-skipping grid", written("dlac_storage")),
    "arrays": Study("area and power of arrays of integers and of floating point", written("arrays", BUILD)),
    "datapaths": Study("cost of arrays of narrow weights", written("datapaths")),
    "compression": Study("LeNet by Deep Compression", compression),
    "mnist": Study(
        "accuracies of narrow networks on MNIST", trained, lambda parser: trained_arguments(parser, data=False)
    ),
    "methods": Study("every method of narrow weights from one float network", trained, trained_arguments),
    "schemes": Study("WRPN and Apprentice", trained, trained_arguments),
    "tricks": Study("tricks that train ternary networks", trained, trained_arguments),
    "pruning": Study("pruning by magnitude and by energy", trained, trained_arguments),
}


def main():
    parser = Parser(prog="python -m studies", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    for name, study in STUDIES.items():
        own = commands.add_parser(name, help=f"{study.what}, into {RESULTS / name}")
        study.arguments(own)
        own.add_argument("--docs", action="store_true", help=f"copy pages and pictures to {DOCS}")
    given = parser.parse_args()
    folder = RESULTS / given.command
    pages = STUDIES[given.command].run(given, folder)
    if given.docs and pages:
        shown = "".join(page.read_text() for page in pages)
        for path in (*pages, *(path for path in folder.glob("*.png") if f"]({path.name})" in shown)):
            shutil.copy(path, DOCS / path.name)
    for page in pages:
        print(f"written: {page}")


if __name__ == "__main__":
    command(main)
