"""A network as one file: safetensors, the graph as JSON in its header.

Weights are stored as the unsigned codes of their format, multipliers, addends and shifts as int64. The header's entry
``narrowgate`` holds the graph and a SHA-256 over the graph and every tensor, so that a file that was cut or changed is
refused. Equal networks give equal bytes.
"""

import hashlib
import json

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from golden.errors import InputError, replacing
from golden.formats import code_dtype, parse
from golden.graph import Node, Parameter, Tensor
from golden.network import Network

__all__ = ["FORMAT", "save", "load", "digest"]

FORMAT = 1  # of the file; a newer one is refused
KEY = "narrowgate"
PLAIN = np.dtype(np.int64)


def canonical(graph):
    """`graph` as JSON text that depends on its content alone."""
    try:
        return json.dumps(graph, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"attributes and info of a network must be JSON values: {error}") from None


def checksum(graph, arrays):
    """SHA-256 of `graph` and of the bytes of `arrays`, in the order of their names."""
    found = hashlib.sha256(canonical(graph).encode())
    for name in sorted(arrays):
        found.update(np.ascontiguousarray(arrays[name]))
    return found.hexdigest()


def describe(network):
    """The graph of `network` as JSON values, and its parameters as the arrays that the file holds."""
    nodes = []
    for node in network.nodes:
        entry = {key: getattr(node, key) for key in ("name", "op", "version", "output", "attributes", "parameters")}
        entry["inputs"] = list(node.inputs)
        nodes.append(entry if node.target is None else entry | {"target": node.target})
    arrays = {
        name: p.values if p.format is None else p.format.codes(p.values) for name, p in network.parameters.items()
    }
    graph = {
        "format": FORMAT,
        "nodes": nodes,
        "tensors": {
            name: {"format": t.format.name, "shape": list(t.shape), "unit": t.unit}
            for name, t in network.tensors.items()
        },
        "parameters": {
            name: {"format": p.format and p.format.name, "shape": list(p.values.shape)}
            for name, p in network.parameters.items()
        },
        "input": network.input,
        "output": network.output,
        "info": network.info,
    }
    return graph, arrays


def digest(network):
    """The checksum of `network`, by which a cache or a report can name it."""
    return checksum(*describe(network))


def save(path, network):
    """Write `network` to `path`, which appears complete or not at all.

    Raises
    ------
    InputError
        If `path` cannot be written, or an attribute or the info has no JSON form.
    """
    graph, arrays = describe(network)
    header = canonical(graph | {"sha256": checksum(graph, arrays)})
    content = serialise(dict(sorted(arrays.items())), metadata={KEY: header})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load(path):
    """The `Network` that `path` holds.

    Raises
    ------
    InputError
        If the file is missing, truncated, altered, not an artefact, of a newer format, or its network is not sound.
    """
    try:
        graph, arrays = read(path)
        return assemble(graph, arrays)
    except InputError as error:
        raise InputError(f"cannot load {path}: {error}") from None


def read(path):
    """The graph and the arrays of the file `path`, which are as they were saved."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise InputError("it is not an artefact of Narrowgate")
            graph = parsed(metadata[KEY])
            slices = {name: file.get_slice(name) for name in file.keys()}
            stored = {name: (part.get_dtype(), part.get_shape()) for name, part in slices.items()}
            if stored != wanted(graph):
                raise InputError("its tensors are not those of its graph")
            arrays = {name: file.get_tensor(name) for name in stored}
    except FileNotFoundError:
        raise InputError("there is no such file") from None
    except OSError as error:
        raise InputError(error.strerror or str(error)) from None
    except SafetensorError as error:
        raise InputError(f"it is truncated or not a safetensors file ({error})") from None
    if graph.pop("sha256", None) != checksum(graph, arrays):
        raise InputError("it was altered, its checksum differs")
    return graph, arrays


def parsed(text):
    """The graph of the JSON `text`, of a format this program reads."""
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("its graph is not JSON") from None
    version = graph.get("format") if isinstance(graph, dict) else None
    if type(version) is not int or version < 1:
        raise InputError("its graph has no format number")
    if version > FORMAT:
        raise InputError(f"it has format {version}, which is newer than this program; allowed: up to {FORMAT}")
    return graph


def wanted(graph):
    """What the file of `graph` must hold: name of tensor → (dtype in safetensors' spelling, shape)."""
    found = {}
    for name, entry in expect(graph, "parameters", dict, "the graph").items():
        format, shape = (expect(entry, key, kind, f"parameter {name!r}") for key, kind in PARAMETER.items())
        dtype = PLAIN if format is None else code_dtype(parse(format).width)
        found[name] = (f"{dtype.kind.upper()}{8 * dtype.itemsize}", shape)
    return found


GRAPH = {"nodes": list, "tensors": dict, "parameters": dict, "input": str, "output": str, "info": dict, "format": int}
NODE = {"name": str, "op": str, "version": int, "inputs": list, "output": str, "attributes": dict, "parameters": dict}
TENSOR = {"format": str, "shape": list, "unit": (float, int, type(None))}
PARAMETER = {"format": (str, type(None)), "shape": list}


def expect(entry, key, kind, what):
    """``entry[key]``, if it is of type `kind`."""
    if not isinstance(entry, dict) or not isinstance(entry.get(key, expect), kind):
        raise InputError(f"{what} has no proper {key!r}")
    return entry[key]


def record(entry, fields, what, optional=()):
    """`entry`, if it has `fields` of their types and nothing else but what is `optional`."""
    for key, kind in fields.items():
        expect(entry, key, kind, what)
    if unknown := sorted(set(entry) - set(fields) - set(optional)):
        raise InputError(f"{what} has the unknown entry {unknown[0]!r}")
    return entry


def assemble(graph, arrays):
    """The network of `graph` and `arrays`."""
    record(graph, GRAPH, "the graph")
    nodes = []
    for number, entry in enumerate(graph["nodes"]):
        record(entry, NODE, f"node {number}", optional=["target"])
        target = expect(entry, "target", str, f"node {number}") if "target" in entry else None
        names = [*entry["inputs"], *entry["parameters"].values()]
        if not all(isinstance(name, str) for name in names):
            raise InputError(f"node {number} has a name that is not a string")
        nodes.append(Node(**entry | {"inputs": tuple(entry["inputs"]), "target": target}))
    tensors = {name: Tensor(**record(entry, TENSOR, f"tensor {name!r}")) for name, entry in graph["tensors"].items()}
    parameters = {
        name: Parameter(format, integers(name, parse(format), arrays[name]) if format else arrays[name])
        for name, format in ((name, entry["format"]) for name, entry in graph["parameters"].items())
    }
    return Network(
        nodes=nodes,
        tensors=tensors,
        parameters=parameters,
        input=graph["input"],
        output=graph["output"],
        info=graph["info"],
    )


def integers(name, format, codes):
    """The integers of `codes`, if each is a code that `format` writes."""
    if not np.all(codes < 1 << format.width) or not np.array_equal(
        format.codes(found := format.integers(codes)), codes
    ):
        raise InputError(f"parameter {name!r} holds codes that {format} does not have")
    return found
