"""What a PE of the zero-skipping grid costs beside one that skips nothing, in one library, and the speed for that."""

from golden.errors import InputError
from rtl.targets import target
from rtl.verilog import emit
from synth.flow import map_design
from synth.library import find

__all__ = ["PES", "areas", "per_area"]

DENSE = {"skip": "none", "depth": 2}  # all lanes move together: two entries keep a PE busy
PES = {  # name → target, parameters
    "fp32": ("dlac_fp32", {}),
    "fp32_dense": ("dlac_fp32", DENSE),
    "fp32_training": ("dlac_fp32", {"w": "fp32"}),
    "fp32_training_dense": ("dlac_fp32", {"w": "fp32"} | DENSE),
    "fp16": ("dlac_fp16", {}),
    "fp16_dense": ("dlac_fp16", DENSE),
}


def areas(pes=PES):
    """JSON values: gate equivalents of a PE and of what it is made of, mapped flat.

    Raises
    ------
    InputError
        If a PE's netlist has no area.
    """
    library, found = find(), {}
    for name, (of, settings) in pes.items():
        engine = target(of).engine(**settings)
        parts = {}
        for part, component in engine.parts().items():
            module = f"{of}_{part}"
            mapped = map_design(emit(component, module), module, library, ("area",))["area"]
            parts[part] = library.area(mapped.cells) / library.gate_equivalent
        if not parts.get("pe"):
            raise InputError(f"{name}: the PE of {of} has no cells")
        lanes, buffers = engine.shape.storage_bits(engine.a.width)
        found[name] = {"target": of, "settings": engine.settings(), "gate_equivalents": parts, "bits": [lanes, buffers]}
        print(f"{name}: {parts['pe']:,.0f} GE a PE", flush=True)
    return found


def per_area(areas, flop, dense_flop, name="fp32", base="fp32_dense"):
    """How many more operations a cycle a gate does in PE `name` at `flop` than in PE `base` at `dense_flop`."""
    gates = areas[base]["gate_equivalents"]["pe"] / areas[name]["gate_equivalents"]["pe"]
    return flop / dense_flop * gates
