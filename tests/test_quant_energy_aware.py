import itertools

import numpy as np
import pytest
import torch
from torch import nn

from golden.energy import EnergySpec, layer_energy
from quant import energy_aware
from quant.calls import calls
from quant.energy_aware import allotted, energies, grams, refitted, restored, select
from quant.masks import largest


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 4, 3, groups=2)
        self.dense = nn.Linear(4 * 6 * 6, 5)

    def forward(self, x):
        return self.dense(self.conv2(self.conv1(x).relu()).relu().flatten(1))


def setting(seed=0):
    torch.manual_seed(seed)
    base = torch.randn(40, 1, 8, 8)
    return Net(), torch.cat([base, base + 0.3 * torch.randn(40, 1, 8, 8)], 1)  # channels that resemble each other


def test_energies_follow_zeros_of_weights_and_inputs():
    model, x = setting()
    found = energies(model, x, EnergySpec(batch=8), weight_bits=8)
    made = calls(model, x)
    zeros = float((made["dense"].x != 0).double().mean())
    assert 0.2 < zeros < 0.8
    wanted = layer_energy(EnergySpec(batch=8), made["dense"].row, inputs=zeros, weight_bits=8)
    assert found["dense"] == wanted
    with torch.no_grad():
        model.dense.weight[:, ::2] = 0
    assert energies(model, x)["dense"]["products"]["mac"] == pytest.approx(
        layer_energy(EnergySpec(), made["dense"].row, inputs=zeros, weights=0.5)["products"]["mac"]
    )


def test_least_squares_on_the_weights_that_stay():
    model, x = setting()
    call = calls(model, x)["conv1"]
    columns, gram = call.columns(call.x)[0].double(), grams(call)[0]
    torch.testing.assert_close(gram, columns.T @ columns, rtol=1e-6, atol=1e-4)
    weight = model.conv1.weight.detach().reshape(6, -1).double()
    kept = (torch.rand(6, 18, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    kept[3] = 0
    found = refitted(weight, kept, gram)
    assert not found[kept == 0].any()
    for w, k, f in zip(weight, kept > 0, found, strict=True):
        if k.any():
            wanted = torch.linalg.lstsq(columns[:, k], (columns @ w)[:, None]).solution[:, 0]
            torch.testing.assert_close(f[k], wanted, rtol=1e-3, atol=1e-4)
    error, plain = (((columns @ (w - weight).T) ** 2).sum() for w in (found, weight * kept))
    assert error < 0.8 * plain


def test_what_is_restored_lowers_the_error_of_the_sums_most():
    model, x = setting()
    call = calls(model, x)["conv1"]
    columns, gram = call.columns(call.x)[0].double(), grams(call)[0]
    weight = model.conv1.weight.detach().reshape(6, -1).double()
    kept = (weight.abs() > 0.15).double()
    weight[2, 0] = kept[2, 0] = 0.0

    def error(mask):
        return float(((columns @ (weight - weight * mask).T) ** 2).sum())

    gains = {}
    for row, column in (kept == 0).nonzero().tolist():
        trial = kept.clone()
        trial[row, column] = 1
        gains[row, column] = error(kept) - error(trial)
    gains.pop((2, 0))  # its weight is 0
    found = restored(weight, kept, gram, 3)
    assert {tuple(place) for place in (found - kept).nonzero().tolist()} == set(sorted(gains, key=gains.get)[-3:])
    assert int(restored(weight, kept, gram, 1000)[2, 0]) == 0


def test_selection_is_nearer_to_the_network_than_magnitude_alone():
    model, x = setting()
    with torch.no_grad():
        wanted = model(x)
    plain, _ = setting()
    shares = {"conv1": 0.5, "conv2": 0.5, "dense": 0.3}
    masks = select(model, x, shares, {}, None)
    with torch.no_grad():
        for name, mask in masks.items():
            module = getattr(plain, name)
            module.weight *= largest(module.weight.abs(), shares[name])
            assert float(mask.mean()) == pytest.approx(shares[name], abs=0.02)
            assert not getattr(model, name).weight[mask == 0].any()
        assert ((model(x) - wanted) ** 2).mean() < 0.7 * ((plain(x) - wanted) ** 2).mean()
        before = {name: mask.clone() for name, mask in masks.items()}
        again = select(model, x, {"dense": 0.15}, masks, None)
    assert torch.equal(again["conv1"], before["conv1"])
    assert float(again["dense"].mean()) == pytest.approx(0.15, abs=0.02)
    assert not (again["dense"] > before["dense"]).any()


@torch.no_grad()
def test_no_other_shares_have_less_error_with_as_little_energy(monkeypatch):
    shares = np.array([1.0, 0.5, 0.25, 0.1])
    monkeypatch.setattr(energy_aware, "SHARES", shares)
    model, x = setting()
    for module in model.children():
        module.bias.zero_()
    made, errors, joules = calls(model, x), {}, {}
    for name, call in made.items():
        weight = call.module.weight.clone()
        for s in shares:
            call.module.weight.copy_(weight * largest(weight.abs(), s))
            errors[name, s] = float(((call.module(call.x) - call.y) ** 2).sum() / (call.y**2).sum())
            joules[name, s] = sum(sum(levels.values()) for levels in energies(model, x)[name].values())
        call.module.weight.copy_(weight)
    sizes = {name: call.module.weight.numel() for name, call in made.items()}
    several = set()
    for kept in (1.0, 0.6, 0.3, 0.15):
        found = allotted(model, x, kept)
        assert sum(found[name] * size for name, size in sizes.items()) <= kept * sum(sizes.values())
        error, energy = (sum(of[name, s] for name, s in found.items()) for of in (errors, joules))
        for others in itertools.product(shares, repeat=len(made)):
            other = list(zip(made, others, strict=True))
            if sum(joules[pair] for pair in other) <= energy:
                assert sum(errors[pair] for pair in other) >= error - 1e-6  # float32 sums here, Gram matrices there
        several |= {tuple(found.values())}
    assert (1.0, 1.0, 1.0) in several and len(several) == 4 and any(len(set(each)) > 1 for each in several)
    assert allotted(model, x, 0.05) == dict.fromkeys(made, 0.05)  # less than all of the least shares
