"""quant.integers: torch computes what golden computes, of networks that nobody trained."""

import numpy as np
import pytest
import torch
from random_network import random_images, random_network

from golden.builder import Builder
from golden.errors import InputError
from quant.integers import OPERATIONS, exact, run


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_are_goldens(seed):
    network = random_network(seed)
    x = random_images(np.random.default_rng(seed), network, 5)
    found = dict(run(network, torch.from_numpy(x)))
    for step in network.steps(x):
        if step.node.op != "flatten":
            assert np.array_equal(found.pop(step.node.output).numpy(), step.output), step.node
    assert not found


def vectors(**lists):
    return {role: (None, np.array(values)) for role, values in lists.items()}


SHIFTS = {"int4": [8, 2, 0], "upow2z_3": [8, 2, 0], "e5m2": [8, 2, 0], "binary": [0, 0, 0]}


@pytest.mark.parametrize("then, shifts", SHIFTS.items())
def test_sums_are_rounded_to_every_kind_of_format(then, shifts):
    rng, builder = np.random.default_rng(0), Builder("int12", (3, 5, 4))
    requant, add = vectors(m=[5, -3, 0], b=[0, 77, -5]), vectors(m_a=[9, -2, 1], m_b=[-5, 0, 3], d=[3, 2, 1])
    shift = vectors(s=shifts)
    builder.add("a", "requant", parameters=requant | shift, attributes={"format": then})
    builder.add("b", "add", "input", "input", parameters=add | shift, attributes={"format": then})
    network = builder.build()
    x = rng.integers(-2048, 2048, (50, 3, 5, 4)).astype(np.int16)
    found = dict(run(network, torch.from_numpy(x)))
    for step in network.steps(x):
        y = found[step.node.output].numpy()
        assert np.array_equal(y, step.output) and len(np.unique(y)) > 1


def test_shortcuts_and_relus_are_goldens():
    builder = Builder("int8", (2, 5, 4))
    builder.add("a", "shortcut", attributes={"channels": 5, "stride": [2, 3]})
    builder.add("b", "relu")
    x = np.random.default_rng(0).integers(-128, 128, (3, 2, 5, 4)).astype(np.int8)
    network = builder.build()
    found = dict(run(network, torch.from_numpy(x)))
    assert all(np.array_equal(found[step.node.output].numpy(), step.output) for step in network.steps(x))
    assert found["b"].min() == 0 < found["b"].max() and {"shortcut", "relu"} <= set(OPERATIONS)


def test_sums_beyond_float64_are_refused():
    assert exact(torch.tensor([2.0**53 - 1], dtype=torch.float64), "x") == 2.0**53 - 1
    for value in (2.0**53, -(2.0**53), float("nan")):
        with pytest.raises(InputError, match=r"sums of conv9 reach .*; float64 is exact below 2\^53"):
            exact(torch.tensor([1.0, value], dtype=torch.float64), "conv9")
