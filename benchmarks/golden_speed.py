"""Images a second of golden's ternary LeNet, over those of torch's float32 LeNet of the same shapes.

Both run in processes of their own, in turns, on the same cores and threads, with the same batch; the best time of
each counts, as whatever else the machine does only adds to it. Prints JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from golden.errors import InputError, Parser, command

TARGET = 0.5


def golden_lenet(batch):
    """A function that runs `batch` images through golden's LeNet: weights ternary, activations uint8."""
    import numpy as np

    from golden.builder import Builder
    from golden.formats import parse
    from golden.requant import RequantSpec, fold_affine

    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (batch, 1, 28, 28), dtype=np.uint8)
    net = Builder("uint8", (1, 28, 28), unit=1 / 255)

    def gemm(op, shape, requant=True):
        name = f"{op}{len(net.nodes)}"
        net.add(name, op, parameters={"weight": ("ternary", rng.integers(-1, 2, shape))})
        if requant:
            sums = np.moveaxis(net.build().run(images[:64]), 1, 0).reshape(shape[0], -1)
            scale = 60 / sums.std(axis=1)
            m, b, s = fold_affine(RequantSpec(y=parse("uint8")), scale, 60 - scale * sums.mean(axis=1))
            parameters = {"m": (None, m), "b": (None, b), "s": (None, s)}
            net.add(f"requant{len(net.nodes)}", "requant", parameters=parameters, attributes={"format": "uint8"})

    for shape in ((20, 1, 5, 5), (50, 20, 5, 5)):
        gemm("conv", shape)
        net.add(f"pool{len(net.nodes)}", "max_pool", attributes={"kernel": 2})
    net.add("flatten", "flatten")
    gemm("dense", (500, 800))
    gemm("dense", (10, 500), requant=False)
    network = net.build()
    return lambda: network.run(images)


def torch_lenet(batch):
    """A function that runs `batch` images through torch's LeNet in float32."""
    import torch
    from torch import nn

    torch.manual_seed(1)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    images = torch.rand(batch, 1, 28, 28)
    convolutions = [nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10)).eval()

    @torch.inference_mode()
    def run():
        return network(images)

    return run


SIDES = {"golden": golden_lenet, "torch": torch_lenet}


def measure(side, batch, repeats):
    """Seconds of each of `repeats` runs, after two to warm up."""
    run, seconds = SIDES[side](batch), []
    for _ in range(2 + repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds[2:]


def main():
    parser = Parser(prog="golden_speed", description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side")
    parser.add_argument("--repeats", type=int, default=7, help="runs in a turn")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    for name in ("batch", "threads", "rounds", "repeats"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(args, name)}")
    if args.side is not None:
        print(json.dumps(measure(args.side, args.batch, args.repeats)))
        return
    threads = {f"{library}_NUM_THREADS": str(args.threads) for library in ("OMP", "OPENBLAS", "MKL")}
    threads["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin slow torch several times on cores that are shared
    seconds = {side: [] for side in SIDES}
    for _ in range(args.rounds):
        for side in SIDES:
            options = {"--side": side, "--batch": args.batch, "--repeats": args.repeats}
            words = [sys.executable, __file__, *(str(word) for pair in options.items() for word in pair)]
            run = subprocess.run(words, env=os.environ | threads, check=True, stdout=subprocess.PIPE, text=True)
            seconds[side] += json.loads(run.stdout)
    rates = {side: args.batch / min(times) for side, times in seconds.items()}
    report = {f"{side}_images_per_second": round(rate) for side, rate in rates.items()}
    report |= {"batch": args.batch, "threads": args.threads, "runs_of_each": args.rounds * args.repeats}
    print(json.dumps(report | {"ratio": round(rates["golden"] / rates["torch"], 3), "target": TARGET}))


if __name__ == "__main__":
    command(main)
