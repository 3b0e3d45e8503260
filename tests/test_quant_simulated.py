import numpy as np
import pytest
import torch
from torch.nn import functional
from unseen import SHAPE, assigned, unseen_graph, unseen_images

from golden.errors import InputError
from golden.formats import Integer, parse
from quant.assignment import Assignment
from quant.graph import Graph, Op, expand
from quant.lower import lower
from quant.simulated import Simulated

FINE = Integer(8, True, -4)
COARSE = Integer(4, True, -1)


def dense(outputs=2, features=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    weight, bias = torch.randn(outputs, features, generator=rng), torch.randn(outputs, generator=rng)
    return Graph(shape=(features,), ops=[Op("d.1", "dense", ("input",), {}, weight, bias)], output="d.1")


def rounded(fmt, x):
    return torch.from_numpy(fmt.round(x.detach().numpy())).float()


def test_numbers_without_formats_are_float():
    graph, images = unseen_graph(), unseen_images(9)
    assert torch.equal(Simulated(graph)(images), graph.run(images)["last"])
    assert torch.equal(Simulated(graph, Assignment()).eval()(images), graph.run(images)["last"])


@pytest.mark.parametrize("fmt", [COARSE, parse("mini_e4m3"), parse("pow2_4"), parse("pow2z_3"), parse("e2m1")])
def test_each_number_with_a_format_is_rounded_by_it(fmt):
    graph, x = dense(), torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    weight, bias = graph.ops[0].weight, graph.ops[0].bias
    for assignment, expected in (
        (Assignment(weights={"d.1": fmt}), functional.linear(x, rounded(fmt, weight), bias)),
        (Assignment(biases={"d.1": fmt}), functional.linear(x, weight, rounded(fmt, bias))),
        (Assignment(outputs={"input": fmt}), functional.linear(rounded(fmt, x), weight, bias)),
        (Assignment(outputs={"d.1": fmt}), rounded(fmt, functional.linear(x, weight, bias))),
    ):
        model = Simulated(graph, assignment)
        assert torch.equal(model.train()(x), expected) and torch.equal(model.eval()(x), expected)


@pytest.mark.parametrize("fmt", [None, FINE, parse("pow2z_4")])
@pytest.mark.parametrize("weights", ["nearest", "stochastic"])
def test_what_is_no_weight_stays_0_while_tuning(fmt, weights):
    filters, present = expand(torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(0)), groups=4)
    op = Op("c", "conv", ("input",), {"stride": (1, 1), "padding": (0, 0)}, filters, present=present)
    graph, x = Graph(shape=(4, 3, 3), ops=[op], output="c"), torch.randn(5, 4, 3, 3)
    model = Simulated(graph, Assignment(weights={} if fmt is None else {"c": fmt}), weights=weights)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        model.train()(x).square().sum().backward()
        optimiser.step()
    (tuned,) = model.graph().ops
    assert torch.equal(tuned.weight != 0, present) and not torch.equal(tuned.weight, filters)


def test_evaluation_follows_golden_to_within_float32():
    rng = torch.Generator().manual_seed(0)
    weights = torch.randn(4, 2, 3, 3, generator=rng), torch.randn(3, 4 * 6 * 5, generator=rng) / 8
    pool = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False, "divisor": "window"}
    ops = [
        Op("c", "conv", ("input",), {"stride": (1, 1), "padding": (1, 1)}, weights[0], torch.randn(4, generator=rng)),
        Op("r", "relu", ("c",)),
        Op("p", "average_pool", ("r",), pool),
        Op("f", "flatten", ("p",)),
        Op("d", "dense", ("f",), {}, weights[1], torch.randn(3, generator=rng)),
    ]
    graph, images = Graph(shape=(2, 13, 11), ops=ops, output="d", unit=1 / 256), unseen_images(200)
    assignment = assigned(graph, Integer(8, True, -4), Integer(8, True, -5))
    exact = lower(graph, assignment).run(images.numpy())
    with torch.no_grad():
        found = Simulated(graph, assignment).eval()(images).numpy() * 2.0**4
    assert len(np.unique(exact)) > 50 and np.mean(found == exact) > 0.995


def test_training_may_leave_outputs_float_and_evaluation_rounds_them():
    graph, x = dense(), torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    model = Simulated(graph, Assignment(outputs={"input": COARSE, "d.1": COARSE}), outputs=False)
    assert torch.equal(model.train()(x), graph.run(x)["d.1"])
    whole = graph.run(rounded(COARSE, x))["d.1"]
    assert torch.equal(model.eval()(x), rounded(COARSE, whole))


def test_gradients_pass_straight_through_and_stop_where_outputs_saturate():
    graph, fmt = dense(), Integer(3, True, -1)  # -2 to 1.5
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1)) * 2
    model = Simulated(graph, Assignment({"d.1": fmt}, {"d.1": fmt}, {"d.1": fmt})).train()
    model(x).sum().backward()
    sums = functional.linear(x, *(rounded(fmt, p) for p in (graph.ops[0].weight, graph.ops[0].bias)))
    inside = ((sums >= -2) & (sums <= 1.5)).float()
    assert 0.2 < float(inside.mean()) < 0.8
    gradients = dict(zip(("weight", "bias"), (p.grad for p in model.parameters()), strict=True))
    assert torch.allclose(gradients["weight"], inside.T @ x, rtol=1e-5)
    assert torch.equal(gradients["bias"], inside.sum(0))


def test_stochastic_rounding_is_right_on_average_and_repeats_with_its_seed():
    graph, x = dense(), torch.eye(3)
    fmt = Integer(8, True, 0)
    assignment = Assignment(weights={"d.1": fmt}, biases={"d.1": fmt})
    model = Simulated(graph, assignment, weights="stochastic", seed=3).train()
    runs = torch.stack([model(x) for _ in range(2000)]).detach()
    assert torch.equal(runs, runs.round()) and not torch.equal(runs[0], runs[1])
    assert torch.allclose(runs.mean(0), graph.run(x)["d.1"], atol=0.06)
    again = Simulated(graph, assignment, weights="stochastic", seed=3).train()
    assert all(torch.equal(again(x), run) for run in runs[:20])
    assert not all(torch.equal(Simulated(graph, assignment, weights="stochastic", seed=4)(x), run) for run in runs[:20])
    nearest = functional.linear(x, *(rounded(fmt, p) for p in (graph.ops[0].weight, graph.ops[0].bias)))
    assert torch.equal(model.eval()(x), nearest)


def test_training_moves_the_full_precision_weights():
    graph = dense(outputs=1)
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
    target = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.25
    fmt = Integer(6, True, -3)
    model = Simulated(graph, Assignment({}, {"d.1": fmt}, {"d.1": fmt}), weights="stochastic").train()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(400):
        loss = (model(x) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    tuned = model.graph().ops[0]
    assert torch.equal(rounded(fmt, tuned.weight), torch.tensor([[1.0, -2.0, 0.5]])) and bool(model.eval()(x[:1]).any())
    assert not tuned.weight.requires_grad and not torch.equal(tuned.weight, rounded(fmt, tuned.weight))
    assert torch.equal(graph.ops[0].weight, dense(outputs=1).ops[0].weight)
    state = model.state_dict()
    other = Simulated(graph, model.assignment)
    other.load_state_dict(state)
    assert torch.equal(other.eval()(x), model(x))


def test_steps_use_the_weights_as_they_are_now():
    graph = unseen_graph()
    model = Simulated(graph, assigned(graph, FINE, FINE))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert all(not y.any() for _, y in model.steps(unseen_images(2)))


def test_what_cannot_be_simulated_is_refused():
    graph = dense()
    with pytest.raises(InputError, match="weights must be rounded nearest or stochastic, not 'up'"):
        Simulated(graph, weights="up")
    with pytest.raises(InputError, match="outputs of 'x' cannot have a format; allowed: d.1, input"):
        Simulated(graph, Assignment(outputs={"x": FINE}))
    with pytest.raises(InputError, match="every number of an exported network needs a format"):
        list(Simulated(graph).steps(torch.ones(1, 3)))
    attributes = {name: torch.ones(2) for name in ("mean", "var", "gamma", "beta")} | {"eps": 0.0}
    norm = Graph(shape=SHAPE, ops=[Op("n", "batch_norm", ("input",), attributes)], output="n")
    with pytest.raises(InputError, match="batch_norm 'n' must be folded before numbers get formats: quant.fold"):
        Simulated(norm)
