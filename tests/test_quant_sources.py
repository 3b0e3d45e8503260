import sys

import numpy as np
import pytest
import torch
from onnx_files import Model, floats
from quadrants import Quadrants

from golden.errors import InputError
from golden.network import Network
from quant.graph import Graph
from quant.sources import source

CODE = """
import torch
def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
def number():
    return 3
def fails():
    raise KeyError("weights")
constant = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mynet.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("def net(:\n")
    yield tmp_path
    sys.modules.pop("mynet", None)


def test_a_function_of_a_module_beside_the_command(folder):
    path = list(sys.path)
    graph = source("mynet:net", (1, 2, 2))
    assert isinstance(graph, Graph) and [op.op for op in graph.ops] == ["flatten", "dense"]
    torch.manual_seed(0)
    assert torch.equal(graph.ops[1].weight, torch.nn.Linear(4, 3).weight.detach())
    assert sys.path == path


def test_a_file_of_torch_export(tmp_path):
    program = torch.export.export(Quadrants().eval(), (torch.zeros(2, 1, 8, 8, dtype=torch.uint8),))
    torch.export.save(program, tmp_path / "net.pt2")
    graph = source(str(tmp_path / "net.pt2"), (9, 9))
    assert graph.shape == (1, 8, 8) and graph.unit == 1 / 256


def test_onnx_is_float_and_qonnx_a_network(tmp_path):
    rng = np.random.default_rng(0)
    model = Model((4,))
    model.add("Gemm", ..., floats(rng, 3, 4), floats(rng, 3), transB=1)
    graph = source(str(model.save(tmp_path / "f.onnx")), ())
    assert isinstance(graph, Graph) and graph.shape == (4,)
    model = Model((4,))
    x = model.quant("x", 0.5, 4)
    w = model.quant(model.constant(floats(rng, 4, 3)), 0.25, 4)
    model.add("MatMul", x, w)
    network = source(str(model.save(tmp_path / "q.onnx")), ())
    assert isinstance(network, Network) and network.info == {"name": "q"}


@pytest.mark.parametrize(
    "name, message",
    [
        (
            "net",
            "a network must be an ONNX or QONNX file, a file of torch.export (.pt2), or module:function, not 'net'",
        ),
        ("my net:f", "module:function, not 'my net:f'"),
        ("none.onnx", "none.onnx is no file; a network must be an ONNX"),
        ("none.pt2", "none.pt2 is no file; a network must be an ONNX"),
        ("no_such_module:f", "module no_such_module cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("broken:net", "module broken cannot be imported: SyntaxError: invalid syntax"),
        ("mynet:fails", "mynet:fails cannot be called: KeyError: 'weights'"),
        ("mynet:other", "module mynet has no function other"),
        ("mynet:constant", "module mynet has no function constant"),
        ("mynet:number", "mynet:number must make a torch module, not int"),
    ],
)
def test_refused(folder, name, message):
    with pytest.raises(InputError) as error:
        source(name, (1, 2, 2))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_no_onnx(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"\x00not onnx")
    with pytest.raises(InputError, match="bad.onnx"):
        source(str(tmp_path / "bad.onnx"), ())
