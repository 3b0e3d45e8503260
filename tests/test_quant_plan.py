import pytest

from golden.errors import InputError
from quant.plan import Plan


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"scheme": "int8"}, "scheme must be one of fixed, dfp, dfp-per-layer, minifloat, pow2, not 'int8'"),
        ({"step": "half"}, "step must be one of bit, double, not 'half'"),
        ({"biases": "none"}, "biases must be one of weights, wide, not 'none'"),
        ({"margin": -0.1}, "margin must be 0 to 1, of accuracy, not -0.1"),
        ({"unit": 0.0}, "unit must be positive, not 0.0"),
        ({"lanes": 0}, "lanes must be at least 1, not 0"),
        ({"calibration": 0}, "calibration must be at least 1, not 0"),
        ({"searched": 0}, "searched must be at least 1, not 0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        (
            {"accumulate": "fp16"},
            "accumulate must be exact, fp32 (a tree of 16 lanes) or fp32x1 to fp32x64, not 'fp16'",
        ),
        ({"widths": {"outputs": 17}}, "width of outputs must be 1 to 16 bits, not 17"),
        ({"widths": {"all": 1}, "scheme": "minifloat"}, "width of all must be 2 to 16 bits, not 1"),
        (
            {"widths": {"conv": 4}, "scheme": "fixed"},
            "scheme fixed has one format, whose width is that of all, not of conv",
        ),
        ({"accumulate": "fp32"}, "scheme with sums in FP32 must be minifloat, not 'dfp'"),
        ({"accumulate": "fp32x8", "scheme": "pow2"}, "scheme with sums in FP32 must be minifloat, not 'pow2'"),
        (
            {"accumulate": "fp32", "scheme": "minifloat", "widths": {"all": 5}},
            "width of all with sums in FP32 must be 6 to 16 bits, not 5",
        ),
        ({"margin": float("nan")}, "margin must be 0 to 1, of accuracy, not nan"),
        ({"unit": float("inf")}, "unit must be positive, not inf"),
    ],
)
def test_refused(settings, message):
    with pytest.raises(InputError) as error:
        Plan(**settings)
    assert str(error.value) == message


def test_the_usual_plan_is_the_paper_s_with_exact_sums():
    plan = Plan()
    assert (plan.scheme, plan.accumulate, plan.unsigned, plan.tuning) == ("dfp", "exact", False, None)


def test_a_tree_that_sums_in_fp32_has_the_lanes_of_its_order():
    assert [Plan(scheme="minifloat", accumulate=name, lanes=32).lanes for name in ("exact", "fp32", "fp32x8")] == [32, 16, 8]
