"""What each operation makes of formats and shapes, and what it refuses. Networks test what it computes."""

import numpy as np
import pytest

from golden.errors import InputError
from golden.formats import parse
from golden.graph import Parameter, Tensor
from golden.operations import OPERATIONS, GemmOperation

IMAGE = Tensor("uint8", (3, 8, 6), 0.5)
FEATURES = Tensor("int32", (4,))


def plain(*values):
    return Parameter(None, np.array(values))


def filters(format="ternary", shape=(5, 3, 3, 3)):
    return {"weight": Parameter(format, np.ones(shape, int))}


BIASED = filters() | {"bias": Parameter("int8e-3", np.arange(5))}
DENSE = filters("int4", (2, 4)) | {"bias": Parameter("int4", np.arange(2))}
CODEBOOK = {"weight": Parameter("codebook_int8e-2_04ff7f80", np.array([[4, 4, -1, 127], [-128, -1, -1, 4]]))}
REQUANT = {"m": plain(1, 1, 1, 1), "b": plain(0, 0, 0, 0), "s": plain(0, 1, 2, 3)}
MINI = Tensor("mini_e4m3", (3, 8, 6), 2.0**-10)
ADD = {"m_a": plain(1, 1, 1), "m_b": plain(1, 1, 1), "d": plain(0, 0, 0), "s": plain(0, 0, 0)}


@pytest.mark.parametrize(
    ("op", "inputs", "parameters", "attributes", "output"),
    [
        ("conv", [IMAGE], filters(), {}, Tensor("int32", (5, 6, 4))),
        ("conv", [IMAGE], filters(), {"stride": [2, 1], "padding": [1, 0]}, Tensor("int32", (5, 4, 4))),
        ("conv", [IMAGE], filters(), {"accumulate": 14}, Tensor("int14", (5, 6, 4))),
        ("conv", [Tensor("int8e-3", (3, 8, 6))], filters("int4e2"), {}, Tensor("int32e-1", (5, 6, 4))),
        ("dense", [Tensor("uint8", (7,))], filters("int8", (2, 7)), {}, Tensor("int32", (2,))),
        ("requant", [FEATURES], REQUANT, {"format": "uint4"}, Tensor("uint4", (4,))),
        ("requant", [FEATURES], REQUANT, {"format": "int32"}, Tensor("int32", (4,))),
        ("add", [IMAGE, IMAGE], ADD, {"format": "int9"}, Tensor("int9", (3, 8, 6))),
        ("max_pool", [IMAGE], {}, {"kernel": 2}, Tensor("uint8", (3, 4, 3), 0.5)),
        ("max_pool", [IMAGE], {}, {"kernel": 3, "stride": 2, "ceil_mode": True}, Tensor("uint8", (3, 4, 3), 0.5)),
        ("max_pool", [IMAGE], {}, {"kernel": 3, "stride": 2, "padding": 1}, Tensor("uint8", (3, 4, 3), 0.5)),
        ("average_pool", [IMAGE], {}, {"kernel": [8, 6]}, Tensor("int15", (3, 1, 1), 0.5 / 48)),
        ("average_pool", [Tensor("int8e-2", (3, 8, 6))], {}, {"kernel": 2}, Tensor("int10e-2", (3, 4, 3))),
        (
            "average_pool",
            [IMAGE],
            {},
            {"kernel": 3, "stride": 2, "padding": 1, "divisor": "image"},
            Tensor("int15", (3, 4, 3), 0.5 / 36),
        ),
        ("concat", [IMAGE, IMAGE, Tensor("uint8", (1, 8, 6), 0.5)], {}, {}, Tensor("uint8", (7, 8, 6), 0.5)),
        ("concat", [FEATURES, FEATURES], {}, {}, Tensor("int32", (8,))),
        ("flatten", [IMAGE], {}, {}, Tensor("uint8", (144,), 0.5)),
        ("mac_conv", [IMAGE], BIASED, {"format": "int8e-3"}, Tensor("int8e-3", (5, 6, 4), 0.125)),
        ("mac_conv", [MINI], BIASED, {"format": "fp16", "padding": 1}, Tensor("fp16", (5, 8, 6), 2.0**-24)),
        ("mac_dense", [FEATURES], DENSE, {"format": "pow2_4"}, Tensor("pow2_4", (2,), 2.0**-8)),
        ("requant", [FEATURES], REQUANT, {"format": "e5m2"}, Tensor("e5m2", (4,))),
        ("requant", [FEATURES], REQUANT | {"s": plain(0, 0, 0, 0)}, {"format": "binary"}, Tensor("binary", (4,))),
        ("requant", [FEATURES], REQUANT, {"format": "upow2z_4e-9"}, Tensor("upow2z_4e-9", (4,))),
        ("add", [IMAGE, MINI], ADD, {"format": "binary"}, Tensor("binary", (3, 8, 6))),
        ("conv", [Tensor("binary", (3, 8, 6))], filters("binary"), {"padding": 1}, Tensor("int32", (5, 8, 6))),
        ("conv", [Tensor("upow2z_4", (3, 8, 6))], {"weight": Parameter("pow2z_5", np.full((5, 3, 3, 3), -2))}, {"accumulate": 48}, Tensor("int48e-32", (5, 6, 4))),
        ("dense", [FEATURES], CODEBOOK, {"accumulate": 42}, Tensor("int42e-2", (2,))),
        ("max_pool", [Tensor("binary", (3, 8, 6))], {}, {"kernel": 2}, Tensor("binary", (3, 4, 3))),
        ("add", [MINI, IMAGE], ADD, {"format": "mini_e5m2"}, Tensor("mini_e5m2", (3, 8, 6))),
        ("average_pool", [MINI], {}, {"kernel": 2}, Tensor("int22e-10", (3, 4, 3), 2.0**-12)),
        ("max_pool", [MINI], {}, {"kernel": 2}, Tensor("mini_e4m3", (3, 4, 3), 2.0**-10)),
        ("relu", [Tensor("int8e-3", (4,), 0.125)], {}, {}, Tensor("int8e-3", (4,), 0.125)),
        ("relu", [MINI], {}, {}, MINI),
        ("lrn", [MINI], {}, {"format": "int8e-4", "size": 5}, Tensor("int8e-4", (3, 8, 6), 2.0**-4)),
    ],
)
def test_what_an_operation_makes(op, inputs, parameters, attributes, output):
    operation = OPERATIONS[op](inputs, parameters, attributes)
    assert operation.output == output
    rng = np.random.default_rng(0)
    greatest = [x.format.hi * 2.0**x.format.exponent for x in inputs]
    reals = [rng.uniform(-most, most, (2, *x.shape)) for x, most in zip(inputs, greatest, strict=True)]
    arrays = [x.format.nearest(r).astype(x.format.dtype) for x, r in zip(inputs, reals, strict=True)]
    made = operation.run(*arrays)
    assert made.shape == (2, *output.shape) and made.dtype == output.format.dtype
    output.format.check(made)


@pytest.mark.parametrize(("fill", "worth"), [(None, -1), (-1, -1), (1, 1)])
def test_binary_images_are_padded_with_one_of_their_numbers(fill, worth):
    """A pixel of +1 in the middle of the padding, under a filter whose weights are all +1 but one."""
    weights = np.ones((1, 1, 3, 3), int)
    weights[0, 0, 0, 1] = -1
    parameters, attributes = {"weight": Parameter("binary", weights)}, {"padding": 1, "fill": fill}
    operation = OPERATIONS["conv"]([Tensor("binary", (1, 1, 2))], parameters, attributes)
    x = np.array([1, -1], np.int8).reshape(1, 1, 1, 2)
    assert operation.run(x).ravel().tolist() == [1 - 1 + 5 * worth, 1 - 1 + 5 * worth]
    call = operation.lower(x)
    assert (call.a @ call.w).ravel().tolist() == operation.run(x).ravel().tolist()
    signed = OPERATIONS["conv"]([Tensor("int8", (1, 1, 2))], parameters, {"padding": 1, "fill": 100})
    assert signed.run(x).ravel().tolist() == [500, 500]


@pytest.mark.parametrize(
    ("op", "inputs", "parameters", "attributes", "message"),
    [
        (
            "conv", [Tensor("uint8", (4,))], filters(), {},
            r"input must be an image of \[channels, height, width\], not \[4\]",
        ),
        ("conv", [IMAGE], filters(shape=(5, 2, 3, 3)), {}, "input has 3 channels, the filters have 2"),
        ("conv", [IMAGE], filters(shape=(5, 3, 9, 3)), {}, "a kernel of 9 does not fit 8 pixels"),
        (
            "conv", [IMAGE], filters(shape=(5, 27)), {},
            r"weight of conv must have a format and 4 axes, not ternary \[5, 27\]",
        ),
        ("conv", [IMAGE], filters(shape=(0, 3, 3, 3)), {}, "weight of conv must have"),
        ("conv", [IMAGE], {"weight": plain(1)}, {}, r"weight of conv must have a format and 4 axes, not None \[1\]"),
        ("conv", [IMAGE], filters() | {"bias": plain(1)}, {}, "conv takes weight as parameters, not weight, bias"),
        ("conv", [IMAGE], filters(), {"stride": 0}, "stride must be an integer of at least 1"),
        (
            "conv", [IMAGE], filters(), {"groups": 3},
            "conv has no attribute 'groups'; allowed: accumulate, stride, padding",
        ),
        ("conv", [IMAGE], filters(), {"accumulate": 13}, "sums of 27 products of uint8 and ternary need the range"),
        ("conv", [IMAGE], filters(), {"accumulate": 1}, "accumulator width must be 2 to 64, not 1"),
        ("conv", [IMAGE], filters(), {"accumulate": "wide"}, "accumulate must be a number of bits, not 'wide'"),
        ("conv", [IMAGE], filters(), {"accumulate": 65}, "accumulator width must be 2 to 64, not 65"),
        (
            "conv", [Tensor("pow2_4", (3, 8, 6))], filters(), {"padding": 1},
            "images of pow2_4 cannot be padded, they have no zero",
        ),
        *(
            (
                "conv", [Tensor("binary", (3, 8, 6))], filters(), {"padding": 1, "fill": fill},
                f"fill must be an integer of binary or null, not {fill!r}",
            )
            for fill in (0, 1.0, "-1", True, 1 << 70)
        ),
        ("mac_conv", [IMAGE], BIASED, {"format": "int8", "fill": 0}, "mac_conv has no attribute 'fill'"),
        ("dense", [IMAGE], filters(shape=(2, 144)), {}, r"input must be \[144\] features, not \[3, 8, 6\]"),
        (
            "requant", [FEATURES], REQUANT, {"format": "ternary"},
            "results of requant must be integers, minifloats, binary or powers of two, not ternary",
        ),
        ("requant", [FEATURES], REQUANT, {"format": 8}, "no number format is called 8"),
        (
            "requant", [FEATURES], REQUANT, {"format": "uint8", "m_width": 2.0},
            "m_width must be a number of bits, not 2.0",
        ),
        ("requant", [FEATURES], REQUANT, {"format": "uint8", "m_width": 40}, "m_width must be 2 to 32, not 40"),
        (
            "requant", [Tensor("uint8", (4,))], REQUANT, {"format": "uint8"},
            "accumulators to requantise must be signed, not uint8",
        ),
        (
            "requant", [Tensor("ternary", (4,))], REQUANT, {"format": "uint8"},
            "accumulators of requant must be integers, not ternary",
        ),
        (
            "requant", [Tensor("int32", (5,))], REQUANT, {"format": "uint8"},
            "input has 5 channels, its parameters have 4",
        ),
        (
            "requant", [FEATURES], REQUANT | {"s": plain(0, 0, 0, -1)}, {"format": "uint8"},
            "s must be 0 to 49, not -1 to 0",
        ),
        (
            "add", [IMAGE, Tensor("uint8", (3, 8, 5))], ADD, {"format": "uint8"},
            r"one shape, not \[3, 8, 6\] and \[3, 8, 5\]",
        ),
        ("add", [IMAGE], ADD, {"format": "uint8"}, "add takes 2 inputs, not 1"),
        ("add", [FEATURES, FEATURES], ADD, {"format": "uint8"}, "input has 4 channels, its parameters have 3"),
        (
            "add", [Tensor("binary", (3,))] * 2, ADD, {"format": "uint8"},
            "operands of add must be integers or minifloats, not binary",
        ),
        ("relu", [Tensor("pow2_4", (4,))], {}, {}, "operands of relu must be integers or minifloats, not pow2_4"),
        ("relu", [IMAGE], {}, {"format": "int8"}, "relu has no attribute 'format'; allowed: nothing"),
        ("lrn", [MINI], {}, {"size": 5}, "lrn needs the attribute 'format'"),
        ("lrn", [MINI], {}, {"format": "int8"}, "lrn needs the attribute 'size'"),
        ("lrn", [MINI], {}, {"format": "fp32", "size": 5}, "results of lrn must be integers, .* powers of two, not fp32"),
        ("lrn", [MINI], {}, {"format": "int8", "size": 5, "k": 0.0}, "k of a normalisation must be above 0"),
        ("lrn", [FEATURES], {}, {"format": "int8", "size": 5}, "input must be an image"),
        (
            "requant", [Tensor("fp16", (4,))], REQUANT, {"format": "int8"},
            "accumulators of requant must be integers, not fp16",
        ),
        ("max_pool", [IMAGE], {}, {}, "max_pool needs the attribute 'kernel'"),
        ("max_pool", [FEATURES], {}, {"kernel": 2}, "input must be an image"),
        ("max_pool", [IMAGE], {}, {"kernel": 2, "padding": 2}, "padding of a pool must be less than its kernel"),
        ("max_pool", [IMAGE], {}, {"kernel": 2, "divisor": "window"}, "max_pool has no attribute 'divisor'"),
        (
            "average_pool", [IMAGE], {}, {"kernel": 2, "divisor": 4},
            "divisor must be one of window, padded, image, not 4",
        ),
        (
            "average_pool", [Tensor("binary", (3, 8, 6))], {}, {"kernel": 2},
            "operands of average_pool must be integers or minifloats, not binary",
        ),
        (
            "average_pool", [Tensor("int64", (3, 8, 6))], {}, {"kernel": 2},
            "width of signed integer must be 1 to 64, not 66",
        ),
        ("concat", [IMAGE], {}, {}, "concat takes 2 or more inputs, not 1"),
        (
            "concat", [IMAGE, Tensor("uint8", (3, 8, 6), 0.25)], {}, {},
            "must share format and unit, not uint8 of 0.5 and uint8 of 0.25",
        ),
        (
            "concat", [IMAGE, Tensor("int8", (3, 8, 6), 0.5)], {}, {},
            "must share format and unit, not uint8 of 0.5 and int8",
        ),
        (
            "concat", [IMAGE, Tensor("uint8", (3, 8, 5), 0.5)], {}, {},
            r"must agree but for channels, not uint8 \[3, 8, 6\]",
        ),
        ("flatten", [FEATURES], {}, {}, "input must be an image"),
    ],
)
def test_what_an_operation_refuses(op, inputs, parameters, attributes, message):
    with pytest.raises(InputError, match=message):
        OPERATIONS[op](inputs, parameters, attributes)


def test_every_row_stands_under_its_own_name():
    assert [operation.name for operation in OPERATIONS.values()] == list(OPERATIONS)
    assert {name for name, op in OPERATIONS.items() if issubclass(op, GemmOperation)} == {
        "conv",
        "dense",
        "mac_conv",
        "mac_dense",
    }


def test_images_without_a_zero_convolve_unpadded():
    operation = OPERATIONS["conv"]([Tensor("binary", (3, 8, 6))], filters("binary"), {})
    x = np.where(np.arange(144).reshape(1, 3, 8, 6) % 3, 1, -1).astype(parse("binary").dtype)
    assert operation.run(x)[0, 0, 0, 0] == x[0, :, :3, :3].sum()


def test_only_operations_on_floats_are_not_exact():
    assert [name for name, operation in OPERATIONS.items() if not operation.exact] == ["lrn"]


def test_relu_keeps_units_and_numbers():
    operation = OPERATIONS["relu"]([Tensor("int8e-3", (4,), 0.125)], {}, {})
    y = operation.run(np.array([[-128, -1, 0, 127]], np.int8))
    assert y.tolist() == [[0, 0, 0, 127]] and y.dtype == np.int8


def test_normalisation_takes_numbers_and_rounds_to_numbers():
    """Units are those of the formats: 3 / (1 + 2 / 3 * (3**2 + 1**2))**.5 = 1.0835, 17 sixteenths."""
    settings = {"format": "int8e-4", "size": 3, "alpha": 2.0, "beta": 0.5}
    operation = OPERATIONS["lrn"]([Tensor("int8e-2", (2, 1, 1), 0.25)], {}, settings)
    y = operation.run(np.array([12, -4], np.int8).reshape(1, 2, 1, 1))
    assert y.ravel().tolist() == [17, -6] and y.dtype == np.int8
