"""The study of DPRed and bit-serial tiles as Markdown, made from its JSON values alone."""

from pathlib import Path

from golden.errors import replacing
from studies import dpred_tables as tables
from studies.claims import KINDS, VARIANTS
from studies.dpred_pictures import NAMES, WIDTHS, pictures, speed
from studies.dpred_tables import LOOM, SERIAL, percent, speeds, times
from studies.tables import table

__all__ = ["layers", "markdown", "write"]

# engines and bounds in the tables of assumed numbers
SHORT = ["stripes", "dynamic", "ahead_16_4", "of_group", "of_value", "loom_static", "loom_1", "loom_4", "wide_1"]
SHORT += ["loom_of_group", "loom_of_value"]


def layers(study):
    """The page of single layers."""
    rows = []
    for name, network in study["networks"].items():
        for row in network["layers"]:
            cells = [NAMES[name], row["name"], row["kind"], f"{row['macs'] / 1e6:.2f}"]
            cells.append(f"{row['16p']['width_w']}, {row['16p']['width_a']}")
            for variant in VARIANTS:
                for part in ("weights", "activations"):
                    bits = row[variant]["traffic"][part]
                    codes = ("static", "zero_flag", "dpred", "dpred_zeros", "entropy")
                    found = [bits[code]["16"] if isinstance(bits[code], dict) else bits[code] for code in codes]
                    cells.append(" ".join(f"{100 * value / bits['uncompressed']:.0f}" for value in found))
            for variant in VARIANTS:
                engines = ("stripes", "dynamic", "loom_1", "of_group", "loom_of_group")
                cells.append(" ".join(times(speed(row[variant]["cycles"], engine)) for engine in engines))
            rows.append(cells)
    head = ["network", "layer", "kind", "M products", "profile w, a"]
    head += [f"{WIDTHS[variant]}: {part}, %" for variant in VARIANTS for part in ("weights", "activations")]
    head += [f"{WIDTHS[variant]}: speed-up" for variant in VARIANTS]
    text = (
        "Bits left, in per cent: of a static width, of zero flags, of DPRed in groups of 16 without and with zero "
        "vectors, entropy. "
        "Speed-up: Stripes, Dynamic Stripes, Loom (1 bit), the bounds of groups of 16 for activations and for both. "
        "Profile: bits of weights and activations in the profiled networks. See [the study](dpred_study.md)."
    )
    return f"# DPRed and bit-serial tiles, layer by layer\n\n{text}\n\n{table(head, rows)}"


def markdown(study):
    """The whole page."""
    drawn = study["assumptions"]["16p"]
    independent = (
        f"*Independent*: half-normal activations, {percent(drawn['zeros'])} of them 0, the greatest "
        f"{drawn['peak_a']:.1f} times the root mean square of the others; normal weights, cut at "
        f"{drawn['peak_w']:.1f} times theirs; profiles of {drawn['width_a']} bits for activations and "
        f"{drawn['width_w']} for weights: medians over the layers of the real networks above."
    )
    real, assumed, claim = study["networks"], study["tables"], study["published"]
    cycles = {
        "real": lambda network, variant: network["totals"][variant]["cycles"],
        "drawn": lambda network, variant: network[variant],
    }
    sections = [
        "# DPRed and bit-serial tiles on real networks",
        f"Made by `make dpred` from JSON, commit {study['commit']}. [Every layer](dpred_layers.md) has a row of its "
        "own.",
        "## What is measured",
        "The networks are LeNet on MNIST (this project's, with batch normalisation, trained on all of it), the same "
        "with its smallest weights pruned and one epoch of retraining, and the three networks of the package "
        "`rapidocr` 3.10.0, which find text, say which way up it is and read it. Their images: the first 16 held-out "
        "digits; for detection, in 320 x 320, a photograph that matplotlib ships, a page of text and a hundred "
        "digits of MNIST; for recognition (48 x 320) and direction (48 x 192, also upside down) six lines of text in "
        "three typefaces and a line of digits. Text is drawn by Pillow.",
        "Of each convolution and each product with constant weights, the weights as they stand in the file (before "
        "batch normalisation) and the inputs are rounded symmetrically to integers, each tensor with a unit that "
        "makes its greatest magnitude (of all images) the greatest integer: weights in two's complement, inputs too "
        "if any is negative, unsigned otherwise. *16 bits* and *8 bits* fill the word. *16 bits, profiled* is what "
        "published 16-bit figures start from: each tensor has as few bits as leave at least 99 % of the network's "
        "decisions as they were (classes of 1,000 held-out digits, characters, directions; the overlap of the pixels "
        "found to be text), in words of 16 bits; of all choices with as much error in the outputs, about the one "
        "with the fewest products times bits. The last three columns are the decisions that stay.",
        tables.agreements(study),
        "## Published figures beside ours",
        tables.beside(study),
        "Traffic is weights and one image's activations together, each once, with the better of the two containers "
        "of G = 16. Speed-ups are those of convolutions (in brackets, of all layers), over a bit-parallel tile with "
        "as much throughput at full precision. The published figures are averages over networks for ImageNet that "
        "are not at hand. Where ours is behind, the word says which limit lies behind the published figure already. "
        "*data*: the entropy of single values, or their own precisions (for Stripes: the layer's), so that no group "
        "could help. *group*: the precisions of groups of 16, each on its own. *synchronisation*: the widest of the "
        "groups that a tile works on at once. *overhead*: width fields; edges of the result, and sums that have to "
        "leave.",
        tables.unbearable(study),
        "*ahead*: groups of 16 that run up to four passes apart, so that they wait less for each other. What "
        f"they gain on Stripes in LeNet's convolutions, of the bound of groups of 16: {tables.waiting(study)}. The rest is "
        "ours: sums leave a window a cycle, which takes a tile of the first convolution, of two passes, longer than its "
        "products do in either engine, and groups wait that are four passes ahead.",
        "## Traffic",
        "![bits that are left](dpred-traffic.png)",
        tables.traffic(study),
        "Groups are in storage order, along the channels. Containers come with header, trailer and padding, an "
        "image's activations of a layer in one container ([the format](dpred.md)). The widths that their groups may have "
        "are the best for the tensor: of weights for all of them, of activations for every other image, and up to the "
        "width that they were rounded to, so that no value of another image is too wide. *Static width*: one width a "
        "tensor, 4 + N P bits. *Zero flags*: one bit a value, and a word for each that is not 0. *Entropy*: of "
        "single values, without what a decoder would have to be told.",
        "### Size of groups",
        "![bits left against the size of groups](dpred-groups.png)",
        tables.sizes(study),
        "*gap*: containers without zero vectors over their floor E[width] + H(width) / G.",
        "### The gap at G = 16, tensor by tensor",
        tables.gaps(study),
        "Tensors of at least 4,096 values, without zero vectors, headers included. A field has as many bits as the "
        "widths of the tensor need, and not 3 or 4; few widths are stated where groups are much alike. Groups of "
        "zeros alone have a width of 0 in the container, but count in E[width] with the precision that they have "
        "elsewhere, of 1 bit; *zeros bare*: with 0 bits there too. Pruned tensors, most groups of "
        "which are zeros, are then above 3 %, as fields of one length suit neither frequent widths nor rare ones.",
        "## Precisions",
        "![precisions of groups](dpred-widths.png)",
        tables.precisions(study),
        "Bits of activations in convolutions, and their product with bits of weights, if the layer, a tile's pass, 16 "
        "values or each value by itself has a precision; weighted by the bit-parallel tile's cycles. The published "
        f"{claim['activations_8']} and {claim['both_8']} times on 8 bits take means of "
        f"{8 / claim['activations_8']:.1f} bits and of {64 / claim['both_8']:.1f} products of bits; on 16 bits "
        f"{claim['loom']} times takes {256 / claim['loom']:.0f}. "
        "Groups of our networks are wider. Those that read text have few zeros, as most of their layers have no ReLU "
        "before them but functions that go below 0; in LeNet values are narrow, but few groups are without a wide one.",
        "## Speed-up: activations bit by bit",
        "![speed-up of convolutions](dpred-speed.png)",
        speeds(real, SERIAL, cycles["real"], KINDS),
        "Tiles of 16 lanes, 16 filters and 16 windows (8 of 8-bit words) against a bit-parallel tile of 16 lanes and "
        "16 filters, by the cycle models of `golden/bitserial.py` on at most 48 blocks of 16 windows, 4 groups of "
        "filters and 512 filters of a layer, evenly spread. Dynamic Stripes detects one precision for all windows of "
        "a tile; *ahead*: one for a group of values, and groups run that many passes apart at most. The bounds have no "
        "synchronisation at all. *dense* layers use a weight once an image, or at 40 places of a line of text: with "
        "one place, the tile's columns take different filters, and get their weights in turn, which takes as long as "
        "bit-parallel does, and longer where filters do not fill all 256 (128) places. *depthwise* convolutions use "
        "one filter of the tile, in parallel ones as in serial ones.",
        "## Speed-up: both operands bit by bit",
        speeds(real, LOOM, cycles["real"], KINDS),
        "Loom of 16 lanes, as many filters as the word has bits, and windows by the bits of activations in a cycle, "
        "against a bit-parallel tile of 16 lanes and one filter; precisions of activations and weights for each "
        "pass, or *static* ones of the layer. The tile of 128 filters (64 for 8 bits) is the published one, against "
        "8 filters: layers with fewer leave it empty, depthwise ones almost all of it.",
        "## Where speed is lost",
        tables.losses(study),
        "Convolutions. From the speed-up that single values at their own precisions would have: what the widest of "
        "16, the widest of a tile, tiles that the result does not fill, and sums that leave one window a cycle cost, "
        "each relative to the step before.",
        "## Filling and draining",
        tables.drained(study),
        "Cycles of the tables above, for one image, and what the cycle models, which equal the RTL, add to them.",
        "## AlexNet, VGG-16, GoogLeNet and ResNet-34, with assumed numbers",
        f"The shapes are those of the networks (`golden/layer_tables.py`); **the numbers are assumptions**, seed 0. "
        f"{independent} *Resampled*: each layer takes the numbers of a convolution of the real networks with unsigned "
        "inputs, drawn for it, pass by pass of 16 windows or 16 filters, so that neighbours stay together. The first "
        "layer has uniform pixels and normal weights in both.",
        "### Resampled",
        speeds(assumed["resampled"], SHORT, cycles["drawn"], ("conv", "dense", "all")),
        "### Independent",
        speeds(assumed["independent"], SHORT, cycles["drawn"], ("conv", "dense", "all")),
        "Independent numbers make almost every group as wide as the layer: what dynamic precisions gain, they gain "
        "from neighbours that are alike.",
    ]
    return "\n\n".join(section.rstrip("\n") for section in sections) + "\n"


def write(study, folder):
    """Write ``dpred_study.md``, ``dpred_layers.md`` and the pictures to `folder`; the paths of the pages."""
    folder = Path(folder)
    pictures(study, folder)
    pages = {"dpred_study.md": markdown(study), "dpred_layers.md": layers(study)}
    for name, text in pages.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [folder / name for name in pages]
