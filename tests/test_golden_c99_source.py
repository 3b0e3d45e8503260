"""The text of a C file: what it holds, how it names things, what shares memory, what is refused."""

import re
import subprocess

import numpy as np
import pytest
from c_program import CHECKED, check, compiled, plain
from random_network import random_network

from golden.builder import Builder
from golden.c99 import source
from golden.c99.buffers import needed, share
from golden.c99.layers import ROWS
from golden.errors import InputError
from golden.operations import OPERATIONS


def every_operation():
    """A network that has each operation once, at least."""
    builder = Builder("uint4", (2, 6, 6))
    filters = np.arange(72).reshape(4, 2, 3, 3) % 7 - 3
    bias = {"bias": ("int8", [1, -2, 3, -4])}
    builder.add("a", "conv", parameters={"weight": ("int4", filters)}, attributes={"padding": 1})
    builder.add("b", "requant", parameters=plain(m=[3] * 4, b=[5] * 4, s=[4] * 4), attributes={"format": "int8"})
    builder.add(
        "c", "mac_conv", "input", parameters={"weight": ("int4", filters)} | bias, attributes={"format": "int8"}
    )
    builder.add("d", "max_pool", "b", attributes={"kernel": 3, "stride": 1})
    ones = plain(m_a=[1] * 4, m_b=[2] * 4, d=[0] * 4, s=[1] * 4)
    builder.add("e", "add", "c", "d", parameters=ones, attributes={"format": "int8"})
    builder.add("f", "concat", "e", "d")
    builder.add("short", "shortcut", attributes={"channels": 9, "stride": [1, 1]})
    builder.add("m", "conv", parameters={"weight": ("ternary", np.eye(8, 9, dtype=int).reshape(8, 9, 1, 1))})
    builder.add("n", "requant", parameters=plain(m=[1] * 8, b=[0] * 8, s=[0] * 8), attributes={"format": "int8"})
    builder.add("g", "relu")
    builder.add("h", "lrn", attributes={"size": 3, "format": "int8e-4"})
    builder.add("i", "average_pool", attributes={"kernel": 2, "divisor": "window"})
    builder.add("j", "flatten")
    weight = {"weight": ("int8", np.arange(128).reshape(4, 32) % 11 - 5)}
    builder.add("k", "mac_dense", parameters=weight | bias, attributes={"format": "int16e-4"})
    builder.add("l", "dense", parameters={"weight": ("ternary", np.eye(4, dtype=int))})
    return builder.build()


def test_there_is_a_row_for_every_operation():
    assert set(ROWS) == set(OPERATIONS) == {node.op for node in every_operation().nodes}


def test_every_operation_by_itself_and_as_strict_as_compilers_are(tmp_path):
    network = every_operation()
    check(tmp_path, network)
    compiled(tmp_path, network, "-O2", "-c")  # a part of another program, without main
    assert set(re.findall("#include <(.*)>", source(network))) == {"stdint.h", "float.h", "math.h", "stdio.h"}
    assert re.findall("#include <(.*)>", source(random_network(0))) == ["stdint.h", "stdio.h"]


def test_equal_networks_give_equal_text():
    assert source(random_network(3)) == source(random_network(3)) != source(random_network(4))


def test_parameters_have_the_narrowest_type():
    builder = Builder("uint8e-8", (3,))
    parameters = {"weight": ("int12e-5", np.ones((5, 3), int)), "bias": ("int20e-12", np.ones(5, int))}
    builder.add("fc", "mac_dense", parameters=parameters, attributes={"format": "int8e-6"})
    text = source(builder.build())
    assert "static const int16_t fc_weight[15]" in text and "static const int32_t fc_bias[5]" in text
    assert "Bytes: 50 of parameters, and 5 of buffers" in text


def test_names_of_any_kind(tmp_path):
    builder = Builder("int8", (2,))
    weight = {"weight": ("int8", [[1, 2], [3, -4]])}
    names = ["int", "*/ #error", "1", "NULL", "%s\\\n", "/conv/a*", "é", "a b", "a_b", "wide", "main", "??/", "input.1"]
    for name in names:
        builder.add(name, "dense", parameters=weight)
        scale = plain(m=[1, 1], b=[0, 0], s=[3, 3])
        builder.add(f"{name}_q", "requant", parameters=scale, attributes={"format": "int8"})
    check(tmp_path, builder.build())


def test_an_output_in_the_middle_leaves_out_what_it_does_not_need(tmp_path):
    builder = Builder("int8", (2,))
    builder.add("first", "dense", parameters={"weight": ("int8", [[1, 2]])})
    builder.add("second", "dense", "input", parameters={"weight": ("int8", [[5, 2]])})
    builder.add("third", "relu", "first")
    network = builder.build("second")
    check(tmp_path, network)
    assert "first" not in source(network) and "third" not in source(network)
    check(tmp_path, builder.build("input"))


def test_tensors_share_memory_only_while_they_are_not_needed():
    """A residual connection keeps its tensor: three buffers; the chain around it takes two."""
    builder = Builder("int8", (1, 4, 4))
    weight = {"weight": ("int8", np.ones((1, 1, 1, 1), int))}
    q = {"parameters": plain(m=[1], b=[0], s=[0]), "attributes": {"format": "int8"}}
    for name in ("a", "b", "c"):
        builder.add(name, "conv", parameters=weight)
        builder.add(f"{name}_q", "requant", **q)
    builder.add(
        "sum", "add", "a_q", "c_q", parameters=plain(m_a=[1], m_b=[1], d=[0], s=[0]), attributes=q["attributes"]
    )
    builder.add("flat", "flatten")
    builder.add("fc", "dense", parameters={"weight": ("int8", np.ones((3, 16), int))})
    network = builder.build()
    nodes = needed(network)
    buffers, views = share(network, nodes, lambda name: 64 if name in "abc" else 16)
    assert views == {"flat": "sum"}
    assert [buffer.tensors for buffer in buffers] == [["a", "b", "c", "sum"], ["a_q", "fc"], ["b_q", "c_q"]]
    assert [buffer.bytes for buffer in buffers] == [64, 16, 16]


def test_an_operation_without_c_is_refused(monkeypatch):
    monkeypatch.delitem(ROWS, "max_pool")
    with pytest.raises(InputError, match="node 'max_pool6': C has no max_pool; it has conv, mac_conv, dense"):
        source(random_network(0))


@pytest.mark.parametrize("name", ["", "1st", "_x", "a-b", "é", "a\n", None])
def test_a_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(InputError, match="name must be a C identifier that begins with a letter, not"):
        source(random_network(0), name)


def test_the_program_refuses_samples_that_are_none(tmp_path):
    program = compiled(tmp_path, every_operation(), *CHECKED)
    for sample, message in (
        (bytes(71), "net: a sample has 72 bytes, the last one on stdin has 71\n"),
        (bytes(71) + b"\x10", "net: an integer of a sample must be 0 to 15, not 16\n"),
    ):
        run = subprocess.run([program], input=bytes(72) + sample, capture_output=True)
        assert (run.returncode, run.stderr.decode()) == (2, message)
        assert run.stdout.count(b"\n") == 1
