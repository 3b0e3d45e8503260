"""Parameters as a user types them."""

from dataclasses import dataclass

import numpy as np
import pytest

from golden.errors import InputError
from golden.formats import Integer, UnitFormat, parse
from rtl.engine import Engine, parameter
from rtl.gemm import SystolicGemm
from rtl.targets import TARGETS


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Only what `Engine.read` looks at."""

    depth: int = parameter(4, "of something")
    x: UnitFormat = parameter(parse("ternary"), "any format")
    fixed: int = 3

    parameters, read, settings = (vars(Engine)[name] for name in ("parameters", "read", "settings"))


def test_what_is_not_a_parameter_cannot_be_set():
    assert list(Settings.parameters()) == ["depth", "x"]
    for name in ("fixed", "rows", ""):
        with pytest.raises(InputError, match=f"no parameter is called '{name}'; allowed: depth, x"):
            Settings.read({name: "1"})


def test_values_may_be_strings_or_what_they_stand_for():
    expected = {"depth": 7, "x": Integer(4, signed=True)}
    assert Settings.read({"depth": "7", "x": "int4"}) == Settings.read(expected) == expected
    assert Settings.read({}) == {}


@pytest.mark.parametrize("value", ["", "8.0", "0x10", "eight", "1 2", 8.5, None])
def test_a_number_must_be_an_integer(value):
    with pytest.raises(InputError, match="depth must be an integer, not"):
        Settings.read({"depth": value})


@pytest.mark.parametrize("value", ["int0", "uint17", "int65", "float", "int8e400", "UINT8", ""])
def test_a_format_must_exist(value):
    with pytest.raises(InputError, match="no number format|width of|exponent of"):
        Settings.read({"x": value})


@pytest.mark.parametrize("name", TARGETS)
def test_settings_are_what_a_user_would_type(name):
    for settings in TARGETS[name].bench:
        engine = TARGETS[name].engine(**settings)
        typed = {key: str(value) for key, value in engine.settings().items()}
        assert TARGETS[name].engine(**typed) == engine
        assert engine.settings().items() >= settings.items()


def test_operands_must_have_the_engines_keys():
    engine = SystolicGemm()
    with pytest.raises(InputError, match="operands must be a, w, not a, b, w"):
        engine.require({"a": 1, "b": 2, "w": 3})
    with pytest.raises(InputError, match="operands must be a, w, not none"):
        engine.require({})
    engine.require({"w": 1, "a": 2})


@pytest.mark.parametrize("name", TARGETS)
def test_stimulus_takes_every_size_that_the_engine_names(name):
    """And shapes by it all but what has one shape always."""
    engine, shapes = TARGETS[name].engine(), []
    for size in (3, 2):
        operands = engine.stimulus(np.random.default_rng(1), **dict.fromkeys(engine.sizes, size))
        shapes.append([axis for value in operands.values() for axis in value.shape])
    assert {axis for axis, other in zip(*shapes, strict=True) if axis == 3 or axis != other} == {3}
