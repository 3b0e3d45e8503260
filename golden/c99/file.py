"""What a C file collects while the operations of a network are written: functions, constants and where tensors lie."""

import re
from math import prod
from string import Template
from textwrap import fill

from golden.c99.buffers import needed, share
from golden.c99.helpers import HELPERS
from golden.c99.rounding import rounding
from golden.c99.templates import TEMPLATES
from golden.c99.text import WIDTH, Names, array, ctype

__all__ = ["File"]

LOCAL = ("input", "logits", "k")  # names that the run function has of its own


def filled(text):
    """The text of a function with its head broken into lines of at most `WIDTH`."""
    return re.sub(r"^static [^{]*\)$", lambda head: fill(head[0], WIDTH, subsequent_indent="    "), text, flags=re.M)


class File:
    """The parts of one C file.

    Parameters
    ----------
    network : Network
    name : str
        Of the file's function, without ``_run``.

    Attributes
    ----------
    nodes : list of Node
        Those that the output needs.
    buffers : list of Buffer
    members : dict
        Tensor that a node computes → its name in its buffer.
    sizes : dict
        Enumeration constant → value.
    constants : dict
        What it is of → (name, text, bytes).
    functions : dict
        Name → text, in an order in which each uses only what stands before it.
    """

    def __init__(self, network, name):
        self.network, self.nodes = network, needed(network)
        self.buffers, self.views = share(network, self.nodes, self.bytes)
        members = Names()
        self.members = {tensor: members.new(tensor) for buffer in self.buffers for tensor in buffer.tensors}
        words = {word for _, text in HELPERS.values() for word in re.findall(r"\w+", text)}
        self.names = Names(words.union(LOCAL, [f"{name}_run"], (f"buffer_{i}" for i in range(len(self.buffers)))))
        self.sizes, self.constants, self.functions, self.uses = {}, {}, {}, {}

    def shape(self, tensor):
        """Of the tensor of that name."""
        return self.network.tensors[tensor].shape

    def bytes(self, tensor):
        """That the tensor of that name takes."""
        return prod(self.shape(tensor)) * self.network.tensors[tensor].format.dtype.itemsize

    def type(self, tensor):
        """The C type of the integers of the tensor of that name."""
        return ctype(self.network.tensors[tensor].format.dtype)

    def operand(self, tensor):
        """An expression for the tensor of that name."""
        tensor = self.views.get(tensor, tensor)
        if tensor == self.network.input:
            return "input"
        number = next(i for i, buffer in enumerate(self.buffers) if tensor in buffer.tensors)
        return f"buffer_{number}.{self.members[tensor]}"

    def declarations(self):
        """The buffers, each a union of the tensors that share it."""
        for number, buffer in enumerate(self.buffers):
            members = (f"    {self.type(t)} {self.members[t]}[{prod(self.shape(t))}];" for t in buffer.tensors)
            yield "\n".join(["static union {", *members, f"}} buffer_{number};\n"])

    def at_least(self, name, value):
        """Make the size `name` at least `value`."""
        self.sizes[name] = max(value, self.sizes.get(name, 0))

    def parameter(self, node, role, dtype=None):
        """The array of a parameter, in the narrowest type of its format or in `dtype`."""
        name = node.parameters[role]
        parameter = self.network.parameters[name]
        values = parameter.values if dtype is None else parameter.values.astype(dtype)
        key = name, values.dtype
        if key not in self.constants:
            found = self.names.new(f"{node.name}_{role}")
            self.constants[key] = found, array(values.dtype, found, values), values.nbytes
        return self.constants[key][0]

    def constant(self, kind, node, fields):
        """A pointer to a constant of the struct `kind`."""
        self.need(kind)
        name = self.names.new(f"{node.name}_{kind}")
        values = ", ".join(f".{field} = {value}" for field, value in fields.items())
        values = fill(values, WIDTH - 1, initial_indent="    ", subsequent_indent="    ")
        self.constants[kind, node.name] = name, f"static const {kind} {name} = {{\n{values},\n}};", 0
        return f"&{name}"

    def need(self, *helpers):
        """Have `helpers` in the file, and what they use."""
        for name in helpers:
            if name not in self.functions:
                uses, text = HELPERS[name]
                self.need(*uses)
                self.functions[name] = text

    def rounding(self, format):
        """The function that rounds to `format`."""
        name, helper, text = rounding(format)
        self.need(helper)
        self.functions[name] = text
        return name

    def function(self, template, words):
        """The function that `template` is with `words`."""
        key = template, tuple(sorted(words.items()))
        if key not in self.uses:
            uses, text = TEMPLATES[template]
            self.need(*uses)
            result = "format" if "format" in words else "y"
            types = [words[word] for word in ("x", "w", result) if word in words]
            kind = "_".join(word.removesuffix("_t").removeprefix("to_") for word in types)
            name = self.uses[key] = self.names.new(f"{template}_{kind}")
            self.functions[name] = filled(Template(text).substitute(words, name=name))
        return self.uses[key]
