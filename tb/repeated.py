"""Modules placed so often that a simulator does better to compile them once."""

import re

__all__ = ["HEAVY", "apart", "modules"]

HEAVY = 8 << 20  # characters of Verilog that the instances of a module would be, written out


def modules(verilog):
    """The modules in a text: {name: text}."""
    return {found[1]: found[0] for found in re.finditer(r"^module (\w+)\b.*?^endmodule\n", verilog, re.M | re.S)}


def apart(verilog, heavy=HEAVY):
    """`verilog` without the modules that are heavy, and those: (text, {name: text with all modules below it}).

    A module is heavy if the text of it and of the modules below it, times its instances, has more than `heavy`
    characters.
    """
    texts, found = modules(verilog), {}
    instances = {name: re.findall(r"^\s*(\w+)\s+\w+ \($", text, re.M) for name, text in texts.items()}
    placed = {name: [part for part in parts if part in texts] for name, parts in instances.items()}

    def below(name):
        return dict.fromkeys([name, *(part for child in placed[name] for part in below(child))])

    for name in texts:
        count = sum(parts.count(name) for parts in placed.values())
        text = "".join(texts[part] for part in below(name))
        if count > 1 and count * len(text) > heavy:
            found[name] = text
    gone = {part for name in found for part in below(name)}
    return "".join(text for name, text in texts.items() if name not in gone) if found else verilog, found
