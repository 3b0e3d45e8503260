"""What authors published, beside which the studies put their own figures. Accuracies are shares of 1."""

__all__ = ["DEEP_COMPRESSION", "DLAC", "DPRED", "FIGURE_8_1", "TABLE_4_1", "TABLE_5_1", "TABLE_5_2", "TABLE_6_1", "TABLE_7_1"]

# Gysel, Ristretto. In tables of tuned networks: the float network, what was reached, and that without tuning.
TABLE_4_1 = {
    "lenet": {"float": 0.9915, "tuned": 0.9888, "untuned": 0.8890, "format": "Q4.4"},
    "cifar10": {"float": 0.8169, "tuned": 0.8138, "untuned": 0.8094, "format": "Q8.8"},
}
TABLE_5_1 = {  # network → part → width → accuracy, everything else float
    "lenet": {
        "outputs": {16: 0.991, 8: 0.991, 4: 0.989, 2: 0.859},
        "conv": {16: 0.991, 8: 0.991, 4: 0.991, 2: 0.989},
        "dense": {16: 0.991, 8: 0.991, 4: 0.989, 2: 0.987},
    },
    "cifar10": {
        "outputs": {16: 0.816, 8: 0.816, 4: 0.796, 2: 0.480},
        "conv": {16: 0.817, 8: 0.814, 4: 0.759, 2: 0.191},
        "dense": {16: 0.817, 8: 0.808, 4: 0.799, 2: 0.775},
    },
}
TABLE_5_2 = {  # widths of outputs, convolution weights, dense weights
    "lenet": {
        (4, 4, 4): {"float": 0.9915, "tuned": 0.9895, "untuned": 0.9872},
        (4, 2, 2): {"float": 0.9915, "tuned": 0.9881, "untuned": 0.9803},
    },
    "cifar10": {(8, 8, 8): {"float": 0.8169, "tuned": 0.8144, "untuned": 0.8064}},
}
TABLE_6_1 = {
    "lenet": {"float": 0.9915, "tuned": 0.9920, "untuned": 0.9920, "format": "4, 3"},
    "cifar10": {"float": 0.8169, "tuned": 0.8085, "untuned": 0.8047, "format": "5, 2"},
}
TABLE_7_1 = {
    "lenet": {"float": 0.9915, "tuned": 0.9916, "untuned": 0.9909},
    "cifar10": {"float": 0.8169, "tuned": 0.7748, "untuned": 0.7465},
}
FIGURE_8_1 = {  # scheme → width of all numbers → accuracy: points of a plot that sections 8.2 and 8.3 and the tables name
    "fixed": {8: TABLE_4_1["lenet"]["untuned"]},
    "dfp": {5: 0.9915, 4: TABLE_5_2["lenet"][4, 4, 4]["untuned"]},
    "minifloat": {8: TABLE_6_1["lenet"]["untuned"], 5: 0.9796, 4: 0.1009},
}

# Delmas et al., DPRed, arXiv:1804.06732: bits left of 16- and of 8-bit networks, speed-ups of 8-bit ones over
# bit-parallel. Stripes of 2015 and 2016, Dynamic Stripes over Stripes, Loom: over 16-bit parallel, on their networks.
DPRED = {
    "traffic_16": 0.35,
    "traffic_8": 0.33,
    "activations_8": 1.82,
    "both_8": 2.81,
    "stripes_cal": 2.24,
    "stripes_micro": 1.92,
    "dynamic_over_stripes": 1.41,
    "loom": 4.38,
}

# Han, Mao and Dally, Deep Compression, arXiv:1510.00149, table 1: bytes as floats over bytes, errors before and behind.
DEEP_COMPRESSION = {"LeNet-5": {"ratio": 39, "float_error": 0.0080, "error": 0.0074}}

# Venkatesh, Nurvitadhi and Marr, DLAC, arXiv:1610.00324: shares of products without zeros in training of ResNet-34 with
# ternary weights; on the grid of 512 units operations a cycle at most and on average, cell areas in mm^2 (14 nm).
DLAC = {"forward": 0.16, "backward": 0.33, "units": 512, "peak": 5000, "mean": 2780, "fp32_area": 2.2, "fp16_area": 1.09}
