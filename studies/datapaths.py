"""What systolic arrays of narrow weights cost, beside those of ternary and of 8-bit weights, in one library."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from golden.errors import InputError, replacing
from rtl.targets import target
from synth.library import find
from synth.measure import measure, views

__all__ = ["ARRAYS", "LANES", "areas", "lanes", "markdown", "write"]

SEED = 1
STEPS = 32  # k-steps of the tile under which power is measured
ARRAYS = (  # target, parameters
    ("int8_gemm", {}),
    ("codebook_gemm", {}),
    ("ternary_gemm", {}),
    ("ttq_gemm", {}),
    ("binary_gemm", {}),
    ("pow2_gemm", {}),
    ("log_gemm", {}),
    ("xnor_gemm", {}),
)
LANES = (  # of a requantisation: parameters
    {"y": "uint8"},
    {"y": "upow2z_4"},
    {"y": "binary", "m_width": 2, "b_width": 33},
)


def sound(what, row):
    """The figures `row`, if the netlist is sound."""
    if row["problems"]:
        raise InputError(f"{what}: {row['problems'][0]}")
    return row


def array(library, name, settings):
    """JSON values of an array."""
    row = target(name)
    engine = row.engine(**settings)
    k = STEPS * engine.throughput["per_cycle"] // (engine.rows * engine.cols)
    operands = engine.check(engine.stimulus(np.random.default_rng(SEED), m=engine.rows, k=k, n=engine.cols))
    found = {view.name: view for view in views(row, engine) if view.name in ("core", "pe")}
    core, pe = (sound(f"{name} {settings}", measure(found[view], library, operands)) for view in ("core", "pe"))
    return {
        "target": name,
        "settings": settings,
        "parameters": engine.settings(),
        "pe": figures(pe),
        "core": figures(core),
        "products": engine.throughput["per_cycle"],
        "energy_pj": core["power"]["energy_per_operation_pj"],
    }


def figures(row):
    """Area and clock of a netlist for area and of one for speed."""
    return {
        "gate_equivalents": row["netlists"]["area"]["gate_equivalents"],
        "period_ns": row["netlists"]["area"]["timing"]["period_ns"],
        "fast_period_ns": row["netlists"]["speed"]["timing"]["period_ns"],
        "flip_flops": row["netlists"]["area"]["flip_flops"],
    }


def lane(library, settings):
    """JSON values of a lane of `requant`."""
    row = target("requant")
    engine = row.engine(lanes=1, **settings)
    [view] = [view for view in views(row, engine) if view.name == "lane"]
    found = sound(f"requant {settings}", measure(view, library))
    return {"settings": settings, "parameters": engine.settings(), "lane": figures(found)}


def areas(arrays=ARRAYS):
    """JSON values of `arrays`, a dictionary each.

    Raises
    ------
    InputError
        If the library is missing, or a netlist is not sound.
    """
    library = find()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda row: array(library, *row), arrays))


def lanes(settings=LANES):
    """The same of requantisation lanes."""
    library = find()
    return [lane(library, one) for one in settings]


def spelled(settings):
    """Parameters as they are typed, in code."""
    return " ".join(f"`{key}={value}`" for key, value in settings.items())


def table(head, rows):
    """Rows of text as a table, the first column left, the others right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)) + "\n"


def markdown(arrays, requants):
    """The page."""
    base = {row["target"]: row for row in arrays}
    head = ["array", "accumulator", "PE, GE", "of `ternary_gemm`", "of `int8_gemm`", "PE, ns", "core, GE", "core, ns"]
    head += ["fast, ns", "products a cycle", "core GE a product", "pJ a product"]
    rows = []
    for row in arrays:
        pe, core, area = row["pe"], row["core"], row["pe"]["gate_equivalents"]
        cells = [f"`{row['target']}` {spelled(row['settings'])}".strip(), f"{row['parameters']['acc_width']}"]
        shares = (area / base[name]["pe"]["gate_equivalents"] for name in ("ternary_gemm", "int8_gemm"))
        cells += [f"{area:,.0f}", *(f"{share:.2f}" for share in shares), f"{pe['period_ns']:.2f}"]
        cells += [f"{core['gate_equivalents']:,.0f}", f"{core['period_ns']:.2f}", f"{core['fast_period_ns']:.2f}"]
        cells += [f"{row['products']:,}", f"{core['gate_equivalents'] / row['products']:,.1f}", f"{row['energy_pj']:.2f}"]
        rows.append(cells)
    lines = [
        "# Area, clock and energy of the datapaths",
        "",
        "Written by `.venv/bin/python -m studies datapaths`. Gate equivalents (GE) and nanoseconds of the library of "
        "`make synth`; netlists for area, *fast* those with sized gates; energy under random operands. Arrays of 8 × 8 at "
        "their defaults unless it says more; `ttq_gemm` has two accumulators of that width, `xnor_gemm` counts in one bit "
        "less.",
        "",
        table(head, rows),
        "A lane of `requant`, for accumulators of 32 bits:",
        "",
        "",
    ]
    cells = []
    for row in requants:
        found = row["lane"]
        cells.append([spelled(row["settings"]), f"{found['gate_equivalents']:,.0f}", f"{found['period_ns']:.2f}"])
        cells[-1].append(f"{found['flip_flops']}")
    return "\n".join(lines) + table(["results", "GE", "ns", "flip-flops"], cells)


def write(folder):
    """Measure everything; ``datapath_areas.json`` and ``.md`` in `folder`. Returns the path of the page."""
    found = {"arrays": areas(), "lanes": lanes()}
    page = folder / "datapath_areas.md"
    texts = {page.with_suffix(".json"): json.dumps(found, indent=1), page: markdown(found["arrays"], found["lanes"])}
    for path, text in texts.items():
        with replacing(path) as temporary:
            temporary.write_text(text)
    return page
