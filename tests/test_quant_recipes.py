import pytest

from golden.errors import InputError
from quant.recipes import recipe


def test_quantised_runs_start_from_the_float_run_of_their_seed():
    floating = recipe("lenet", seed=4)
    assert floating.start is None and floating.schemes == ()
    mixed = recipe("lenet", "ternary,ip2=ternary", seed=4, epochs=3)
    assert mixed.start == floating and mixed.epochs == 3
    assert mixed.schemes == ("int8", "ternary", "ternary", "ternary")
    assert mixed.title == "lenet int8+ternary seed 4"


def test_a_base_is_trained_as_its_authors_did():
    caffe = recipe("lenet_caffe", base="sgd", seed=1)
    assert (caffe.rule, caffe.batch, caffe.rate, caffe.decay, caffe.shift) == ("sgd", 64, 0.01, 5e-4, 0)
    assert caffe.title == "lenet_caffe float sgd seed 1"
    assert recipe("lenet_caffe", "int8", base="sgd").start == recipe("lenet_caffe", base="sgd")
    with pytest.raises(InputError, match="base must be one of adamw, sgd, not 'adam'"):
        recipe("lenet", base="adam")


def test_8_bit_weights_alone_are_not_trained():
    assert recipe("lenet_caffe", "int8").epochs == 0
    assert recipe("lenet_caffe", "int8,ip2=ternary").epochs > 0


def test_unknown_names_and_seeds_are_refused():
    with pytest.raises(InputError, match="no network is called 'vgg19'"):
        recipe("vgg19", "ternary")
    with pytest.raises(InputError, match="no weight scheme is called 'float64'"):
        recipe("lenet", "float64")
    for seed in (-1, 1 << 63):
        with pytest.raises(InputError, match=rf"seed must be 0 to 2\^63 - 1, not {seed}"):
            recipe("lenet", seed=seed)
