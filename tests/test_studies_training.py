"""studies.training: a trained module comes back from the cache, and not for other settings."""

from dataclasses import replace

import torch
from test_quant_cifar import folder

import studies.training
from quant.cifar import Cifar10Full, cifar10
from quant.settings import Settings
from studies.training import module


def test_a_module_is_trained_once(tmp_path, monkeypatch):
    data = cifar10(folder(tmp_path))
    settings = Settings(epochs=1, batch=12)
    first = module(Cifar10Full, data, settings, 3, tmp_path)
    assert not first.training

    def refuse(*arguments, **settings):
        raise AssertionError("trained again")

    monkeypatch.setattr(studies.training, "fit", refuse)
    again = module(Cifar10Full, data, settings, 3, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    for other in ({"settings": replace(settings, rate=1e-2)}, {"seed": 4}):
        arguments = {"settings": settings, "seed": 3} | other
        try:
            module(Cifar10Full, data, arguments["settings"], arguments["seed"], tmp_path)
        except AssertionError as error:
            assert str(error) == "trained again"
        else:
            raise AssertionError("taken from the cache of other settings")
