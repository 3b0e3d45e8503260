"""``python -m quant``: train a network, tabulate accuracies, approximate a network of the user's."""

from golden.errors import Parser, assignments, command


def parser():
    """The command line."""
    from quant import approximation  # not above: without torch, `command` says what is missing
    from quant.cache import BUILD
    from quant.models import NETWORKS
    from quant.recipes import METHODS
    from quant.schemes import ACTIVATIONS, WEIGHTS, listed

    program = Parser(prog="python -m quant", description="Train networks, quantise them, export them to golden.")
    commands = program.add_subparsers(dest="command", required=True, parser_class=Parser)
    train = commands.add_parser("train", help="train a network, or find it trained, and say what it reaches")
    settings = "resnet20:width=2 has twice the filters, resnet20:first=2 in the first third of its layers alone"
    train.add_argument("network", help=f"one of {', '.join(NETWORKS)}; {settings}")
    train.add_argument(
        "--weights",
        default="float",
        help=f"{listed(WEIGHTS)}; the first and the last layer have 8 bits, or edges=SCHEME; LAYER=SCHEME for some",
    )
    train.add_argument(
        "--activations",
        default="",
        help=f"{listed(ACTIVATIONS)}; by default int8, or float with float weights; what the last layer reads has "
        "8 bits, or edges=SCHEME; NODE=SCHEME for some; input=SCHEME for the pixels",
    )
    sets = "mnist, fashion-mnist, an .npz file of uint8 images x and classes y, a folder of CIFAR-10, ImageNet or images"
    train.add_argument("--data", default="mnist", help=sets)
    train.add_argument("--method", default="", help=f"one or more of {', '.join(METHODS)}, joined by +")
    train.add_argument("--teacher", metavar="NETWORK", help="whose float version teaches; by default the same")
    train.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings of training: rate=1e-3")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--epochs", type=int, help="of this run; 0 only calibrates a quantised network")
    table = commands.add_parser("accuracy", help=f"table of accuracies over seeds, into {BUILD}/accuracy.json and .md")
    table.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    narrow = commands.add_parser("approximate", help="a network of yours in narrow numbers: artefact and report")
    approximation.add_arguments(narrow)
    return program


def main():
    arguments = parser().parse_args()
    from golden.layer_tables import fitted
    from quant import approximation
    from quant.accuracy import accuracy, markdown
    from quant.cache import trained
    from quant.files import pictures
    from quant.parallel import first, processes
    from quant.recipes import recipe
    from quant.results import result

    if arguments.command == "approximate":
        approximation.run(arguments)
        return
    if arguments.command == "accuracy":
        print(markdown(accuracy(arguments.seeds)))
        return
    given = {name: getattr(arguments, name) for name in ("seed", "epochs", "method", "teacher")}
    given["settings"] = assignments(arguments.set)
    recipe(arguments.network, arguments.weights, arguments.activations, **given)  # before data are looked for
    data = pictures(arguments.data)
    shape, classes = data.train.images.shape[1:], int(data.train.labels.max()) + 1
    names = arguments.network, arguments.teacher
    network, given["teacher"] = (name and fitted(name, shape, classes) for name in names)
    asked = recipe(network, arguments.weights, arguments.activations, **given)
    with processes():
        trained(asked, data)
        alone = first()
    if not alone:
        return
    found = result(asked, data)
    by = "torch" if found.network is None else "golden"
    figures = found.figures
    print(f"{figures['title']}: {figures['test']:.2%} of {figures['images']:,} test images by {by}, ", end="")
    print(f"held-out {figures['held_out']:.2%} at epoch {figures['epoch']} of {figures['epochs']}")
    if found.artefact is not None:
        total = sum(figures["compared"].values())
        print(f"torch and golden agree on all {total:,} integers of {len(figures['compared'])} tensors")
        print(f"artefact: {found.artefact}")


if __name__ == "__main__":
    command(main)
