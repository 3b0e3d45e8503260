import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from unseen import SHAPE, unseen, unseen_images

from golden.errors import InputError
from golden.layer_tables import topology
from quant.cifar import Cifar10Full
from quant.from_torch import from_exported, from_module
from quant.models import Classifier


def same(graph, module, x):
    """Whether a graph computes what a module does, within float32."""
    with torch.no_grad():
        return torch.allclose(graph.run(x)[graph.output], module(x), rtol=1e-5, atol=1e-5)


def kinds(graph):
    return [(op.name, op.op) for op in graph.ops]


def pixels(*shape):
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_an_unseen_network_is_taken_over():
    graph = from_module(unseen(), SHAPE)
    assert same(graph, unseen(), unseen_images(10))
    assert kinds(graph) == [
        ("stem_0", "conv"),
        ("stem_1", "batch_norm"),
        ("stem_2", "relu"),
        ("pool", "max_pool"),
        ("lrn", "lrn"),
        ("deep", "conv"),
        ("norm", "batch_norm"),
        ("relu_1", "relu"),
        ("flat", "conv"),
        ("left_0", "conv"),
        ("left_1", "batch_norm"),
        ("add_1", "add"),
        ("relu_2", "relu"),
        ("cat", "concat"),
        ("mean", "average_pool"),
        ("between", "batch_norm"),
        ("head", "conv"),
        ("relu_3", "relu"),
        ("mean_1", "average_pool"),
        ("flatten", "flatten"),
        ("last", "dense"),
    ]
    ops = {op.name: op for op in graph.ops}
    assert graph.unit == 1 / 255 and graph.shape == SHAPE and graph.output == "last"
    assert ops["lrn"].attributes == {"size": 4, "alpha": 0.5, "beta": 0.6, "k": 1.5}
    assert ops["deep"].weight.shape == (6, 6, 5, 5) and int(ops["deep"].weight.count_nonzero()) == 54
    assert ops["flat"].attributes == {"stride": (1, 1), "padding": (0, 1)}
    assert ops["mean"].attributes["divisor"] == "image" and ops["mean_1"].attributes["kernel"] == (4, 4)


def test_the_projects_own_networks_are_taken_over():
    torch.manual_seed(0)
    classifier = Classifier(topology("lenet"))
    names = {f"stages.{index}": layer.name for index, layer in enumerate(topology("lenet").rows)}
    graph = from_module(classifier.train(), (1, 28, 28), names=names)
    assert classifier.training and all(part.training for part in classifier.modules())
    weighted = [op.name for op in graph.ops if op.weight is not None]
    assert weighted == ["conv1", "conv2", "ip1", "ip2"] and graph.unit == 1 / 255
    assert same(graph, classifier.eval(), pixels(5, 1, 28, 28))
    cifar = Cifar10Full()
    graph = from_module(cifar, (3, 32, 32))
    assert [op for _, op in kinds(graph)].count("lrn") == 2 and same(graph, cifar, pixels(3, 3, 32, 32))


def test_names_that_are_numbers_and_modules_that_are_used_twice():
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    graph = from_module(module, (4,))
    assert [name for name, _ in kinds(graph)] == ["layer0", "layer1", "layer2"]
    assert graph.unit is None and same(graph, module, torch.randn(3, 4))
    twice = Written(lambda self, x: self.a(self.b(self.a(x))), a=nn.Linear(4, 4), b=nn.ReLU())
    graph = from_module(twice, (4,))
    assert [name for name, _ in kinds(graph)] == ["a", "b", "a_1"] and same(graph, twice, torch.randn(3, 4))


@pytest.mark.parametrize("batch, decomposed", [(None, False), (1, True)])
@pytest.mark.filterwarnings("ignore:`isinstance:FutureWarning")
def test_exported_files_are_taken_over(tmp_path, batch, decomposed):
    shapes = ({0: torch.export.Dim("n")},) if batch is None else None
    program = torch.export.export(unseen(), (unseen_images(batch or 2),), dynamic_shapes=shapes)
    if decomposed:
        program = program.run_decompositions()
    torch.export.save(program, tmp_path / "net.pt2")
    graph = from_exported(tmp_path / "net.pt2")
    assert same(graph, unseen(), unseen_images(10)) and graph.unit == 1 / 255
    assert [op.name for op in graph.ops if op.weight is not None] == [
        "stem_0",
        "deep",
        "flat",
        "left_0",
        "head",
        "last",
    ]


class Scaled(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale, self.layer = scale, nn.Linear(3, 2)
        self.register_buffer("tenth", torch.tensor(0.1))

    def forward(self, x):
        return self.layer(self.scale(self, x))


@pytest.mark.parametrize(
    "scale, unit",
    [
        (lambda self, x: x.float(), 1),
        (lambda self, x: x / 100, 0.01),
        (lambda self, x: 0.5 * x.to(torch.float32).contiguous(), 0.5),
        (lambda self, x: x * self.tenth, 0.1),
        (lambda self, x: (x / 256).mul(torch.tensor([[3.0]])), 3 / 256),
    ],
)
def test_a_scale_of_pixels_is_the_unit(scale, unit):
    module = Scaled(scale)
    graph = from_module(module, (3,))
    assert graph.unit == pytest.approx(unit) and len(graph.ops) == 1
    assert same(graph, module, pixels(4, 3))


class Written(nn.Module):
    """A forward written down on the spot."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.written = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.written(self, x)


TAKEN = {
    "in place": lambda self, x: functional.relu_(self.a(x)).add_(x),
    "flat": lambda self, x: self.a(x).view(x.size(0), -1),
    "squeezed": lambda self, x: functional.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1),
    "side by side": lambda self, x: functional.adaptive_avg_pool2d(self.a(x), (3, 2)),
    "counted": lambda self, x: functional.avg_pool2d(self.a(x), 3, padding=1, divisor_override=9),
    "padded": lambda self, x: functional.avg_pool2d(self.a(x), 3, 2, padding=1, ceil_mode=True),
    "even": lambda self, x: functional.local_response_norm(x, 2, alpha=1.0),
    "kept": lambda self, x: x.mean((-1, -2), keepdim=True),
    "joined": lambda self, x: torch.cat([x, self.a(x)], -3),
    "normed": lambda self, x: functional.batch_norm(x, self.a.bias, self.a.bias.square()),
    "functional": lambda self, x: functional.conv2d(x, self.a.weight.flip(2) * 2, stride=(1, 2)),
    "dropped": lambda self, x: functional.dropout(x, training=self.training).clone().relu(),
    "multiplied": lambda self, x: x.flatten(1).mm(self.a.weight.reshape(18, 2)[:, :1].repeat(4, 1)[:72]),
    "unused": lambda self, x: (self.a(x), x.relu())[1],
}


@pytest.mark.parametrize("forward", TAKEN.values(), ids=TAKEN)
def test_forms_of_the_supported_operations(forward):
    torch.manual_seed(0)
    module = Written(forward, a=nn.Conv2d(2, 2, 3, padding=1)).eval()
    x = torch.randn(3, 2, 6, 6)
    assert same(from_module(module, (2, 6, 6)), module, x)


REFUSED = {
    "node 'hardtanh' .aten.hardtanh.default. is not supported; allowed: conv2d, linear, relu, ": lambda self, x: (
        functional.hardtanh(x)
    ),
    "node 'gelu' of a .aten.gelu.default. is not supported": lambda self, x: self.a(x),
    "node 'permute' .aten.permute.default. is not supported": lambda self, x: x.permute(0, 2, 3, 1),
    r"node 'view' .*makes \[6, 12\] of \[2, 6, 6\], which 'relu' uses": lambda self, x: x.view(2, 6, 12).relu(),
    r"node 'view' .*makes \[6, 24\] of \[2, 2, 6, 6\], of other samples": lambda self, x: x.view(6, 24),
    "takes 1.0, which does not depend on the input": lambda self, x: x + 1.0,
    "has a factor other than 1": lambda self, x: torch.add(x, x, alpha=2),
    "scales what is not uint8 pixels, or not by one number": lambda self, x: x.relu() * 2,
    "joins along another axis than the channels": lambda self, x: torch.cat([x, x], 2),
    r"makes \[4, 4\] of \[6, 6\] pixels, in windows of several sizes": lambda self, x: functional.adaptive_avg_pool2d(
        x, 4
    ),
    "divides by 5, which is not the size of its kernel": lambda self, x: functional.avg_pool2d(
        x, 2, divisor_override=5
    ),
    "is dilated": lambda self, x: functional.max_pool2d(x, 2, dilation=2),
    "is no mean over the rows and columns of images": lambda self, x: x.mean(1),
    "pads more on one side than on the other": lambda self, x: functional.conv2d(
        x, torch.ones(1, 2, 2, 2), padding="same"
    ),
    "must have a constant weight": lambda self, x: functional.conv2d(x, x.relu()),
    "a network must have one output, not relu, relu": lambda self, x: (x.relu(), x.relu()),
    "nothing uses the input 'x' of the network": lambda self, x: torch.ones(2, 3),
    "cannot trace Written at test_quant_from_torch.py, line .*: its control flow depends on the data": lambda self, x: (
        x if x.sum() > 0 else x.relu()
    ),
    "cannot trace Written.*: first": lambda self, x: fail("first\nsecond"),
    "cannot trace Written.*: ValueError": lambda self, x: fail(),
    "makes torch.int32": lambda self, x: x.relu().int().float(),
    "normalises with the batch's own mean|_native_batch_norm_legit.no_stats. is not supported": lambda self, x: (
        functional.batch_norm(x, None, None, training=True)
    ),
}


def fail(*message):
    raise ValueError(*message)


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_taken_over_is_named(message, capfd):
    with pytest.raises(InputError, match=message) as caught:
        from_module(Written(REFUSED[message], a=nn.GELU()), (2, 6, 6))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_weights_that_are_not_finite_are_named():
    module = nn.Sequential(nn.ReLU(), nn.Linear(3, 2))
    module[1].weight.data[0, 1] = math.nan
    with pytest.raises(InputError, match="weight of dense 'layer1' must be finite; NaN or infinity is among its numb"):
        from_module(module, (3,))


def test_other_inputs_are_refused(tmp_path):
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    class One(nn.Module):
        def forward(self, x, y):
            return x.relu()

    for module, message in (
        (Two(), "a network must have one input, not x, y"),
        (One(), "nothing uses the input 'y' of the network"),
    ):
        torch.export.save(torch.export.export(module, (torch.ones(2, 3), torch.ones(2, 3))), tmp_path / "net.pt2")
        with pytest.raises(InputError, match=message):
            from_exported(tmp_path / "net.pt2")
    with pytest.raises(InputError, match="cannot trace Linear: "):
        from_module(nn.Linear(3, 2), (4,))


def test_files_that_are_not_of_torch_export_are_named(tmp_path, capfd):
    with pytest.raises(InputError, match=r"cannot read .*none.pt2: there is no such file"):
        from_exported(tmp_path / "none.pt2")
    (tmp_path / "text.pt2").write_text("no archive")
    torch.save({"a": torch.ones(1)}, tmp_path / "state.pt2")
    for name in ("text", "state"):
        with pytest.raises(InputError, match=rf"cannot read .*{name}.pt2 as a file of torch.export: ") as caught:
            from_exported(tmp_path / f"{name}.pt2")
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
