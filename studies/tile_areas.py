"""What bit-serial tiles of 16-bit hardware cost beside the bit-parallel one of equal throughput, in one library."""

from golden.errors import InputError
from rtl.generate import generate
from rtl.targets import target
from synth.flow import map_design
from synth.library import find
from synth.measure import measure, views

__all__ = ["TILES", "areas", "composed", "markdown"]

LANES, FILTERS, WINDOWS, WIDTH = 16, 4, 4, 16
FORMATS = {"lanes": LANES, "a": f"int{WIDTH}", "w": f"int{WIDTH}", "acc_width": 48}
SERIAL = FORMATS | {"filters": FILTERS, "windows": WINDOWS}
TILES = {  # name → target, parameters; of all but Loom, which is a quarter of it, the same 16-bit products a cycle
    "bit-parallel": ("parallel_tile", FORMATS | {"filters": FILTERS * WINDOWS // WIDTH}),
    "Stripes": ("stripes", SERIAL),
    "Dynamic Stripes": ("dynamic_stripes", SERIAL),
    "Dynamic Stripes, 4 groups": ("dynamic_stripes", SERIAL | {"groups": 4}),
    "Dynamic Stripes, 4 groups, one pass ahead": ("dynamic_stripes", SERIAL | {"groups": 4, "run_ahead": 1}),
    "Loom": ("loom", SERIAL | {"filters": 4 * FILTERS}),
}


def areas(operands, precision, tiles=TILES):
    """JSON values of the tiles.

    Parameters
    ----------
    operands : (a, w)
        Integer matrices under which cycles and energy are measured.
    precision : int
        Bits of the layer's activations in two's complement.

    Raises
    ------
    InputError
        If the library is missing, or a netlist is not sound.
    """
    library, rows = find(), []
    for name, (of, settings) in tiles.items():
        row = target(of)
        engine = row.engine(**settings)
        given = engine.check(engine.operands_of(*operands, precision))
        found = {view.name: view for view in views(row, engine) if view.name in ("core", "sip")}
        core = measure(found["core"], library, given)
        if core["problems"]:
            raise InputError(f"{name}: {core['problems'][0]}")
        unit = map_design(found["sip"].verilog, found["sip"].module, library, ("area",))["area"]
        rows.append(
            {
                "name": name,
                "target": of,
                "settings": engine.settings(),
                "gate_equivalents": core["netlists"]["area"]["gate_equivalents"],
                "sip_gate_equivalents": library.area(unit.cells) / library.gate_equivalent,
                "full_width_products": engine.throughput["per_cycle"],
                "period_ns": core["netlists"]["speed"]["timing"]["period_ns"],
                "speed_gate_equivalents": core["netlists"]["speed"]["gate_equivalents"],
                "cycles": engine.cycles(given),
                "macs": given["a"].size * given["w"].shape[1],
                "energy_pj": core["power"]["energy_per_operation_pj"],
            }
        )
        print(f"{name}: {rows[-1]['gate_equivalents']:,.0f} GE, {rows[-1]['period_ns']:.2f} ns", flush=True)
    return rows


def flat(of, settings, library):
    """Gate equivalents of a target mapped flat."""
    row = target(of)
    verilog, _ = generate(row, row.engine(**settings))
    return library.area(map_design(verilog, row.name, library, ("area",))["area"].cells) / library.gate_equivalent


def composed(of="dynamic_stripes", settings=SERIAL):
    """The 16 x 16 x 16 tile, too large to be mapped flat, from flat ones of 2 and 4 windows and filters: JSON values.

    What a tile takes is linear in windows, in filters and in their product; four sizes say how, a fifth checks it.
    """
    library = find()
    sizes = ((2, 2), (4, 2), (2, 4), (4, 4), (3, 3))
    found = {size: flat(of, settings | dict(zip(("windows", "filters"), size)), library) for size in sizes}
    (a, b, c, d) = (found[size] for size in sizes[:4])
    unit = (d - b - c + a) / 4  # of each further unit
    window, filter_ = (b - a) / 2 - 2 * unit, (c - a) / 2 - 2 * unit
    rest = a - 4 * unit - 2 * window - 2 * filter_

    def at(windows, filters):
        return rest + windows * window + filters * filter_ + windows * filters * unit

    return {
        "target": of,
        "flat": {f"{windows} x {filters}": value for (windows, filters), value in found.items()},
        "check": {"composed": at(3, 3), "flat": found[3, 3]},
        "unit": unit,
        "16 x 16": at(16, 16),
    }


def markdown(rows, large):
    """The rows as a table, per area and per energy beside the bit-parallel tile."""
    base = rows[0]
    head = "| tile | 16-bit products a cycle | GE | of it a unit | GE, fast | period, ns | cycles | speed | speed per GE "
    lines = [head + "| pJ a product | speed per energy |", "|---|" + "---:|" * 10]
    for row in rows:
        speed = base["cycles"] * base["period_ns"] / (row["cycles"] * row["period_ns"])
        dense = speed * base["speed_gate_equivalents"] / row["speed_gate_equivalents"]
        cells = [row["name"], f"{row['full_width_products']:g}"]
        cells += [f"{row['gate_equivalents']:,.0f}", f"{row['sip_gate_equivalents']:,.0f}"]
        cells += [f"{row['speed_gate_equivalents']:,.0f}", f"{row['period_ns']:.2f}", f"{row['cycles']:,}"]
        cells += [f"{speed:.2f}", f"{dense:.2f}", f"{row['energy_pj']:.1f}", f"{base['energy_pj'] / row['energy_pj']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    check = large["check"]
    lines += [
        "",
        f"`{large['target']}` of 16 lanes, 16 filters and 16 windows, composed of flat ones: {large['16 x 16']:,.0f} GE, "
        f"{large['unit']:,.0f} of them for each unit; the same composition of 3 x 3 gives {check['composed']:,.0f} GE, mapped "
        f"flat it is {check['flat']:,.0f} GE ({check['composed'] / check['flat'] - 1:+.1%}).",
    ]
    return "\n".join(lines) + "\n"
