"""Which array runs which layer."""

import numpy as np
import pytest
from trained import chain, images, trained

from golden.errors import InputError
from golden.formats import parse
from golden.gemm import Exact, GemmSpec
from golden.operations import GemmOperation
from quant.export import export
from quant.schemes import WEIGHTS
from rtl.targets import TARGETS
from tb.arrays import USES, array_layer, gemm_target, without_unit


def spec(a, w):
    return GemmSpec(a=parse(a), w=parse(w), k=3, accumulate=Exact(64))


@pytest.mark.parametrize(
    ("a", "w", "name"),
    [
        ("uint8", "ternary", "ternary_gemm"),
        ("uint8", "binary", "binary_gemm"),
        ("int8e-3", "int8e-6", "int8_gemm"),
        ("uint8", "pow2_4e-2", "pow2_gemm"),
        ("mini_e4m3", "mini_e4m3", "minifloat_gemm"),
        ("binary", "binary", "xnor_gemm"),
        ("binary", "int8", "int8_gemm"),
        ("ternary", "binary", "binary_gemm"),
        ("upow2z_4e-9", "pow2z_4", "log_gemm"),
        ("pow2z_3", "pow2_4", "log_gemm"),
        ("upow2z_4", "ternary", "ternary_gemm"),
        ("uint8", "codebook_int8_00ff", "codebook_gemm"),
        ("upow2z_4e-9", "codebook_int16_0000ffff", "codebook_gemm"),
        ("uint8", "int4", "int8_gemm"),
        ("mini_e4m3", "int2e-3", "int8_gemm"),
        ("uint8", "int16", "int8_gemm"),
        ("upow2z_4", "uint1", "int8_gemm"),
        ("uint8", "pow2z_5", "pow2_gemm"),
        ("uint8", "pow2_3", "pow2_gemm"),
        ("binary", "pow2z_5", "pow2_gemm"),
        ("uint8", "mini_e5m2", "minifloat_gemm"),
    ],
)
def test_the_formats_of_a_layer_find_its_target(a, w, name):
    assert gemm_target(spec(a, w)) == name == gemm_target(spec(a, w), name)


def test_two_masks_run_together_only_where_that_is_asked_for():
    masks = spec("uint8", "uint1")
    assert gemm_target(masks, "ttq_gemm") == "ttq_gemm" and gemm_target(masks) == "int8_gemm"
    with pytest.raises(InputError, match="no target among ttq_gemm multiplies upow2z_4 by weights of uint1"):
        gemm_target(spec("upow2z_4", "uint1"), "ttq_gemm")


LONG = ("int16", "log4", "mini_e4m3")  # sums of their products with the longest weights are refused by the export
TOO_LONG = {(weights, activations) for weights in ("mini_e5m2", "log6") for activations in LONG}


def widest(table):
    """The schemes of a table, each with its least and its greatest width."""
    for name, row in table.items():
        yield from [name] if row.widths is None else (f"{name}{row.widths[i]}" for i in (0, -1))


@pytest.mark.parametrize("activations", ["int8", "int16", "binary", "log4", "mini_e4m3"])  # of every family
@pytest.mark.parametrize("weights", [*widest(WEIGHTS), "mini_e4m3", "mini_e5m2", "pow2_3"])
def test_what_training_exports_has_an_array(weights, activations):
    model = trained(chain(), f"{weights},edges={weights}", activations, steps=1)
    if (weights, activations) in TOO_LONG:
        with pytest.raises(InputError, match="sums of .* need [45][0-9] bits; allowed: up to"):
            export(model)
        return
    network, ran, waiting = export(model), 0, {}
    for step in network.steps(images(model.net, 1).numpy()):
        operation = network.operations[step.node.name]
        if isinstance(operation, GemmOperation):
            name = gemm_target(operation.spec, step.node.target)
            waiting.setdefault(step.node.inputs, []).append((operation, step))
            if len(nodes := waiting[step.node.inputs]) == USES[TARGETS[name].make].nodes:
                settings, operands = array_layer(name, [o.lower(*s.inputs) for o, s in nodes])
                engine = TARGETS[name].engine(**settings)
                found = engine.golden(engine.check(operands))
                for y, (o, s) in zip(found.values(), nodes, strict=True):
                    assert np.array_equal(y, o.lower_output(s.output))
                ran += len(waiting.pop(step.node.inputs))
    assert not waiting and ran == (10 if weights == "ttq" else 5)


def test_a_layer_without_a_target_is_refused():
    for name in ("ternary_gemm", "ternary_layer", "stripes"):
        with pytest.raises(InputError, match=f"no target among {name} multiplies uint8 by weights of int4"):
            gemm_target(spec("uint8", "int4"), name)


def test_units_are_no_matter_of_hardware():
    names = {"int8e-4": "int8", "pow2z_5e-15": "pow2z_5", "upow2z_4e2": "upow2z_4", "ternary": "ternary", "e4m3": "e4m3"}
    assert {name: without_unit(parse(name)).name for name in names} == names
