"""The study of DLAC as Markdown, made from its JSON values alone."""

from pathlib import Path

from golden.errors import replacing
from studies import dlac_runs
from studies.dlac_pictures import CASES, NAMES, pictures
from studies.dlac_zeros import OPERANDS
from studies.ristretto_report import table

__all__ = ["markdown", "write"]

LISTED = ("even", "densities", "masks", "interleaved")  # of the pictures' cases, layer by layer
OWN = {"lenet": "LeNet", "resnet": "ResNet"}
OWN |= {"ocr_detection": "OCR detection", "ocr_direction": "OCR direction", "ocr_recognition": "OCR recognition"}


def percent(share):
    """A share of 1 in per cent."""
    return f"{100 * share:.0f} %"


def thousands(value):
    """Thousands with two decimals."""
    return f"{value / 1e3:.2f}"


def zeros(study):
    """Figure 1's last points: what is not 0 of products, and of their operands, by network."""
    head = ["network", "held-out images right", "forward", "backward", *OPERANDS]
    rows = []
    for name, of in study["zeros"].items():
        last = of["steps"][-1]
        rows.append([NAMES[name], percent(of["accuracy"]), *(percent(last[key]) for key in head[2:])])
    published = study["published"]
    rows.append(["ResNet-34 on ImageNet, published", "", percent(published["forward"]), percent(published["backward"])])
    rows[-1] += [""] * len(OPERANDS)
    return table(head, rows)


def speeds(study):
    """Figure 5's totals."""
    head = ["operands", "density of activations", "of weights", "products without a zero", "bound", "speed-up"]
    head += ["thousand operations a cycle", "mean of layers", "peak", "with program and results", "bytes a cycle, at most"]
    rows = []
    cases = {CASES[name]: of for name, of in study["resnet34"].items()}
    for network, of in study["own"].items():
        cases[f"{OWN[network]}'s own layers"] = of["masks"]
        cases[f"{OWN[network]}'s own layers, neighbours on different PEs"] = of["interleaved"]
    for name, of in cases.items():
        total = of["total"]
        cells = [name, *(percent(total[key]) for key in ("density_a", "density_w", "share"))]
        cells += [f"{total[key]:.2f}" for key in ("bound", "speed_up")]
        cells += [thousands(total[key]) for key in ("flop", "mean_flop", "peak_flop", "flop_whole")]
        rows.append([*cells, f"{total['peak_bytes']:.0f}"])
    published = study["published"]
    dense = 2 * published["units"]
    rows.append(["published", "", "", percent(published["forward"]), "", f"{published['mean'] / dense:.2f}"])
    rows[-1] += [thousands(published["mean"]), "", thousands(published["peak"]), "", ""]
    return table(head, rows)


def by_layer(study):
    """Figure 5: thousand operations a cycle of each layer of ResNet-34."""
    cases = {name: study["resnet34"][name]["layers"] for name in LISTED}
    head = ["layer", "K", "our ResNet's density of activations", "of weights", *(CASES[name] for name in LISTED)]
    rows = []
    for made in zip(*cases.values(), strict=True):
        ours = dict(zip(cases, made, strict=True))["masks"]
        densities = [percent(ours[key]) for key in ("density_a", "density_w")]
        rows.append([ours["name"], ours["k"], *densities, *(thousands(row["flop"]) for row in made)])
    return table(head, rows)


def gate_equivalents(study, name):
    """Of a PE."""
    return study["areas"][name]["pe"][0]


def per_area(study, speed_up, fmt, own=False):
    """How many more operations a gate does in PEs that skip, with a `speed_up`, than in those that do not.

    A cycle, or with `own` in a second at the clock that each PE reaches by itself.
    """
    found = speed_up * gate_equivalents(study, f"{fmt}_dense") / gate_equivalents(study, fmt)
    if own:
        found *= study["areas"][f"{fmt}_dense"]["period_ns"] / study["areas"][fmt]["period_ns"]
    return found


def claim(study):
    """Operations a cycle, and a second, for each gate, beside the grid that skips nothing."""
    head = ["operands"]
    for fmt in ("FP32", "FP16"):
        head += [f"{fmt}, of the products", "with program and results", "the same, each at its own clock"]
    rows = []
    for name, of in study["resnet34"].items():
        total, cells = of["total"], [CASES[name]]
        for fmt in ("fp32", "fp16"):
            for key, own in (("speed_up", False), ("speed_up_whole", False), ("speed_up_whole", True)):
                cells.append(f"{per_area(study, total[key], fmt, own):.2f}")
        rows.append(cells)
    return table(head, rows)


def markdown(study):
    """The whole page."""
    published, zeros_of = study["published"], study["zeros"]
    gates = {name: f"{gate_equivalents(study, name):,.0f}" for name in study["areas"]}
    clocks = {name: f"{of['period_ns']:.1f}" for name, of in study["areas"].items()}
    back, right = (zeros_of[name]["steps"][-1]["backward"] for name in ("resnet", "resnet_wrong"))
    w = zeros_of["resnet"]["steps"][-1]["weights"]
    a = published["forward"] / w
    runs = study["runs"]
    [plain] = [row for row in runs["runs"] if "bounds" in row]
    exact, half = runs["runs"][:2]
    case = {name: of["total"] for name, of in study["resnet34"].items()}
    sections = [
        "# DLAC's figures",
        f"Made by `make dlac` from JSON, commit {study['commit']}. [What the grid is](dlac.md). The paper: Venkatesh, "
        "Nurvitadhi and Marr, *Accelerating Deep Convolutional Networks Using Low-Precision and Sparsity*. Its networks learn "
        f"ImageNet, which is not at hand: ours are small and learn MNIST, from {study['images']:,} images.",
        "## Products without a zero and their operands, over training (figure 1)",
        "![shares of products and of operands over training](dlac-zeros.png)",
        "At the end of training:",
        zeros(study),
        "Weights are ternary by the rule of Ternary Weight Networks (threshold 0.7 of the mean magnitude, straight-through "
        "gradients). *LeNet* has batch normalisation, ReLU and 8-bit activations behind every layer but the last; *ResNet* "
        "has four stages of two blocks (8, 16, 32 and 64 filters), its first convolution and last layer not ternary, "
        "rectifiers with the threshold 0.01 and a penalty of 1e-5 on the sum of its activations. Forward: products of "
        "activations and weights. Backward: those of errors and weights, for all layers but the first, and those of "
        "activations and errors. Padding and the zeros between spread errors are not counted as products to be made.",
        f"*What it means.* The rule leaves {percent(w)} of our ResNet's weights, so that a forward share of "
        f"{percent(published['forward'])} takes activations of which {percent(a)} are not 0. Behind a batch normalisation "
        "no error is 0, as its way back subtracts means over the batch: of the products with errors then as many have no "
        "zero as there are weights, and activations, that are not 0. With the shares just named that makes "
        f"{percent((w + a) / 2)} backward. The published {percent(published['backward'])} is less, so that some errors must "
        "have been 0 there, or fewer weights left. A rectifier or a pool without normalisation behind it makes errors 0 "
        "(LeNet with biases). Sending back the errors of wrong images alone does not, as normalisation spreads them over "
        f"the batch: {percent(right)} instead of {percent(back)}.",
        "## Operations a cycle on ResNet-34 (figure 5)",
        "![operations and bytes a cycle](dlac-speed.png)",
        speeds(study),
        "The grid has 16 x 16 PEs of 2 units and 16 output buffers, lanes of 14 entries and a latency of 3 cycles: 512 "
        "multiply-adders, 1,024 operations a cycle without skipping. Cycles come from golden's schedule, which equals the "
        "Verilog's cycles exactly; four tiles of each layer are scheduled in full, and layers of equal shape and place share "
        "them. An operation is a multiplication or an addition, those that are skipped among them, as published. A density "
        "is the share of operands that are *not* 0, as they are used, weighted by products; the published share of products "
        "is 0.16 = 0.4 x 0.4 = 0.28 x 0.57. The first convolution is dense throughout, as its weights are not ternary, and "
        "counts in all that is said of the whole. The whole is weighted by time (all operations over all cycles); *mean of "
        "layers* is not. "
        "*With program and results*: batch normalisation and rectifier behind every tile, and 64 rows of results that leave "
        "before the next tile begins. Layers of ResNet-34 have full tiles, as with many images; the networks' own layers "
        "have not (LeNet's first has 20 filters for 64 columns): what is not filled counts as zeros, which may take their "
        "speed-up beyond the bound of their own products. The OCR networks are those of `rapidocr`, which read text, with their "
        "weights made ternary and no training after it; of their layers the convolutions with at least 5 % zeros before them, "
        "as others have none for want of a ReLU. Bytes are what the grid "
        "takes and gives a cycle: activations that are not 0 with a bit for each, weights in 2 bits, results; nothing "
        "limits them here.",
        "*Our ResNet's densities* and *zeros in their places*: each layer of ResNet-34 gets the densities, or the masks, of "
        "the layer at the same place in our ResNet; windows next to each other stay together, and channels are repeated from "
        "other windows until there are enough. Windows next to each other have much the same zeros. A PE with four of them "
        "has more to do than others where there is much, and the grid goes at the pace of the PE with the most: that is "
        "what the order of real zeros costs. It costs less if the four windows of a PE lie apart, *neighbours on different "
        "PEs*: PE r of a tile gets the windows r, r + 16, r + 32 and r + 48 of its 64. That is a matter of addresses, and "
        "takes no gate of the grid. (In the last stage it does not help: our images have 4 x 4 pixels there, so that the four "
        "windows are the same place in four images.)",
        f"*What it means.* At the published share of {percent(published['forward'])} this grid does "
        f"{study['resnet34']['even']['total']['speed_up']:.2f} times what it does without skipping, dense first layer "
        f"included, where the published average is {published['mean'] / (2 * published['units']):.2f} times. The paper does "
        "not say whether its zeros were less, or lay together. Ours do: with the same densities, drawn one by one, the "
        f"speed-up is {case['densities']['speed_up']:.2f}; with zeros in their places {case['masks']['speed_up']:.2f}, and with "
        f"neighbours on different PEs {case['interleaved']['speed_up']:.2f}. That our ResNet comes near the published average "
        "is chance: its densities are not those of a network for ImageNet.",
        "Thousand operations a cycle of each layer, and its densities with our ResNet's zeros in their places:",
        by_layer(study),
        "## Speed for area",
        f"A PE of 16 buffers and 2 units, weights ternary, takes {gates['fp32']} GE in FP32 and {gates['fp16']} in FP16; one "
        f"that skips nothing {gates['fp32_dense']} and {gates['fp16_dense']}: it keeps two entries a lane instead of 14, as "
        "all lanes move together. Their clocks, each by itself, are "
        f"{clocks['fp32']} and {clocks['fp16']} ns, of those that skip nothing {clocks['fp32_dense']} and "
        f"{clocks['fp16_dense']}. [Storage, speed and area](dlac_storage.md) has what they are made of.",
        "Operations a cycle for each gate of the PEs, over those of the grid that skips nothing; *each at its own clock* is "
        "operations a second:",
        claim(study),
        "What the grid has beside its PEs is left out: it is the same in both but for the zero detectors of activations, an "
        "OR of the bits of each, which a grid that skips nothing does not need. This is the paper's claim, skipping against "
        "its own hardware without it.",
        "## Through the Verilog, bit for bit",
        dlac_runs.markdown(runs),
        "A network is a list of steps (`golden.dlac_steps`): a matrix product, and pointwise operations on its sums. "
        "Forward, backward and update are rows of it (`golden.dlac_networks`); golden does them, `tb.dlac_network` sends each "
        "to the Verilog as a job (`golden.dlac_jobs`), and `golden.dlac_bounds` follows their rounding.",
        f"A grid of {runs['settings']['rows']} x {runs['settings']['cols']} PEs, for the tile of ResNet-34 one of 16 x 16, in "
        "Verilator, memory-fed: every result "
        "equals golden's to the bit, every cycle count the schedule's. *Integers*: this project's ternary LeNet with 8-bit "
        "activations; all its sums are below 2^24, so that FP32 adds them exactly and the grid gives the integers of the "
        "network themselves. FP16 holds integers up to 2,048 alone, and its grid runs the next. *Half precision*: the same "
        "weights with batch normalisation, rectifier of threshold 0.01 and activations in FP16, in the programs behind the "
        f"products. Of the first {runs['judged']} test images the first has {exact['right']:.1%} right and the second "
        f"{half['right']:.1%}; their choices agree on {runs['agreement']:.1%}. *Training*: one step of gradient descent of "
        f"Caffe's LeNet on {runs['batch']} images, not trained before, with rate {runs['rate']:g}: every matrix product, of "
        "the way forward, of the errors and of the gradients, every bias, rectifier and update in the Verilog; pooling, "
        "softmax and ternarisation are golden's. *A tile of ResNet-34*: 64 pixels and 64 filters of conv2_1_b with numbers "
        "that are drawn. Without ternary weights the loss goes from "
        f"{plain['losses'][0]:.6f} to {plain['losses'][1]:.6f}; torch's own step from {plain['torch'][0]:.6f} to "
        f"{plain['torch'][1]:.6f}. Rounding in another order may make the two differ by {plain['bounds'][0]:.1e} and "
        f"{plain['bounds'][1]:.1e} (a bound to first order, from the derivatives of the loss in every result); a "
        "greater difference, or another choice at any rectifier or maximum, ends the study in an error.",
    ]
    return "\n\n".join(section.rstrip("\n") for section in sections) + "\n"


def write(study, folder):
    """Write pictures and the page to `folder`; [path of the page]."""
    folder = Path(folder)
    pictures(study, folder)
    with replacing(folder / "dlac_study.md") as temporary:
        temporary.write_text(markdown(study))
    return [folder / "dlac_study.md"]
