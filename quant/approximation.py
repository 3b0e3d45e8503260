"""``python -m quant approximate``: its arguments, and what it does with them."""

from fractions import Fraction
from pathlib import Path

from golden import artefact
from golden.errors import InputError
from golden.network import Network
from quant.approximate import approximate
from quant.cache import BUILD
from quant.files import dataset
from quant.plan import Plan
from quant.report import text, write
from quant.rules import BIASES, SCHEMES
from quant.search import STEPS
from quant.settings import RULES
from quant.simulated import WEIGHTS
from quant.sources import source
from quant.space import NARROWEST, WIDEST
from quant.taken import taken
from quant.tune import OUTPUTS, Tuning

__all__ = ["FOLDER", "add_arguments", "run"]

FOLDER = BUILD.parent / "approximate"
WIDTHS = {"conv": "convolution weights", "dense": "dense weights", "outputs": "layer outputs", "all": "all numbers"}


def add_arguments(program):
    """The arguments of the command."""
    add = program.add_argument
    add("source", help="an ONNX or QONNX file, a file of torch.export (.pt2), or module:function")
    add("--data", required=True, help="mnist, fashion-mnist, an .npz file, or a folder: CIFAR-10, ImageNet or images")
    add("--scheme", help=f"{', '.join(SCHEMES)}; {Plan.scheme} by default; QONNX has its own formats")
    add("--margin", type=float, default=100 * Plan.margin, help="points of accuracy that may be lost, 0 to 100")
    for group, what in WIDTHS.items():
        add(f"--{group}", type=int, metavar="BITS", help=f"width of {what}, {NARROWEST} to {WIDEST}, not searched")
    add("--repair", default=Plan.step, metavar="STEP", help=f"by what widths grow again: {' or '.join(STEPS)}")
    add("--biases", metavar="KIND", help=f"{' or '.join(BIASES)}; what suits the scheme by default")
    add("--unsigned", action="store_true", help="unsigned outputs where a ReLU alone uses them")
    add("--accumulate", default=Plan.accumulate, metavar="KIND", help="exact; fp32, in a tree of 16 lanes; fp32x8, ...")
    add("--unit", default="1/255", help="what a step of a uint8 pixel is worth to the network")
    add("--tune", type=int, default=0, metavar="EPOCHS", help="epochs of fine-tuning")
    add("--rate", type=float, default=Tuning.rate, help="learning rate of fine-tuning")
    add("--rule", default=Tuning.rule, metavar="RULE", help=f"of fine-tuning: {', '.join(RULES)}")
    add("--shift", type=int, default=Tuning.shift, metavar="PIXELS", help="moves images at random while tuning")
    add("--tuned-weights", default=Tuning.weights, metavar="KIND", help=f"while tuning: {' or '.join(WEIGHTS)}")
    add("--tuned-outputs", default=Tuning.outputs, metavar="KIND", help=f"while tuning: {' or '.join(OUTPUTS)}")
    add("--lanes", type=int, default=Plan.lanes, help="of the MAC trees whose cycles and area are given")
    add(
        "--no-area",
        action="store_true",
        help="do not synthesise MAC trees, for accuracy against area: it takes minutes",
    )
    add("--seed", type=int, default=Plan.seed)
    add("--output", type=Path, metavar="FOLDER", help=f"of the artefact and the report, by default below {FOLDER}")


def plan(arguments):
    """The `Plan` of the arguments."""
    try:
        unit = float(Fraction(arguments.unit))
    except (ValueError, ZeroDivisionError):
        raise InputError(f"unit must be a number such as 1/255, not {arguments.unit!r}") from None
    if not 0 <= arguments.margin < 100:
        raise InputError(f"margin must be 0 to 100 points of accuracy, not {arguments.margin:g}")
    tuning = None
    if arguments.tune != 0:
        settings = {"rate": arguments.rate, "rule": arguments.rule, "shift": arguments.shift}
        settings |= {"weights": arguments.tuned_weights, "outputs": arguments.tuned_outputs}
        tuning = Tuning(epochs=arguments.tune, seed=arguments.seed, **settings)
    return Plan(
        scheme=Plan.scheme if arguments.scheme is None else arguments.scheme,
        margin=arguments.margin / 100,
        widths={group: bits for group in WIDTHS if (bits := getattr(arguments, group)) is not None},
        step=arguments.repair,
        biases=arguments.biases,
        unsigned=arguments.unsigned,
        accumulate=arguments.accumulate,
        tuning=tuning,
        lanes=arguments.lanes,
        unit=unit,
        seed=arguments.seed,
    )


def run(arguments):
    """Approximate, print the report, write the artefact and the report, and say where."""
    asked = plan(arguments)
    data = dataset(arguments.data, arguments.seed)
    found = source(arguments.source, tuple(data.train.images.shape[1:]))
    name = arguments.source.rpartition(":")[2] if ":" in arguments.source else Path(arguments.source).stem
    if isinstance(found, Network):
        if arguments.scheme is not None or asked.widths or asked.tuning is not None:
            raise InputError(f"{arguments.source} is quantised already: it is taken as it is, without scheme or tuning")
        network, figures = found, taken(found, data, asked, name=name)
    else:
        area = None if arguments.no_area else areas()
        result = approximate(found, data, asked, area=area, build=BUILD, name=name)
        network, figures = result.network, result.figures
    folder = arguments.output or FOLDER / f"{name}-{figures['scheme'].replace(' ', '-')}"
    artefact.save(folder / "network.safetensors", network)
    print(f"\n{text(figures)}")
    for path in (folder / "network.safetensors", *write(figures, folder)):
        print(path)


def areas():
    """(MacSpec, lanes) → area of its MAC tree in gate equivalents, by synthesis; without it None, said in a line."""
    try:
        from synth.library import find
        from synth.trees import tree_area

        find()
    except ModuleNotFoundError as error:
        print(f"no areas: the Python package {error.name} is not installed: run make tools")
        return None
    except InputError as error:
        print(f"no areas: {error}")
        return None

    def area(spec, lanes):
        print(f"  area of {lanes} lanes: {spec.a} times {spec.w}, to {spec.y}", end="", flush=True)
        found = tree_area(spec, lanes)
        print(f", {found:,.0f} GE")
        return found

    return area
