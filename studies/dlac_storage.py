"""What a PE of the zero-skipping grid must store to be how fast, and what that costs: ``make dlac_storage``.

Speed-up is over the same grid without skipping, of one large tile with independent zeros. Beside the lanes of this grid
stands a queue of whole k-steps, worked on in order, as DLAC's text suggests: without the hazards of an adder, which would
make it slower, and with steps that have no product leaving it for nothing.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from golden.dlac_grid import GridShape, masks
from golden.dlac_schedule import mm_cycles
from golden.errors import replacing
from rtl.dlac_pe import DlacElement
from rtl.generate import generate
from rtl.targets import target
from rtl.verilog import emit
from synth.flow import map_design, yosys
from synth.library import find

__all__ = ["areas", "grids", "markdown", "picture", "queue_cycles", "speeds", "write"]

DENSITY, K, TILES, SEED = 0.4, 2304, 2, 1
QUEUE = 16
DEPTHS = (4, 6, 8, 10, 12, 14)
LATENCIES = (1, 2, 3, 4, 5)
PES = {  # name → target, parameters
    "FP32": ("dlac_fp32", {}),
    "FP32, depth 8": ("dlac_fp32", {"depth": 8}),
    "FP32, nothing skipped": ("dlac_fp32", {"skip": "none"}),
    "FP32, nothing skipped, depth 2": ("dlac_fp32", {"skip": "none", "depth": 2}),
    "FP32, weights in FP32, depth 6": ("dlac_fp32", {"w": "fp32", "depth": 6}),
    "FP16": ("dlac_fp16", {}),
    "FP16, nothing skipped, depth 2": ("dlac_fp16", {"skip": "none", "depth": 2}),
}


def queue_bits(shape, width):
    """Bits of a queue of k-steps: activations, their mask, ternary weights, the mask of the products; and of buffers."""
    step = shape.pixels * (width + 1) + 2 * shape.filters + max(shape.pixels, shape.filters)
    return QUEUE * step, shape.buffers * width


def queue_cycles(shape, depth, a_on, w_on):
    """Cycles of a tile, a_on [K, tile_rows] and w_on [K, tile_cols], on PEs with queues of `depth` k-steps."""
    k = len(a_on)
    a = a_on.reshape(k, shape.rows, 1, shape.pixels).sum(axis=-1)
    products = a * w_on.reshape(k, 1, shape.cols, shape.filters).sum(axis=-1)
    left = np.zeros((depth, shape.rows, shape.cols), np.int64)  # of each entry, in order
    held, taken, cycle = np.zeros(left.shape[1:], np.int64), 0, 0
    while taken < k or held.any():
        room = held.max() < depth
        left[0] -= np.minimum(left[0], shape.issue)
        while (done := (left[0] == 0) & (held > 0)).any():
            left[:-1] = np.where(done, left[1:], left[:-1])
            left[-1] = np.where(done, 0, left[-1])
            held -= done
        if room and taken < k:
            np.put_along_axis(left, held[None], products[None, taken], axis=0)
            held, taken = held + 1, taken + 1
        cycle += 1
    return cycle


def speeds(shape=GridShape(), k=K, tiles=TILES):
    """JSON values: the bound, and bits and speed-up of the queue, of lanes of every depth, and for every latency."""
    rng = np.random.default_rng(SEED)
    a, w = rng.random((tiles * shape.tile_rows, k)) < DENSITY, rng.random((k, shape.tile_cols)) < DENSITY
    on, dense = masks(shape, a, w), k * shape.dense_step

    def lanes(**changed):
        return float(dense / mm_cycles(GridShape(**vars(shape) | changed), *on).mean())

    queue = [queue_cycles(shape, QUEUE, tile, on[1][0]) for tile in on[0]]
    return {
        "bound": float(1 / (a.mean() * w.mean())),
        "queue": {"depth": QUEUE, "bits": queue_bits(shape, 32), "speed": float(dense / np.mean(queue))},
        "lanes": [
            {"depth": depth, "bits": GridShape(**vars(shape) | {"depth": depth}).storage_bits(32), "speed": lanes(depth=depth)}
            for depth in DEPTHS
        ],
        "latencies": [{"latency": latency, "speed": lanes(adder_latency=latency)} for latency in LATENCIES],
    }


def gates(verilog, module, library):
    """Gate equivalents of a module, and of its registers."""
    cells = map_design(verilog, module, library, ("area",))["area"].cells
    return [library.area(which) / library.gate_equivalent for which in (cells, library.sequential(cells))]


def areas(pes=PES):
    """JSON values: gate equivalents of PEs, whole and their registers, and of their parts."""
    library, found = find(), {}
    for name, (of, settings) in pes.items():
        parts = target(of).engine(**settings).parts()
        modules = {part: f"{of}_{part}" for part in parts}
        found[name] = {part: gates(emit(parts[part], module), module, library) for part, module in modules.items()}
        print(f"{name}: {found[name]['pe'][0]:,.0f} GE", flush=True)
    return found


def grids(settings=None, targets=("dlac_fp32", "dlac_fp16")):
    """JSON values: grids of 2 x 2 PEs, mapped a PE at a time and flat, and what of them is outside of PEs."""
    library, found = find(), {}
    for of in targets:
        engine = target(of).engine(**settings or {})
        verilog, _ = generate(target(of), engine)
        name = f"{of}_pe"
        pe = gates(emit(DlacElement(shape=engine.shape, fmt=engine.a), name), name, library)[0]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / "design.v").write_text(verilog)
            read = f"read_verilog {path}/design.v\nhierarchy -check -top {of}\nproc\nflatten\nopt_clean\n"
            yosys(read + f"write_verilog -noattr {path}/flat.v")
            flat = (path / "flat.v").read_text()
        composed = gates(verilog, of, library)[0]
        found[of] = {"pe": pe, "composed": composed, "flat": gates(flat, of, library)[0], "pes": engine.rows * engine.cols}
        print(f"{of}: {composed:,.0f} GE by module, {found[of]['flat']:,.0f} GE flat", flush=True)
    return found


def markdown(study):
    """The page."""
    speed, pes, whole = (study[key] for key in ("speeds", "areas", "grids"))
    queue, bound = speed["queue"], speed["bound"]
    lines = [
        "# DLAC: storage, speed and area",
        "",
        f"Speed-up over the same grid without skipping, 16 × 16 PEs of 16 buffers and 2 units, adder latency 3; independent "
        f"zeros, densities {DENSITY} and {DENSITY}; a tile of {K} k-steps. The bound is {bound:.2f}. Written by `make "
        "dlac_storage`.",
        "",
        "![Storage and speed-up](dlac-storage.png)",
        "",
        "| a PE's FIFO | bits | of it buffers | speed-up | of the bound |",
        "|---|---:|---:|---:|---:|",
    ]
    rows = [(f"{queue['depth']} k-steps, in order, no hazards", queue)]
    rows += [(f"4 lanes of {row['depth']} activations", row) for row in speed["lanes"]]
    for name, row in rows:
        share = row["speed"] / bound
        lines.append(f"| {name} | {sum(row['bits']):,} | {row['bits'][1]:,} | {row['speed']:.2f} | {share:.0%} |")
    lines += ["", "| adder latency, lanes of 14 | speed-up |", "|---:|---:|"]
    lines += [f"| {row['latency']} | {row['speed']:.2f} |" for row in speed["latencies"]]
    lines += ["", "| PE | GE | of it registers | a lane | a multiply-adder |", "|---|---:|---:|---:|---:|"]
    for name, row in pes.items():
        cells = (f"{value:,.0f}" for value in (*row["pe"], row["lane"][0], row["fma"][0]))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| 2 × 2 PEs | a PE | by module | flat | |", "|---|---:|---:|---:|---:|"]
    for name, row in whole.items():
        values = " | ".join(f"{row[key]:,.0f}" for key in ("pe", "composed", "flat"))
        lines.append(f"| `{name}` | {values} | {row['flat'] / row['composed'] - 1:+.1%} |")
    first, second = whole.values()
    ratios = ", ".join(f"{what} {first[key] / second[key]:.2f}" for what, key in (("by module", "composed"), ("flat", "flat")))
    lines += ["", f"FP32 to FP16: {ratios}; published 2.02."]
    return "\n".join(lines) + "\n"


def picture(study, path):
    """Storage and speed-up."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    speed = study["speeds"]
    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    lanes = speed["lanes"]
    axes.plot([sum(row["bits"]) for row in lanes], [row["speed"] for row in lanes], "o-", label="lanes")
    for row in lanes:
        axes.annotate(row["depth"], (sum(row["bits"]), row["speed"]), (4, -12), textcoords="offset points", fontsize=8)
    queue = speed["queue"]
    axes.plot([sum(queue["bits"])], [queue["speed"]], "s", label=f"queue of {queue['depth']} k-steps")
    for share, style in ((1, "-"), (0.85, ":")):
        axes.axhline(share * speed["bound"], color="0.5", linestyle=style, linewidth=1)
        axes.annotate("bound" if share == 1 else f"{share:.0%}", (1000, share * speed["bound"]), (0, 3), textcoords="offset points", fontsize=8)
    axes.set(xlabel="bits a PE stores, FIFO and buffers", ylabel="speed-up", xlim=(950, None))
    axes.legend(loc="lower right")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=140, metadata={"Software": None})
    pyplot.close(figure)


def write(folder):
    """Measure, and write ``dlac_storage.json``, the page and its picture to `folder`; the page."""
    folder = Path(folder)
    study = {"seed": SEED, "speeds": speeds(), "areas": areas(), "grids": grids()}
    with replacing(folder / "dlac_storage.json") as temporary:
        temporary.write_text(json.dumps(study, indent=1) + "\n")
    picture(study, folder / "dlac-storage.png")
    page = folder / "dlac_storage.md"
    with replacing(page) as temporary:
        temporary.write_text(markdown(study))
    return page
