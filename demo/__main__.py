"""From nothing to measured Verilog: train, quantise, golden, simulate, synthesise."""

import json
import sys
import time
from pathlib import Path

from demo.picture import draw
from golden.errors import Parser, command, replacing
from golden.network import classify
from golden.systolic import utilisation
from rtl.targets import target

__all__ = ["main"]

BUILD = Path("build/demo")
ARRAY = "ternary_gemm"
IMAGES = 64
PICTURED = 16


class Progress:
    """Says what is being done, and how long each step took."""

    def __init__(self, steps):
        self.began = self.last = time.perf_counter()
        self.steps, self.step = steps, 0

    def __call__(self, what):
        self.step += 1
        print(f"\n[{self.step}/{self.steps}] {what}", flush=True)

    @property
    def minutes(self):
        """Time since the start, as text."""
        seconds = round(time.perf_counter() - self.began)
        return f"{seconds // 60} min {seconds % 60} s"


def simulate(network, images):
    """Every layer of `network` through the Verilog of its target: the rows of the table, as dictionaries."""
    from tb.network import run_network

    rows = []
    for layer in run_network(network, images):
        rows.append(vars(layer))
        print(
            f"      {layer.name:<12} on {layer.target:<13} {layer.cycles:>9,} cycles, "
            f"utilisation {layer.utilisation:6.1%}, every result and the cycle model equal",
            flush=True,
        )
    return rows


def real_operands(network, images):
    """Activations and weights of the second convolution: two tiles down, two across, as deep as its K allows, to 64."""
    product = list(network.gemms(images[:1]))[1]
    return {"a": product.a[:16, :64], "w": product.w[:64, :16]}


def cost(operands):
    """Area and clock of the array's core and of its PE, and the core's power under `operands`, from synthesis."""
    from synth.library import find
    from synth.measure import measure, views

    library = find()
    engine = target(ARRAY).engine()
    found = {"library": library.name, "size": f"{engine.rows} x {engine.cols}"}
    for view in views(target(ARRAY), engine):
        if view.name in ("core", "pe"):
            print(f"      {view.module}", flush=True)
            row = measure(view, library, operands)
            netlist = row["netlists"]["area"]
            found[view.name] = {key: netlist[key] for key in ("area_um2", "gate_equivalents")} | netlist["timing"]
            found[view.name]["power_mw"] = row["power"]["total_mw"]
    return found


def table(report):
    """The report as the lines of one table."""
    simulated, cost = report["simulated"], report["cost"]
    lines = [
        (f"float accuracy, {report['images']:,} test images", f"{report['float']:.2%}"),
        (f"ternary accuracy, {report['images']:,} test images, golden integers", f"{report['ternary']:.2%}"),
        ("integers compared between torch and golden, all equal", f"{report['compared']:,}"),
        (f"right, of {simulated['images']} images through the Verilog", f"{simulated['right']}"),
    ]
    for row in simulated["layers"]:
        used = f"{row['cycles']:>9,} cycles, {row['utilisation']:6.1%} used"
        lines.append((f"  {row['name']} on {row['target']}", used))
    lines.append(("utilisation of the array, all layers", f"{simulated['utilisation']:.1%}"))
    for view, what in (("core", f"{ARRAY}, {cost['size']}, without AXI ports"), ("pe", "one processing element of it")):
        row = cost[view]
        area = f"{row['gate_equivalents']:,.0f} GE = {row['area_um2']:,.0f} um2"
        lines.append((what, f"{area}, {1e3 / row['period_ns']:.0f} MHz"))
    lines.append(("power of the array at that clock, real activations", f"{cost['core']['power_mw']:,.0f} mW"))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def main():
    Parser(prog="python -m demo", description=__doc__).parse_args(sys.argv[1:])
    say = Progress(5)
    say("train LeNet on MNIST in float, then with ternary weights (cached under build/)")
    from quant.data import mnist
    from quant.recipes import recipe
    from quant.results import result

    real = result(recipe("lenet", "float"))
    ternary = result(recipe("lenet", "ternary,edges=ternary"))
    print(f"      float {real.figures['test']:.2%}, ternary {ternary.figures['test']:.2%}; artefact {ternary.artefact}")

    test = mnist().test
    images, labels = test.images[:IMAGES].numpy(), test.labels[:IMAGES].numpy()
    say(f"golden: the first {IMAGES} test images on integers alone")
    logits = ternary.network.run(images)
    classes = classify(logits)
    print(f"      {int((classes == labels).sum())} of {IMAGES} right")

    say("the same layers through Verilog in Verilator, every result compared with golden's")
    layers = simulate(ternary.network, images)
    used = [row for row in layers if row["macs"]]
    macs, cycles = (sum(row[key] for row in used) for key in ("macs", "cycles"))

    say("area and clock of that Verilog (Yosys, OpenSTA)")
    report = {
        "float": real.figures["test"],
        "ternary": ternary.figures["test"],
        "images": ternary.figures["images"],
        "compared": sum(ternary.figures["compared"].values()),
        "simulated": {
            "images": IMAGES,
            "right": int((classes == labels).sum()),
            "layers": layers,
            "utilisation": utilisation(target(ARRAY).engine().shape, macs, cycles),
        },
        "cost": cost(real_operands(ternary.network, images)),
    }

    say("report")
    caption = f"LeNet, ternary weights, 8-bit activations: what {ARRAY} made of these digits"
    draw(BUILD / "digits.png", images[:PICTURED], classes[:PICTURED], labels[:PICTURED], caption)
    text = table(report)
    for name, content in (("report.json", json.dumps(report, indent=1)), ("report.txt", text)):
        with replacing(BUILD / name) as temporary:
            temporary.write_text(content + "\n")
    print(f"\n{text}\n")
    print(f"{BUILD / 'digits.png'} shows some digits, {BUILD / 'report.json'} holds all figures. {say.minutes}.")


if __name__ == "__main__":
    command(main)
