from dataclasses import replace

import pytest
import torch
from small_mnist import quick, small_mnist

from quant import cache
from quant.cache import code_hash, key, trained
from quant.masks import nonzero
from quant.pruning import Pruning
from quant.settings import Distillation

DATA = small_mnist(64, 20)


def test_a_run_is_trained_once(tmp_path, monkeypatch):
    settings = quick(weights="ternary")
    first = trained(settings, DATA, build=tmp_path, progress=False)
    assert len(list(tmp_path.iterdir())) == 2  # the float run and the ternary one

    def fail(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(cache, "train", fail)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    again = trained(settings, DATA, build=tmp_path, progress=False)
    assert torch.rand(1) == expected
    assert (again.epoch, again.held_out, again.history) == (first.epoch, first.held_out, first.history)
    with torch.no_grad():
        assert torch.equal(again.model(DATA.test.images), first.model(DATA.test.images))
    with pytest.raises(AssertionError, match="trained again"):
        trained(replace(settings, rate=1e-4), DATA, build=tmp_path, progress=False)


def test_pruned_runs_and_students_are_kept_too(tmp_path):
    pruned = replace(quick("lenet_caffe"), start=quick("lenet_caffe"), pruning=Pruning(kept=0.3, rounds=2))
    taught = replace(quick("lenet_caffe", seed=1), teacher=quick(), distillation=Distillation(scheme="B"))
    for recipe in (pruned, taught):
        found = trained(recipe, DATA, build=tmp_path, progress=False)
        again = trained(recipe, DATA, build=tmp_path, progress=False)
        pairs = zip(found.model.state_dict().items(), again.model.state_dict().items(), strict=True)
        assert all(name == other and torch.equal(x, y) for (name, x), (other, y) in pairs)
    assert nonzero(trained(pruned, DATA, build=tmp_path).model)[""] == pytest.approx(0.3, abs=0.01)
    assert all(path.suffix == ".safetensors" for path in tmp_path.iterdir()) and len(list(tmp_path.iterdir())) == 4


def test_a_damaged_file_is_trained_anew(tmp_path):
    first = trained(quick(), DATA, build=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    again = trained(quick(), DATA, build=tmp_path, progress=False)
    assert path.read_bytes() == whole and again.history == first.history


def test_key_hangs_on_settings_start_data_and_code():
    settings = quick(weights="ternary")
    keys = [
        key(settings, DATA),
        key(replace(settings, seed=1), DATA),
        key(replace(settings, start=replace(settings.start, rate=1e-5)), DATA),
        key(settings, replace(DATA, digest="other")),
        key(settings, DATA, ("golden.formats",)),
    ]
    assert len(set(keys)) == len(keys)
    assert key(settings, DATA) == keys[0]


def test_code_hash_sees_code_alone(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    texts = {
        "one": 'X = 1\ndef f():\n    "What it does."\n    return X\n',
        "two": '"Module."\nX = 1  # why\n\n\ndef f():\n    return X\n',
        "three": "X = 2\ndef f():\n    return X\n",
    }
    for name, text in texts.items():
        (tmp_path / f"hashed_{name}.py").write_text(text)
    one, two, three = (code_hash((f"hashed_{name}",)) for name in texts)
    assert one == two != three
