"""quant.parallel: two processes train one network."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_mnist import quick, small_mnist

from golden.errors import InputError
from quant import parallel
from quant.cache import trained
from quant.parallel import average, part, total
from quant.settings import Distillation
from quant.train import train

DATA = small_mnist(96, 41)
PLAIN = replace(quick("lenet_caffe", epochs=2), shift=1, errors_only=True, rule="momentum", rate=1e-2)
NORMED = replace(quick("lenet", epochs=4), schemes=("ternary",) * 4, errors_only=True, rate=3e-3)
# what it starts from teaches it too: it is stored by one process, then looked for by both
TAUGHT = replace(quick("lenet_caffe"), start=PLAIN, teacher=PLAIN, distillation=Distillation(scheme="C"))
RUNS = {"taught": TAUGHT, "plain": PLAIN, "normed": NORMED}

SCRIPT = """
import sys, time
from safetensors.torch import save_file
from test_quant_parallel import DATA, RUNS
from quant import cache
from quant.cache import trained
from quant.parallel import processes, world

folder, store = sys.argv[1], cache.store
cache.store = lambda *given: (time.sleep(0.3), store(*given))
with processes():
    for name, recipe in RUNS.items():
        model = trained(recipe, DATA, build=folder, progress=False).model
        save_file({k: x.contiguous() for k, x in model.state_dict().items()}, f"{folder}/{name}{world()[0]}")
"""


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """{name and number of the process: state} of all runs in two processes, and their folder."""
    folder = tmp_path_factory.mktemp("parallel")
    (folder / "two.py").write_text(SCRIPT)
    tests = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{tests}:{tests.parent}", "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    launch += ["--master-port", str(20_000 + os.getpid() % 10_000), folder / "two.py", folder]
    run = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return {f"{name}{i}": load_file(folder / f"{name}{i}") for name in RUNS for i in (0, 1)}, folder


@pytest.mark.parametrize("name", RUNS)
def test_processes_hold_equal_networks(states, name):
    one, other = (states[0][f"{name}{i}"] for i in (0, 1))
    assert all(torch.equal(x, other[key]) for key, x in one.items())


def test_two_processes_train_what_one_does_up_to_rounding(states, tmp_path):
    # of networks without batch normalisation: sums of gradients are added in another order, and over 6 steps float32
    # differences of 1e-7 grow by little
    whole = train(PLAIN, DATA, progress=False)
    start = train(replace(PLAIN, rate=1e-12, errors_only=False), DATA, progress=False).model.state_dict()
    for key, x in whole.model.state_dict().items():
        found = states[0]["plain0"][key]
        torch.testing.assert_close(found, x, rtol=1e-4, atol=1e-5)
        assert (x - start[key]).abs().max() > 100 * (x - found).abs().max()


def test_one_process_alone_writes_what_all_then_find(states):
    suffixes = sorted(path.suffix for path in states[1].iterdir())
    assert suffixes.count(".safetensors") == len(RUNS) and ".checkpoint" not in suffixes
    again = trained(PLAIN, DATA, build=states[1], progress=False).model.state_dict()
    assert all(torch.equal(x, states[0]["plain0"][key]) for key, x in again.items())


def test_a_batch_that_processes_do_not_divide_is_refused_before_a_start_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "world", lambda: (0, 3))
    with pytest.raises(InputError, match="batch must be a multiple of the 3 processes, not 32"):
        trained(TAUGHT, DATA, build=tmp_path, progress=False)
    assert not any(tmp_path.iterdir())


def test_alone_nothing_is_exchanged(monkeypatch):
    assert part(32) == slice(0, 32) and total([1.5, 2]) == [1.5, 2]
    x = torch.ones(3)
    average([x])
    assert x.tolist() == [1, 1, 1]
    monkeypatch.setattr(parallel, "world", lambda: (2, 3))
    assert part(33) == slice(22, 33)
    with pytest.raises(InputError, match="batch must be a multiple of the 3 processes, not 32"):
        part(32)
