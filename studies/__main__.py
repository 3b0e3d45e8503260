"""``python -m studies`` and a study: tables and figures, published and our own."""

import importlib
import shutil
from pathlib import Path

from golden.errors import Parser, command

BUILD = Path("build/quant")
TRAINED = {  # name, which is that of the module too → what the page is about
    "mnist": "accuracies of narrow networks on MNIST",
    "methods": "every method of narrow weights from one float network",
    "schemes": "WRPN and Apprentice",
    "tricks": "tricks that train ternary networks",
    "pruning": "pruning by magnitude and by energy",
}
FOLDERS = {name: Path("build") / name for name in ("ristretto", "dpred", "tiles", "arrays", "datapaths", "compression", *TRAINED)}
DOCS = Path("docs")


def run_ristretto(given, folder):
    """The pages of Gysel's tables; those of CIFAR-10 are printed alone, and there are none to copy."""
    from studies.areas import areas  # not above: without torch or Yosys, `command` says what is missing
    from studies.ristretto import cifar, study
    from studies.ristretto_report import write

    if given.cifar is not None:
        print(cifar(given.cifar, given.seeds, BUILD, folder))
        return []
    page = write(study(given.bases, given.seeds, BUILD, folder, areas()), folder)
    print(page.read_text())
    return [page]


def run_dpred(given, folder):
    """The pages of traffic and time of bit-serial tiles."""
    from studies.dpred import study
    from studies.dpred_report import write

    return write(study(BUILD, folder), folder)


def run_tiles(given, folder):
    """The page of LeNet on the Verilog of bit-serial tiles, and what these cost."""
    from studies.tiles import write

    return [write(BUILD, folder)]


def run_arrays(given, folder):
    """The page of what arrays of integers and of floating point cost."""
    from studies.arrays import write

    return [write(BUILD, folder)]


def run_datapaths(given, folder):
    """The page of what arrays of narrow weights cost."""
    from studies.datapaths import write

    return [write(folder)]


def run_compression(given, folder):
    """The page of Deep Compression's LeNet."""
    from quant.data import mnist
    from studies.compression import study, write

    return write(study(mnist(), BUILD), folder)


def run_trained(given, folder):
    """The page of a study of `TRAINED`."""
    from studies.study import study

    module = importlib.import_module(f"studies.{given.command}")
    data = getattr(given, "data", None)
    stem = given.command + ("_data" if data is not None else "_full" if given.full else "")
    seeds = list(module.SEEDS) if given.seeds is None else given.seeds
    page = study(module, stem, module.scale(given.full, data), seeds, BUILD, folder)
    print(page.read_text())
    return [page]


def main():
    parser = Parser(prog="python -m studies", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    ristretto = commands.add_parser("ristretto", help=f"Gysel's tables and figures, into {FOLDERS['ristretto']}")
    ristretto.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ristretto.add_argument("--bases", nargs="+", default=["sgd", "adamw"], help="how the float network is trained")
    ristretto.add_argument("--cifar", metavar="FOLDER", help="the binary version of CIFAR-10: its rows instead")
    ristretto.set_defaults(run=run_ristretto)
    dpred = commands.add_parser("dpred", help=f"traffic and time of bit-serial tiles, into {FOLDERS['dpred']}")
    dpred.set_defaults(run=run_dpred)
    tiles = commands.add_parser("tiles", help=f"LeNet on bit-serial tiles, and their cost, into {FOLDERS['tiles']}")
    tiles.set_defaults(run=run_tiles)
    arrays = commands.add_parser("arrays", help=f"area and power of arrays by kind of number, into {FOLDERS['arrays']}")
    arrays.set_defaults(run=run_arrays)
    datapaths = commands.add_parser("datapaths", help=f"cost of arrays of narrow weights, into {FOLDERS['datapaths']}")
    datapaths.set_defaults(run=run_datapaths)
    compression = commands.add_parser("compression", help=f"LeNet by Deep Compression, into {FOLDERS['compression']}")
    compression.set_defaults(run=run_compression)
    studies = [ristretto, dpred, tiles, arrays, datapaths, compression]
    for name, what in TRAINED.items():
        studies.append(commands.add_parser(name, help=f"{what}, into {FOLDERS[name]}"))
        longer = studies[-1].add_mutually_exclusive_group()
        longer.add_argument("--full", action="store_true", help="the long version")
        if name != "mnist":
            longer.add_argument("--data", metavar="FOLDER", help="of CIFAR-10: the papers' own networks")
        studies[-1].add_argument("--seeds", type=int, nargs="+", help="other ones than the page's")
        studies[-1].set_defaults(run=run_trained)
    for study in studies:
        study.add_argument("--docs", action="store_true", help=f"copy pages and pictures to {DOCS}")
    given = parser.parse_args()
    folder = FOLDERS[given.command]
    pages = given.run(given, folder)
    if given.docs and pages:
        for path in (*pages, *folder.glob("*.png")):
            shutil.copy(path, DOCS / path.name)
    for page in pages:
        print(f"written: {page}")


if __name__ == "__main__":
    command(main)
