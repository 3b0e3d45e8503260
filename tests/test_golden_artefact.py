"""Networks survive their file bit for bit; a file that is cut, changed, foreign, newer or unsound is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from random_network import random_images, random_network
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from golden.artefact import FORMAT, checksum, describe, digest, load, save
from golden.builder import Builder
from golden.errors import InputError
from golden.formats import parse


def small():
    """A network with a conv and a requant: every kind of parameter."""
    builder = Builder("uint4", (1, 3, 3), unit=0.25)
    builder.add("conv", "conv", parameters={"weight": ("ternary", [[[[1, 0], [0, -1]]]])}, target="ternary_gemm")
    parameters = {"m": (None, [-3]), "b": (None, [1 << 40]), "s": (None, [37])}
    builder.add("y", "requant", parameters=parameters, attributes={"format": "int8"})
    return builder.build(info={"name": "small", "accuracy": 0.1, "notes": ["µ", None]})


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "small.safetensors"
    save(found, small())
    return found


def refused(path, message="cannot load"):
    with pytest.raises(InputError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"cannot load {path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("seed", range(6))
def test_a_network_survives_its_file(seed, tmp_path):
    network = random_network(seed)
    save(tmp_path / "a", network)
    again = load(tmp_path / "a")
    assert (again.nodes, again.tensors, again.info) == (network.nodes, network.tensors, network.info)
    x = random_images(np.random.default_rng(seed), network, 4)
    np.testing.assert_array_equal(again.run(x), network.run(x))
    save(tmp_path / "b", again)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert digest(again) == digest(network)


@pytest.mark.parametrize("formats", [("mini_e4m3", "pow2_4", "int64e-60"), ("int16e-9", "fp16", "mini_e5m10")])
def test_numbers_survive_their_file(formats, tmp_path):
    """Weights and biases in every family of formats, biases of 64 bits among them."""
    a, w, bias = map(parse, formats)
    biases = [bias.lo, bias.hi, 0] if bias.width == 64 else bias.values()[:3]
    weights = np.random.default_rng(16).choice(w.values(), (3, 4))
    builder = Builder(a, (4,), unit=2.0**a.exponent)
    values = {"weight": (w, weights), "bias": (bias, biases)}
    builder.add("y", "mac_dense", parameters=values, attributes={"format": "mini_e5m2", "relu": True})
    network = builder.build()
    save(tmp_path / "a", network)
    again = load(tmp_path / "a")
    assert digest(again) == digest(network)
    x = np.random.default_rng(17).choice(a.values(), (5, 4))
    np.testing.assert_array_equal(again.run(x), network.run(x))


def test_the_file_holds_codes_and_the_graph(path):
    stored = load_file(path)
    assert stored["conv.weight"].tolist() == [[[[1, 0], [0, 3]]]] and stored["conv.weight"].dtype == np.uint8
    assert stored["y.b"].tolist() == [1 << 40] and stored["y.b"].dtype == np.int64
    with safe_open(path, framework="np") as file:
        graph = json.loads(file.metadata()["narrowgate"])
    assert graph["format"] == FORMAT and graph["tensors"]["y"] == {"format": "int8", "shape": [1, 2, 2], "unit": None}
    assert graph["nodes"][0]["target"] == "ternary_gemm"
    assert graph["sha256"] == digest(small())


def test_equal_networks_give_equal_bytes_in_every_process(path, tmp_path):
    """Python's hashes differ from process to process; the bytes must not."""
    script = "import sys; from test_golden_artefact import small, save; save(sys.argv[1], small())"
    for seed in ("1", "2"):
        other = tmp_path / f"other{seed}"
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))}
        subprocess.run([sys.executable, "-c", script, other], env=environment, check=True)
        assert other.read_bytes() == path.read_bytes()


def test_digest_follows_weights_and_graph():
    network = small()
    assert digest(network) == digest(small())
    assert digest(network) != digest(random_network(0))
    object.__setattr__(network, "info", dict(reversed(network.info.items())))
    assert digest(network) == digest(small())
    object.__setattr__(network, "info", {"name": "other"})
    assert digest(network) != digest(small())


def test_a_file_cut_anywhere_is_refused(path):
    whole = path.read_bytes()
    for length in {*range(0, len(whole), 7), *range(16), *range(len(whole) - 16, len(whole))}:
        path.write_bytes(whole[:length])
        refused(path, "truncated or not a safetensors file")


def test_a_file_with_any_byte_changed_is_refused(path):
    whole = path.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= (1, 0x20, 0x80)[position % 3]
        path.write_bytes(changed)
        refused(path)


def test_files_of_other_kinds_are_refused(tmp_path):
    refused(tmp_path / "nowhere", "there is no such file")
    refused(tmp_path)
    for content in (b"", b"PK\x03\x04", b"{}", b"\x80\x04K\x01.", bytes(100), b"\xff" * 100):
        (tmp_path / "other").write_bytes(content)
        refused(tmp_path / "other", "truncated or not a safetensors file")
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "foreign", metadata=metadata)
        refused(tmp_path / "foreign", "it is not an artefact of Narrowgate")


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write .*file/net"):
        save(tmp_path / "file" / "net", small())


def test_info_without_a_json_form_is_refused_and_leaves_no_file(tmp_path):
    network = small()
    for value in (np.float32(1), float("nan"), {1, 2}):
        object.__setattr__(network, "info", {"value": value})
        with pytest.raises(InputError, match="attributes and info of a network must be JSON values"):
            save(tmp_path / "net", network)
    assert not list(tmp_path.iterdir())


def forge(path, edit, arrays=None):
    """Write `small` with its graph edited and, unlike an accident would, with the right checksum."""
    graph, stored = describe(small())
    graph = json.loads(json.dumps(graph))
    stored |= arrays or {}
    edit(graph)
    text = json.dumps(graph | {"sha256": checksum(graph, stored)})
    save_file(stored, path, metadata={"narrowgate": text})


def at(*keys, value=None):
    """An edit that sets the entry that `keys` lead to, or removes it where `value` is None."""

    def edit(graph):
        for key in keys[:-1]:
            graph = graph[key]
        if value is None:
            del graph[keys[-1]]
        else:
            graph[keys[-1]] = value

    return edit


def test_a_forged_file_is_read_as_any_other(path):
    forge(path, at("info", value={"name": "forged"}))
    assert load(path).info == {"name": "forged"}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (at("format", value=FORMAT + 1), f"it has format {FORMAT + 1}, which is newer than this program"),
        (at("format", value="1"), "its graph has no format number"),
        (at("format", value=0), "its graph has no format number"),
        (at("format"), "its graph has no format number"),
        (at("nodes"), "the graph has no proper 'nodes'"),
        (at("tensors", value=[]), "the graph has no proper 'tensors'"),
        (at("parameters"), "the graph has no proper 'parameters'"),
        (at("parameters", "y.m", "shape"), "parameter 'y.m' has no proper 'shape'"),
        (at("parameters", "y.m", value=3), "parameter 'y.m' has no proper 'format'"),
        (at("parameters", "y.m", "shape", value=[2]), "its tensors are not those of its graph"),
        (at("parameters", "y.m", "format", value="ternary"), "its tensors are not those of its graph"),
        (at("parameters", "conv.weight", "format", value="float8"), "no number format is called 'float8'"),
        (at("parameters", "z", value={"format": None, "shape": [1]}), "its tensors are not those of its graph"),
        (at("more", value=1), "the graph has the unknown entry 'more'"),
        (at("info", value=[]), "the graph has no proper 'info'"),
        (at("nodes", 0, value="conv"), "node 0 has no proper 'name'"),
        (at("nodes", 0, "op"), "node 0 has no proper 'op'"),
        (at("nodes", 0, "target", value=7), "node 0 has no proper 'target'"),
        (at("nodes", 0, "speed", value=7), "node 0 has the unknown entry 'speed'"),
        (at("nodes", 0, "inputs", value=[["input"]]), "node 0 has a name that is not a string"),
        (at("nodes", 0, "op", value="softmax"), "node 'conv': no operation is called 'softmax'"),
        (at("nodes", 0, "version", value=2), "node 'conv': conv of version 2 is unknown; allowed: up to 1"),
        (at("nodes", 0, "inputs", value=["y"]), "node 'conv': input 'y' is made by no node before it"),
        (at("nodes", 0, "attributes", value={"accumulate": 5}), "node 'conv': sums of 4 products of uint4 and ternary"),
        (at("nodes", 1, "attributes", "format", value="uint8"), "output 'y' is declared int8"),
        (at("nodes", 1, "parameters", "s", value="y.t"), "node 'y': parameter 'y.t' is not there"),
        (at("tensors", "y", "shape", value=[1, 2, 3]), r"output 'y' is declared int8 \[1, 2, 3\]"),
        (at("tensors", "y", "shape", value=[1, -2, 2]), "shape of a sample must be"),
        (at("tensors", "y", "unit", value=-1.0), "unit must be a finite number above 0"),
        (at("tensors", "y", "unit"), "tensor 'y' has no proper 'unit'"),
        (at("tensors", "y"), "node 'y': tensor 'y' has no format and shape"),
        (at("output", value="z"), "output 'z' is a tensor that no node makes"),
        (at("input", value=1), "the graph has no proper 'input'"),
    ],
)
def test_graphs_that_are_newer_or_unsound_are_refused(edit, message, path):
    forge(path, edit)
    refused(path, message)


@pytest.mark.parametrize("codes", [2, 4, 255])
def test_codes_that_the_format_never_writes_are_refused(codes, path):
    assert parse("ternary").integers([2]).item() == 0  # the reserved code of hardware, not of files
    forge(path, lambda graph: None, {"conv.weight": np.full((1, 1, 2, 2), codes, np.uint8)})
    refused(path, "parameter 'conv.weight' holds codes that ternary does not have")


def test_parameters_out_of_their_range_are_refused(path):
    forge(path, lambda graph: None, {"y.s": np.array([-1], np.int64)})
    refused(path, "node 'y': s must be 0 to 49")


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100000, '{"format": NaN}', "1"])
def test_a_header_that_is_not_a_graph_is_refused(text, path):
    save_file({"x": np.zeros(1)}, path, metadata={"narrowgate": text})
    refused(path, "its graph")
