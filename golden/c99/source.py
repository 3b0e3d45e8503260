"""The C file of a network, put together."""

import re
from math import prod
from string import Template
from textwrap import fill

import numpy as np

from golden.artefact import digest
from golden.c99.file import File
from golden.c99.layers import ROWS
from golden.c99.text import WIDTH, comment
from golden.errors import InputError

__all__ = ["source"]

FILE = Template("""\
/* $name: a quantised network, written by Narrowgate.
 *
 * Network: $digest
 * Input: $input_size integers, $input, from $lo to $hi.
 * Output: $output_size integers, $output.
 * Integers of a format like int8e-4 are in units of 2^-4. $exactness
 *
 * Bytes: $parameters of parameters, and $memory of buffers, for one sample at a time.
 *
 * cc -std=c99 -O2 -DNARROWGATE_MAIN $name.c -o $name$library makes a program: samples on stdin, one after another, each
 * integer as $type in the byte order of the machine; logits on stdout, a line a sample. */

#include <stdint.h>

enum {
$sizes
};

void ${name}_run(const $type input[$INPUT], int64_t logits[$OUTPUT]);

typedef int_fast32_t count;

$functions
$constants

$buffers
void ${name}_run(const $type input[$INPUT], int64_t logits[$OUTPUT])
{
$statements
    for (count k = 0; k < $OUTPUT; k++)
        logits[k] = $logits[k];
}

#ifdef NARROWGATE_MAIN
#include <stdio.h>

int main(void)
{
    static $type input[$INPUT];
    static int64_t logits[$OUTPUT];
    size_t bytes;
    while ((bytes = fread(input, 1, sizeof input, stdin)) == sizeof input) {
$check        ${name}_run(input, logits);
        for (count k = 0; k < $OUTPUT; k++)
            printf("%lld%c", (long long)logits[k], k + 1 < $OUTPUT ? ' ' : '\\n');
    }
    if (bytes != 0) {
        fprintf(stderr, "$name: a sample has %lu bytes, the last one on stdin has %lu\\n", (unsigned long)sizeof input,
            (unsigned long)bytes);
        return 2;
    }
    return fflush(stdout) != 0 || ferror(stdin) ? 2 : 0;
}
#endif
""")

EXACTNESS = {True: "Logits are Narrowgate's, bit for bit.", False: "lrn is as exact as the pow of the C library."}

CHECK = Template("""\
        for (count k = 0; k < $INPUT; k++) {
            if ($beyond) {
                fprintf(stderr, "$name: an integer of a sample must be $lo to $hi, not %lld\\n", (long long)input[k]);
                return 2;
            }
        }
""")


def source(network, name="network"):
    """The C99 text of `network`: a function ``<name>_run`` from a sample to the logits that golden gives, bit for bit.

    One file without dependencies but `<stdint.h>`, `<float.h>` for sums in FP32, and `<math.h>` for lrn, which is the
    one operation that is not exact. Parameters are constant arrays, buffers are static and shared by tensors that are
    not needed at one time. Sums are exact in 32, 64 or 128 bits, whichever their weights ask for.

    Parameters
    ----------
    network : Network
    name : str
        A C identifier that begins with a letter.

    Raises
    ------
    InputError
        If `name` is no such identifier, or an operation has no row in `golden.c99.layers.ROWS`.

    Source: Gysel, Ristretto, section 9.7.3, which leaves it for the future.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise InputError(f"name must be a C identifier that begins with a letter, not {name!r}")
    file = File(network, name)
    body = "\n".join(line for node in file.nodes for line in layer(file, node))
    tensor, logits = network.tensors[network.input], network.tensors[network.output]
    exact = all(network.operations[node.name].exact for node in file.nodes)
    words = {
        "name": name,
        "digest": digest(network),
        "input_size": prod(tensor.shape),
        "output_size": prod(logits.shape),
        "input": str(tensor),
        "output": str(logits),
        "exactness": EXACTNESS[exact],
        "library": "" if exact else " -lm",
        "parameters": f"{sum(size for *_, size in file.constants.values()):,}",
        "memory": f"{sum(buffer.bytes for buffer in file.buffers):,}",
        "lo": tensor.format.lo,
        "hi": tensor.format.hi,
        "type": file.type(network.input),
        "INPUT": f"{name.upper()}_INPUT",
        "OUTPUT": f"{name.upper()}_OUTPUT",
        "statements": body,
        "logits": file.operand(network.output),
    }
    file.sizes = {words["INPUT"]: words["input_size"], words["OUTPUT"]: words["output_size"]} | file.sizes
    limits = np.iinfo(tensor.format.dtype)
    beyond = [f"input[k] < {tensor.format.lo}"] if limits.min < tensor.format.lo else []
    beyond += [f"input[k] > {tensor.format.hi}"] if tensor.format.hi < limits.max else []
    parts = {
        "sizes": "\n".join(f"    {key} = {value}," for key, value in file.sizes.items()),
        "functions": "\n".join(file.functions.values()),
        "constants": "\n\n".join(text for _, text, _ in file.constants.values()),
        "buffers": "\n".join(file.declarations()),
        "check": CHECK.substitute(words, beyond=" || ".join(beyond)) if beyond else "",
    }
    return FILE.substitute(words, **parts)


def layer(file, node):
    """The lines that run `node`, under a comment."""
    if node.op not in ROWS:
        raise InputError(f"node {node.name!r}: C has no {node.op}; it has {', '.join(ROWS)}")
    statements = ROWS[node.op](file, node, file.network.operations[node.name])
    for text in (f"/* {title(file.network, node)} */", *statements):
        yield fill(text, WIDTH, initial_indent="    ", subsequent_indent="        ", break_on_hyphens=False)


def title(network, node):
    """What `node` does, for a comment."""
    given = [str(network.tensors[name]) for name in node.inputs]
    for role, parameter in ((role, network.parameters[name]) for role, name in node.parameters.items()):
        if parameter.format is not None:
            given.append(f"{role} {parameter.format} {list(parameter.values.shape)}")
    given += [f"{key} {value}" for key, value in sorted(node.attributes.items()) if key != "format"]
    return comment(f"{node.name}: {node.op} of {', '.join(given)}; gives {network.tensors[node.output]}")
