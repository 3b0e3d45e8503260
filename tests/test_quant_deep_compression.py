import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from quadrants import quadrants, trained
from small_mnist import quick, small_mnist

from golden.deep_compression import decode, encode
from golden.errors import InputError
from quant.checkpoint import Checkpoint
from quant.deep_compression import DeepCompression, compress, unpack
from quant.masks import layers
from quant.pruning import Pruning
from quant.settings import Settings
from quant.train import reproducible, train

PRUNING = Pruning(kept={"conv": 0.6, "hidden": 0.15, "out": 0.5})
SHORT = Settings(epochs=3, batch=40, rate=3e-3)
PLAN = DeepCompression(pruning=PRUNING, retraining=SHORT, dense_bits=3, sharing=replace(SHORT, rate=1e-3))


def run(plan=PLAN, **more):
    model = copy.deepcopy(trained())
    with reproducible(0) as generator:
        return compress(model, quadrants(), plan, generator, "quadrants", progress=False, **more)


def test_the_network_is_what_its_containers_say():
    found = run()
    fresh = copy.deepcopy(trained())
    fresh.load_state_dict(found.model.state_dict())
    for module in layers(fresh).values():
        torch.nn.init.zeros_(module.weight)
    unpack(fresh, found.containers)
    for name, module in layers(found.model).items():
        assert torch.equal(layers(fresh)[name].weight, module.weight)
        codes, table, bits = decode(found.containers[name])
        assert np.array_equal(table[codes], module.weight.detach().numpy()) and bits == 4
        assert found.bits[name].total == 8 * len(found.containers[name])
        assert len(table) <= (256 if name == "conv" else 8)
        assert found.kept[name] == pytest.approx(PRUNING.kept[name], abs=0.03)
    assert found.ratio("hidden") == 32 * 768 / 8 / len(found.containers["hidden"]) > 8
    assert found.ratio("conv") < found.ratio() < found.ratio("hidden")
    assert found.held_out["shared"] >= found.held_out["before"] - 0.05


def test_lenet_takes_a_tenth():
    data = small_mnist(512, 200)
    model = train(quick(epochs=3), data, progress=False).model
    kept = {"conv1": 0.66, "conv2": 0.12, "ip1": 0.08, "ip2": 0.19}
    plan = DeepCompression(
        pruning=Pruning(kept=kept),
        retraining=Settings(epochs=2, batch=32, rate=1e-3),
        sharing=Settings(epochs=1, batch=32, rate=1e-4),
    )
    with reproducible(0) as generator:
        found = compress(model, data, plan, generator, "lenet", progress=False)
    assert found.ratio() > 25
    assert found.held_out["shared"] > found.held_out["before"] - 0.1 and found.held_out["shared"] > 0.6


def test_interrupted_compressions_go_on(tmp_path):
    checkpoint = Checkpoint(tmp_path / "x", "key", "quadrants")
    first = run(checkpoint=checkpoint)
    (tmp_path / "x-shared").unlink()
    again = run(checkpoint=checkpoint)
    assert first.containers == again.containers
    assert run().containers == first.containers
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


def test_containers_of_others_are_refused():
    model = copy.deepcopy(trained())
    data = encode(np.zeros((4, 1, 3, 3), np.int64), np.array([0, 1], np.float32))
    unpack(model, {"conv": data})
    assert not model.conv.weight.any()
    with pytest.raises(InputError, match="no layer is called 'conv1'; allowed: conv, hidden, out"):
        unpack(model, {"conv1": data})
    with pytest.raises(InputError, match=r"weights of out must be \[4, 12\], not \[4, 1, 3, 3\] as in the container"):
        unpack(model, {"out": data})
    with pytest.raises(InputError, match="it is cut or corrupted"):
        unpack(model, {"conv": data[:-1]})
