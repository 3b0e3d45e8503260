"""The registry: every target that can be generated, simulated, synthesised and documented. Nothing else lists them."""

from dataclasses import dataclass, field

from golden.errors import InputError
from golden.formats import PowerOfTwo, parse
from rtl.bitserial import ParallelTile
from rtl.dlac import Dlac
from rtl.dpred import DpredDecode, DpredEncode
from rtl.float_gemm import FloatGemm
from rtl.float_stream import FloatStream
from rtl.gemm import SystolicGemm
from rtl.loom import Loom
from rtl.mac_tree import DynamicTree, FixedTree, MinifloatTree
from rtl.narrow_gemm import CodebookGemm, LogGemm, TtqGemm, XnorGemm
from rtl.scaling import StreamRequant, SystolicRequant
from rtl.stripes import DynamicStripes, Stripes
from rtl.weight_gemm import IntegerGemm, MinifloatGemm, PowerGemm

__all__ = ["Target", "TARGETS", "target"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A row of the registry.

    Parameters
    ----------
    name : str
        What a user types; also the name of the Verilog module.
    summary : str
        One line.
    make : type
        The engine's class.
    fixed : dict
        Fields of the engine that make this target.
    bench : tuple of dict
        Parameters at which the test benches run, small first.
    """

    name: str
    summary: str
    make: type
    fixed: dict = field(default_factory=dict)
    bench: tuple = ({},)

    def engine(self, **settings):
        """The engine with `settings` as parameters (values or strings); the others at their defaults.

        Raises
        ------
        InputError
            If a parameter does not exist or is out of range.
        """
        try:
            return self.make(**(self.fixed | self.make.read(settings)))
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None


def everywhere(name):
    """One format for all numbers of a tree."""
    return dict.fromkeys(("a", "w", "bias", "y"), parse(name))


SMALL = ({"rows": 2, "cols": 3}, {"rows": 4, "cols": 1}, {})
SMALL_GRID = {"pixels": 2, "filters": 2, "depth": 3, "a": "ieee_e4m3"}
GRIDS = (
    SMALL_GRID,
    SMALL_GRID | {"rows": 1, "cols": 3, "units": 1, "skip": "activations", "adder_latency": 1},
    SMALL_GRID | {"pixels": 3, "filters": 3, "units": 3, "skip": "weights", "adder_latency": 2, "a": "finite_e4m3_ftz"},
    SMALL_GRID | {"rows": 1, "cols": 1, "skip": "none", "adder_latency": 2},
    SMALL_GRID | {"rows": 1, "cols": 1, "skip": "activations", "w": "ieee_e4m3", "units": 3},
    SMALL_GRID | {"skip": "none", "w": "ieee_e4m3", "adder_latency": 5, "depth": 2},
)
HALVED_GRIDS = (
    SMALL_GRID,
    SMALL_GRID | {"filters": 3, "units": 3, "w": "ieee_e4m3", "adder_latency": 4},
    SMALL_GRID | {"rows": 1, "cols": 1, "filters": 3, "units": 3, "skip": "weights", "w": "ieee_e4m3", "adder_latency": 2},
)
CODECS = (
    {"word": 16, "group": 8, "signed": 1, "zeros": 1},
    {"group": 4, "signed": 1, "zeros": 1},
    {},
)

TARGETS = {
    row.name: row
    for row in (
        Target(
            name="ternary_gemm",
            summary="systolic array, ternary weights (Mishra and Marr)",
            make=SystolicGemm,
            fixed={"w": parse("ternary")},
            bench=SMALL,
        ),
        Target(
            name="binary_gemm",
            summary="systolic array, weights of -1 and +1",
            make=SystolicGemm,
            fixed={"w": parse("binary")},
            bench=SMALL,
        ),
        Target(
            name="int8_gemm",
            summary="systolic array, integer weights: of 8 bits, or as `w` says",
            make=IntegerGemm,
            bench=(*SMALL, {"rows": 3, "cols": 2, "a": "int8"}, {"rows": 2, "cols": 2, "w": "int3"}),
        ),
        Target(
            name="pow2_gemm",
            summary="systolic array, power-of-two weights",
            make=PowerGemm,
            bench=({"rows": 2, "cols": 3}, {"rows": 4, "cols": 1, "a": "int5", "w": "pow2z_5"}, {}),
        ),
        Target(
            name="minifloat_gemm",
            summary="systolic array, minifloats, exact sums",
            make=MinifloatGemm,
            fixed={"a": parse("mini_e4m3"), "acc_width": 52},
            bench=(
                {"rows": 2, "cols": 3},
                {"rows": 4, "cols": 1, "a": "e5m2", "acc_width": 60},
                {"rows": 2, "cols": 2, "a": "uint8", "w": "mini_e5m2", "acc_width": 48},
                {},
            ),
        ),
        Target(
            name="xnor_gemm",
            summary="systolic array, signs by signs: xnor and popcount (Rastegari et al.)",
            make=XnorGemm,
            bench=(
                {"rows": 2, "cols": 3, "lanes": 4, "acc_width": 8},
                {"rows": 4, "cols": 1, "lanes": 7, "acc_width": 9},
                {},
            ),
        ),
        Target(
            name="ttq_gemm",
            summary="systolic array, two sums for ternary weights of two scales (Zhu et al.)",
            make=TtqGemm,
            bench=({"rows": 2, "cols": 3, "acc_width": 14}, {"rows": 4, "cols": 1, "a": "int8", "acc_width": 12}, {}),
        ),
        Target(
            name="log_gemm",
            summary="systolic array, powers of two by powers of two: exponents added (Miyashita et al.)",
            make=LogGemm,
            bench=(
                {"rows": 2, "cols": 3},
                {"rows": 4, "cols": 1, "a": "pow2z_4", "w": "pow2_4", "acc_width": 24},
                {},
            ),
        ),
        Target(
            name="codebook_gemm",
            summary="systolic array, weights looked up in a table (Han et al.)",
            make=CodebookGemm,
            bench=(
                {"rows": 2, "cols": 3},
                {"rows": 4, "cols": 1, "bits": 2, "a": "int5"},
                {},
            ),
        ),
        Target(
            name="fp32_gemm",
            summary="systolic array, FP32 by IEEE 754, a fused multiply-adder an element",
            make=FloatGemm,
            fixed={"format": parse("fp32")},
            bench=({"rows": 2, "cols": 2}, {}),
        ),
        Target(
            name="fp16_gemm",
            summary="systolic array, FP16 by IEEE 754, a fused multiply-adder an element",
            make=FloatGemm,
            fixed={"format": parse("fp16")},
            bench=({"rows": 2, "cols": 3}, {}),
        ),
        Target(
            name="requant",
            summary="requantisation of accumulators, streaming",
            make=StreamRequant,
            bench=(
                {"lanes": 2},
                {"lanes": 3, "y": "int4", "x": "int20", "m_width": 9, "b_width": 21},
                {"lanes": 3, "y": "binary", "x": "int16", "m_width": 2, "b_width": 17},
                {"lanes": 2, "y": "upow2z_4", "x": "int20", "m_width": 5, "b_width": 26},
                {},
            ),
        ),
        Target(
            name="ternary_layer",
            summary="ternary systolic array and requantisation in one",
            make=SystolicRequant,
            fixed={"w": parse("ternary")},
            bench=({"rows": 2, "cols": 3}, {"rows": 4, "cols": 1, "y": "int8"}, {}),
        ),
        Target(
            name="mac_tree_fixed",
            summary="MAC tree, fixed point (Gysel, Ristretto)",
            make=FixedTree,
            fixed=everywhere("int8e-4"),
            bench=(
                {"lanes": 2, "longest": 20},
                {"lanes": 5, "a": "uint8e-8", "w": "int4e-3", "bias": "int16e-20", "y": "int5e2", "relu": 1},
                {},
            ),
        ),
        Target(
            name="mac_tree_dfp",
            summary="MAC tree, dynamic fixed point: units at run time",
            make=DynamicTree,
            bench=(
                {"lanes": 2, "longest": 20},
                {"lanes": 3, "a": "uint4", "w": "int1", "y": "uint4", "bias": "int9"},
                {},
            ),
        ),
        Target(
            name="mac_tree_pow2",
            summary="MAC tree, power-of-two weights: shifters, no multiplier",
            make=DynamicTree,
            fixed={"w": parse("pow2_4"), "weights": PowerOfTwo},
            bench=({"lanes": 2, "longest": 20}, {"lanes": 3, "a": "uint5", "w": "pow2z_3", "relu": 1}, {}),
        ),
        Target(
            name="mac_tree_minifloat",
            summary="MAC tree, minifloats",
            make=MinifloatTree,
            fixed=everywhere("mini_e4m3"),
            bench=(
                {"lanes": 2, "longest": 20},
                {"lanes": 3, "longest": 40, "accumulate": "fp32", "a": "mini_e5m5", "w": "mini_e5m5", "bias": "fp16", "y": "mini_e5m20"},
                {"lanes": 3, "a": "e5m2", "w": "e4m3", "bias": "fp16", "y": "e3m2", "longest": 50},
                {},
            ),
        ),
        Target(
            name="float_add",
            summary="floating-point sums, IEEE 754 up to FP32",
            make=FloatStream,
            fixed={"operation": "add"},
            bench=(
                {"format": "ieee_e4m3", "stages": 2},
                {"format": "fp16_ftz", "lanes": 3, "stages": 3},
                {},
            ),
        ),
        Target(
            name="float_multiply",
            summary="floating-point products",
            make=FloatStream,
            fixed={"operation": "multiply"},
            bench=(
                {"format": "ieee_e4m3", "stages": 1},
                {"format": "finite_e5m2_ftz", "lanes": 3, "stages": 2},
                {},
            ),
        ),
        Target(
            name="float_fma",
            summary="floating-point fused multiply-add",
            make=FloatStream,
            fixed={"operation": "fma"},
            bench=(
                {"format": "ieee_e4m3", "stages": 2},
                {"format": "finite_e3m4_ftz", "lanes": 3, "stages": 3},
                {},
            ),
        ),
        Target(
            name="float_compare",
            summary="floating-point comparison: less, equal, greater",
            make=FloatStream,
            fixed={"operation": "compare"},
            bench=({"format": "ieee_e4m3", "stages": 1}, {}),
        ),
        Target(
            name="dpred_encoder",
            summary="DPRed containers of memory words: precisions a group (Delmas et al.)",
            make=DpredEncode,
            bench=CODECS,
        ),
        Target(
            name="dpred_decoder",
            summary="memory words of DPRed containers, with a verdict on each",
            make=DpredDecode,
            bench=CODECS,
        ),
        Target(
            name="dlac_fp32",
            summary="zero-skipping grid, FP32, for training (Venkatesh et al.)",
            make=Dlac,
            bench=(*GRIDS, {}),
        ),
        Target(
            name="dlac_fp16",
            summary="zero-skipping grid, FP16, half of the units adders, for inference (Venkatesh et al.)",
            make=Dlac,
            fixed={"a": parse("fp16"), "halves": True},
            bench=(*HALVED_GRIDS, {}),
        ),
        Target(
            name="parallel_tile",
            summary="bit-parallel tile (DaDianNao): the serial ones' baseline",
            make=ParallelTile,
            bench=(
                {"lanes": 2, "filters": 2, "a": "uint4", "w": "int4", "acc_width": 20},
                {"lanes": 5, "filters": 1, "a": "int5", "w": "int2", "acc_width": 16},
                {"lanes": 1, "filters": 3, "a": "uint1", "w": "int3", "acc_width": 9},
                {},
            ),
        ),
        Target(
            name="stripes",
            summary="tile with bit-serial activations, a precision a layer (Judd et al.)",
            make=Stripes,
            bench=(
                {"lanes": 2, "filters": 2, "windows": 2, "a": "int4", "w": "int4", "acc_width": 20},
                {"lanes": 3, "filters": 1, "windows": 3, "a": "uint5", "w": "int3", "acc_width": 16},
                {"lanes": 2, "filters": 2, "windows": 3, "a": "int6", "w": "int4", "dense": 1},
                {"lanes": 1, "filters": 2, "windows": 1, "a": "uint2", "w": "int2", "acc_width": 9, "dense": 1},
                {},
            ),
        ),
        Target(
            name="dynamic_stripes",
            summary="tile with bit-serial activations, a precision a group (Delmas et al.)",
            make=DynamicStripes,
            bench=(
                {"lanes": 2, "filters": 2, "windows": 2, "a": "int4", "w": "int4", "acc_width": 20},
                {"lanes": 3, "filters": 1, "windows": 4, "groups": 2, "run_ahead": 1, "a": "uint5", "w": "int3"},
                {"lanes": 2, "filters": 1, "windows": 3, "groups": 3, "run_ahead": 2, "trim": 1, "a": "int6"},
                {"lanes": 2, "filters": 2, "windows": 3, "a": "uint7", "w": "int4", "trim": 1, "dense": 1},
                {},
            ),
        ),
        Target(
            name="loom",
            summary="tile with both operands bit-serial (Sharify et al.)",
            make=Loom,
            bench=(
                {"lanes": 2, "filters": 2, "windows": 2, "a": "int4", "w": "int4", "acc_width": 20},
                {"lanes": 3, "filters": 1, "windows": 3, "s": 2, "a": "int5", "w": "int3", "acc_width": 16},
                {"lanes": 3, "filters": 2, "windows": 2, "s": 4, "a": "uint9", "w": "int5"},
                {"lanes": 2, "filters": 2, "windows": 3, "a": "uint4", "w": "int4", "dense": 1},
                {"lanes": 1, "filters": 1, "windows": 2, "s": 4, "a": "int3", "w": "int2", "dense": 1},
                {},
            ),
        ),
    )
}


def target(name):
    """The target called `name`; `InputError` if there is none."""
    if name not in TARGETS:
        first = "the target comes before its parameters: " if "=" in name else ""
        raise InputError(f"{first}no target is called {name!r}; allowed: {', '.join(TARGETS)}")
    return TARGETS[name]
