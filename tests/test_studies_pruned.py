"""studies.pruned: which weights stay, and that they stay 0 through training."""

import pytest
import torch
from small_mnist import quick, small_mnist

import studies.pruned
from quant.cache import trained
from quant.masks import largest
from quant.pruning import Pruning
from quant.settings import Settings
from studies.pruned import pruned


def test_pruned_weights_are_zero_after_training_and_come_back_from_the_cache(tmp_path, monkeypatch):
    dataset = small_mnist(256, 100)
    start = trained(quick(), dataset, build=tmp_path, progress=False).model
    before = {name: x.clone() for name, x in start.state_dict().items()}
    kept = {"conv1": 0.5, "conv2": 0.1, "ip1": 0.05, "ip2": 0.2}
    given = {"settings": Settings(epochs=1, batch=32), "progress": False}
    model = pruned(start, dataset, tmp_path, pruning=Pruning(kept=kept), **given)
    for stage in model.stages:
        share = float((stage.weight != 0).float().mean())
        assert share == pytest.approx(kept[stage.layer.name], abs=0.01)
        held = largest(before[f"stages.{list(kept).index(stage.layer.name)}.weight"].abs(), kept[stage.layer.name]) == 0
        assert not stage.weight[held].any()
    assert not torch.equal(model.stages[0].weight, before["stages.0.weight"])
    assert all(torch.equal(x, before[name]) for name, x in start.state_dict().items())

    def refuse(*arguments, **settings):
        raise AssertionError("trained again")

    monkeypatch.setattr(studies.pruned, "prune", refuse)
    again = pruned(start, dataset, tmp_path, pruning=Pruning(kept=kept), **given)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    with pytest.raises(AssertionError):
        pruned(start, dataset, tmp_path, pruning=Pruning(kept=kept | {"ip2": 0.3}), **given)
