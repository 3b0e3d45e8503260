"""What a PE of the zero-skipping grid must store to be how fast, and what that costs: ``make dlac_storage``.

Speed-up is over the same grid without skipping, of one large tile with independent zeros. Beside the lanes of this grid
stands a queue of whole k-steps, worked on in order, as DLAC's text suggests: without the hazards of an adder, which would
make it slower, and with steps that have no product leaving it for nothing.
"""

import json
from pathlib import Path

import numpy as np

from golden.dlac_grid import GridShape, masks
from golden.dlac_schedule import mm_cycles
from golden.errors import replacing
from studies.dlac_areas import areas, grids

__all__ = ["markdown", "picture", "queue_bits", "queue_cycles", "speeds", "write"]

DENSITY, K, TILES, SEED = 0.4, 2304, 2, 1
QUEUE = 16
DEPTHS = (4, 6, 8, 10, 12, 14)
LATENCIES = (1, 2, 3, 4, 5)


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
    lines += ["", "| PE | GE | of it registers | a lane | a multiply-adder | clock, ns |", "|---|---:|---:|---:|---:|---:|"]
    for name, row in pes.items():
        cells = (f"{value:,.0f}" for value in (*row["pe"], row["lane"][0], row["fma"][0]))
        lines.append(f"| {name} | {' | '.join(cells)} | {row['period_ns']:.2f} |")
    lines += ["", "| grid, GE | PEs | a PE | beside the PEs | composed | flat | |", "|---|---:|---:|---:|---:|---:|---:|"]
    for name, of in whole.items():
        for row in of["grids"]:
            cells = [f"`{name}`", " × ".join(map(str, row["pes"]))]
            cells += [f"{value:,.0f}" for value in (of["pe"], row["beside"], row["composed"])]
            flat = [f"{row['flat']:,.0f}", f"{row['flat'] / row['composed'] - 1:+.1%}"] if "flat" in row else ["", ""]
            lines.append(f"| {' | '.join(cells + flat)} |")
    lines += [
        "",
        "*Composed*: as many times a PE that is mapped alone, and what the grid has beside its PEs, mapped with these left "
        "empty: words of the columns, control, zero detectors, the way out of results. The small grid, mapped flat, shows "
        "how far that is from the whole.",
        "",
        f"FP32 to FP16: {ratios(*whole.values())}; published 2.02.",
    ]
    return "\n".join(lines) + "\n"


def ratios(first, second):
    """Areas of the grids of `first` over those of `second`, in words."""
    found = []
    for one, other in zip(first["grids"], second["grids"], strict=True):
        size = " × ".join(map(str, one["pes"]))
        found += [f"{size} {key} {one[key] / other[key]:.2f}" for key in ("composed", "flat") if key in one]
    return ", ".join(found)


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
