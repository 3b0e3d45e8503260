"""C files of networks as programs, compiled with every warning an error and with sanitisers."""

import subprocess

import numpy as np

from golden.c99 import source

__all__ = ["CHECKED", "check", "compiled", "logits", "normal", "plain", "spread"]

STRICT = ["cc", "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
CHECKED = ["-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all", "-DNARROWGATE_MAIN"]


def compiled(folder, network, *options, name="net"):
    """The program that the C file of `network` makes."""
    (folder / "net.c").write_text(source(network, name))
    run = subprocess.run([*STRICT, *options, "net.c", "-o", "net", "-lm"], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder / "net"


def logits(program, x):
    """What `program` prints for the samples `x`."""
    run = subprocess.run([program], input=np.ascontiguousarray(x).tobytes(), capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    return np.array([[int(word) for word in line.split()] for line in run.stdout.decode().splitlines()])


def spread(rng, format, shape):
    """Integers of `format` of every magnitude, and its ends and zeros."""
    if format.width > 16:
        found = rng.integers(format.lo, format.hi, shape, endpoint=True)
        return (found >> rng.integers(0, format.width, shape)).astype(format.dtype)
    values = format.values()
    ends = rng.choice(values[[0, -1, np.abs(values).argmin()]], shape)
    return np.where(rng.random(shape) < 0.3, ends, rng.choice(values, shape)).astype(format.dtype)


def normal(rng, format, shape, scale):
    """Integers of `format`: its numbers nearest to normally distributed ones."""
    return format.nearest(rng.normal(0, scale, shape)).astype(format.dtype)


def samples(rng, network, count, scale):
    """Samples of `network`: of each kind, and one of the least and one of the greatest number throughout."""
    format, shape = network.tensors[network.input].format, (count, *network.tensors[network.input].shape)
    ends = [np.full((1, *shape[1:]), end, format.dtype) for end in (format.lo, format.hi)]
    return np.concatenate([spread(rng, format, shape), normal(rng, format, shape, scale), *ends])


def check(folder, network, count=8, scale=1.0):
    """That C and golden agree on `network`; returns the logits."""
    x = samples(np.random.default_rng(0), network, count, scale)
    expected = network.run(x)
    found = logits(compiled(folder, network, *CHECKED), x)
    np.testing.assert_array_equal(found, expected.reshape(len(x), -1))
    return expected


def plain(**vectors):
    return {role: (None, np.asarray(values)) for role, values in vectors.items()}
