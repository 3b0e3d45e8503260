"""RTLIL text made ready for Verilog that people read and linters pass."""

import re
from collections import Counter

__all__ = ["tidy"]

CELL = r"^  cell {kind} (?P<name>\S+)\n(?P<body>.*?)^  end\n"
SUMS = re.compile(CELL.format(kind=r"\$(?:add|sub|mul)"), re.M | re.S)
BALANCED = re.compile(CELL.format(kind=r"\$(?:add|sub|lt|le|gt|ge|eq|ne)"), re.M | re.S)
PARTS = re.compile(CELL.format(kind=r"\\\S+"), re.M | re.S)


def tidy(text):
    """The modules of RTLIL `text`, each ready for Verilog: without initial values, since reset gives them."""
    text = re.sub(r"^ *attribute \\init .*\n", "", text, flags=re.M)
    text = re.sub(r"^(module|  cell) \\(\S+)", lambda m: f"{m[1]} \\{m[2].replace('.', '_')}", text, flags=re.M)
    modules = re.findall(r"^module .*?^end\n", text, re.M | re.S)
    return "\n".join(balance(trim(name_wires(without_aliases(name_fields(name_ports(module)))))) for module in modules)


def without_aliases(module):
    """`module` without the wires that nobody reads and whose names, second ones for something, are no identifiers."""
    words, ports = Counter(module.split()), set(re.findall(r"^  wire .*(?:input|output) \d+ +(\S+)$", module, re.M))
    unread = {wire for wire in re.findall(r"^connect (\\\w+[$.\[]\S*) ", module, re.M) if words[wire] == 2} - ports
    kept = (line for line in module.splitlines(keepends=True) if not unread.intersection(line.split()))
    return "".join(kept)


def name_fields(module):
    """`module` with names of fields and elements, ``x.y`` and ``x[1]``, made identifiers."""
    fields = re.compile(r"(?<=\s)\\\w+(?:\.\w+|\[\w+\])+(?=\s)")
    return fields.sub(lambda name: re.sub(r"[].[]+", "_", name[0]).rstrip("_"), module)


def name_wires(module):
    """`module` with the nameless wires at its parts' ports named after part and port, marked if nobody reads them."""
    words, names = Counter(module.split()), {}
    for part in PARTS.finditer(module):
        for port, wire in re.findall(r"^    connect \\(\S+) ((?:\\\w+)?\$\d+)(?: \[.*\])?$", part["body"], re.M):
            unread = "unused_" if words[wire] == 2 else ""
            names.setdefault(wire, f"\\{unread}{part['name'][1:]}_{port}")
    return re.sub(r"(?<=\s)(?:\\\w+)?\$\d+(?=\s)", lambda wire: names.get(wire[0], wire[0]), module)


def name_ports(module):
    """`module` with names for its ports that have none, as they carry a part of a signal: the same on both sides."""
    return re.sub(r"(?<=\s)\\(\w*)port\$(\d+)\$(\d+)(?=\s)", r"\\\1port_\2_\3", module)


def trim(module):
    """`module` with sums, differences and products no wider than what is read of them."""
    for cell in SUMS.finditer(module):
        wire = re.search(r"connect \\Y (\S+)\n", cell[0])[1]
        if not wire.startswith("$"):
            continue
        rest = module.replace(cell[0], "")
        _, *reads = re.findall(rf"(?<=\s){re.escape(wire)}(?: \[(\d+)(?::\d+)?\])?(?=\s)", rest)
        if reads and all(reads):
            width = 1 + max(map(int, reads))
            narrow = re.sub(r"(parameter \\Y_WIDTH) \d+", rf"\1 {width}", cell[0])
            module = module.replace(cell[0], narrow)
            module = re.sub(rf"^(  wire width) \d+ {re.escape(wire)}$", rf"\1 {width} {wire}", module, flags=re.M)
    return module


def balance(module):
    """`module` with both operands of a sum, difference or comparison equally wide: Amaranth cuts them short."""
    widths = {name: int(width) for width, name in re.findall(r"^  wire width (\d+) .*?(\S+)$", module, re.M)}
    for cell in BALANCED.finditer(module):
        text = cell[0]
        have = {side: int(re.search(rf"\\{side}_WIDTH (\d+)", text)[1]) for side in "AB"}
        wide = max(have.values())
        for side, width in have.items():
            if width < wide:
                signed = f"\\{side}_SIGNED 1" in text
                operand = re.search(rf"connect \\{side} (.*)\n", text)[1]
                text = text.replace(f"\\{side}_WIDTH {width}", f"\\{side}_WIDTH {wide}")
                text = text.replace(
                    f"connect \\{side} {operand}\n",
                    f"connect \\{side} {extend(operand, wide - width, signed, widths)}\n",
                )
        module = module.replace(cell[0], text)
    return module


def extend(operand, count, signed, widths):
    """The signal `operand` with `count` more bits at the top, copies of its sign or zeros."""
    items = operand.strip("{} ")
    first = re.match(r"(?:\d+'([01]+))|(\S+)(?: \[(\d+)(?::\d+)?\])?", items)
    if not signed:
        top = f"{count}'{'0' * count}"
    elif first[1]:
        top = f"{count}'{first[1][0] * count}"
    elif first[3]:
        top = " ".join([f"{first[2]} [{first[3]}]"] * count)
    else:
        top = " ".join([f"{first[2]} [{widths[first[2]] - 1}]"] * count)
    return f"{{ {top} {items} }}"
