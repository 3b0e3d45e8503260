"""What a design takes on two FPGA families, from Yosys, before placement.

A module that is placed more than once is mapped once, as in `flow`.
"""

import json
import tempfile
from pathlib import Path

from synth.flow import keep_repeated, yosys

__all__ = ["resources", "FAMILIES"]

# family: (mapping pass, look-up tables, flip-flops, carry cells) by the beginnings of their cells' names
FAMILIES = {
    "ice40": ("synth_ice40 -dsp -top {top}", ("SB_LUT4",), ("SB_DFF",), ("SB_CARRY",), ("SB_MAC16",)),
    "ecp5": ("synth_ecp5 -top {top}", ("LUT4",), ("TRELLIS_FF",), ("CCU2C",), ("MULT18X18D",)),
}
KINDS = ("luts", "flip_flops", "carries", "multipliers")


def resources(verilog, top):
    """Cells of module `top` of `verilog` by family and kind."""
    found = {}
    for family, (mapping, *kinds) in FAMILIES.items():
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "design.v", Path(folder) / "stat.json"
            source.write_text(verilog)
            yosys(f"{keep_repeated(source, verilog, top)}\n{mapping.format(top=top)}\ntee -q -o {out} stat -json\n")
            text = out.read_text()
        cells = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
        found[family] = {
            kind: sum(count for name, count in cells.items() if name.startswith(names))
            for kind, names in zip(KINDS, kinds, strict=True)
        }
    return found
