"""studies.dlac_report and dlac_pictures: figures of a made-up study find their places on the page."""

from studies.dlac import COMPARED
from studies.dlac_areas import PES
from studies.dlac_pictures import CASES, NAMES
from studies.dlac_report import OWN, markdown, per_area, write
from studies.published import DLAC


OF_LAYERS = {"even": 5.0, "uneven": 6.0, "densities": 3.0, "masks": 2.0, "interleaved": 4.0}  # speed-ups


def layer(name, speed_up):
    row = {"name": name, "k": 576, "macs": 1000, "density_a": 0.1 * speed_up, "density_w": 0.3, "share": 0.16, "bound": 6.25}
    row |= {"cycles": 10.0, "dense_cycles": 10.0 * speed_up, "cycles_whole": 12.0, "dense_cycles_whole": 60.0}
    return row | {"speed_up": speed_up, "flop": 1024 * speed_up, "flop_whole": 900.0, "dense_flop": 1024.0, "bytes": 90.0}


def case(speed_up, of_layer=2.0):
    total = {"density_a": 0.42, "density_w": 0.38, "share": 0.16, "bound": 6.25}
    total |= {"speed_up": speed_up, "speed_up_whole": speed_up - 0.5, "flop": 1024 * speed_up}
    total |= {"flop_whole": 3000.0, "mean_flop": 4000.0, "peak_flop": 5500.0, "peak_bytes": 123.4}
    return {"layers": [layer("conv1", 1.0), layer("conv2_1_a", of_layer)], "total": total}


def run(name, **more):
    row = {"name": name, "target": "dlac_fp32", "steps": [{}, {}], "macs": 1000, "nonzero": 250}
    return row | {"cycles": 500, "dense": 1500} | more


def study():
    steps = [{"step": 0, "forward": 0.4, "backward": 0.6, "activations": 0.7, "weights": 0.65, "errors": 0.9}]
    steps.append({"step": 10, "forward": 0.3, "backward": 0.55, "activations": 0.5, "weights": 0.6, "errors": 1.0})
    gates = {"fp32": 40e3, "fp32_dense": 20e3, "fp16": 20e3, "fp16_dense": 8e3}
    losses = {"losses": [2.5, 2.25], "torch": [2.5, 2.2500002], "bounds": [1e-3, 2e-3]}
    runs = [run("integers", right=0.99), run("half precision", right=0.985), run("training", **losses)]
    runs += [run("training, ternary"), run("a tile of ResNet-34")]
    more = {"batch": 2, "rate": 0.015625, "settings": {"rows": 2, "cols": 2}}
    return {
        "commit": "abc",
        "published": DLAC,
        "images": 12800,
        "zeros": {name: {"accuracy": 0.97, "steps": steps, "layers": []} for name in NAMES},
        "resnet34": {name: case(5.0, OF_LAYERS[name]) for name in CASES},
        "own": {name: {"masks": case(3.0), "interleaved": case(4.0)} for name in OWN},
        "areas": {
            name: {"pe": [value, value / 2], "period_ns": 8.0 if "dense" in name else 10.0} for name, value in gates.items()
        },
        "runs": more | {"runs": runs, "agreement": 0.995, "judged": 200},
    }


def test_the_page_has_our_figures_beside_the_published_ones(tmp_path):
    [path] = write(study(), tmp_path)
    text = path.read_text()
    assert text == markdown(study())
    assert "| LeNet | 97 % | 30 % | 55 % | 50 % | 60 % | 100 % |" in text
    assert "| ResNet-34 on ImageNet, published |  | 16 % | 33 % |  |  |  |" in text
    assert f"| {CASES['even']} | 42 % | 38 % | 16 % | 6.25 | 5.00 | 5.12 | 4.00 | 5.50 | 3.00 | 123 |" in text
    assert "| published |  |  | 16 % |  | 2.71 | 2.78 |  | 5.00 |  |  |" in text
    assert "| conv2_1_a | 576 | 20 % | 30 % | 5.12 | 3.07 | 2.05 | 4.10 |" in text  # densities of the masks
    # 5 times the operations in twice the gates, at 0.8 of the clock; in FP16 in 2.5 times the gates
    assert f"| {CASES['masks']} | 2.50 | 2.25 | 1.80 | 2.00 | 1.80 | 1.44 |" in text
    assert "clocks, each by itself, are 10.0 and 10.0 ns, of those that skip nothing 8.0 and 8.0" in text
    assert "40,000 GE in FP32 and 20,000 in FP16; one that skips nothing 20,000 and 8,000" in text
    assert "from 2.500000 to 2.250000; torch's own step from 2.500000 to 2.250000" in text and "1.0e-03 and 2.0e-03" in text
    assert "99.0% right" in text and "agree on 99.5%" in text
    for name in ("dlac-zeros.png", "dlac-speed.png"):
        assert f"({name})" in text and (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_speed_is_weighed_by_area():
    assert per_area(study(), 5.0, "fp32") == 2.5
    assert per_area(study(), 5.0, "fp16") == 2.0
    assert per_area(study(), 5.0, "fp32", own=True) == 2.0  # of 10 ns instead of 8
    assert set(study()["areas"]) == set(COMPARED) and set(COMPARED.values()) <= set(PES)
    for name, row in COMPARED.items():
        of, settings = PES[row]
        assert of == f"dlac_{name[:4]}" and settings.get("skip", "both") == ("none" if "dense" in name else "both")
