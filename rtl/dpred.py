"""The codecs of DPRed containers as engines: parameters, beats, cycles and golden functions."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from golden.dpred import WORD_BITS, DpredSpec, encode
from golden.dpred_codecs import decoded, decoder_cycles, encoded, encoder_cycles
from golden.errors import InputError
from golden.formats import Integer
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.dpred_decode import DpredDecoder, decoder_flip_flops
from rtl.dpred_encode import COUNT_BITS, DpredEncoder, encoder_flip_flops
from rtl.dpred_stimulus import astray, mutated, of_all_widths, random_table, random_values, with_bit
from rtl.engine import Engine, around, parameter

__all__ = ["DpredDecode", "DpredEncode"]


@dataclass(frozen=True, kw_only=True)
class Codec(Engine):
    """What encoder and decoder share."""

    word: int = parameter(8, "bits of a value in memory, 8 or 16")
    signed: int = parameter(0, "1 for two's complement, 0 for unsigned")
    group: int = parameter(16, "values that share a width: a power of two, 4 to 256")
    zeros: int = parameter(0, "1 for a bit a value that says whether it is zero")

    sizes = ("values",)

    def __post_init__(self):
        self.spec

    @property
    def spec(self):
        """The container."""
        return DpredSpec(word=self.word, signed=self.signed, group=self.group, zeros=self.zeros)

    @property
    def boundaries(self):
        return {"values": around(self.spec.per_word, self.group)}

    @property
    def throughput(self):
        return {"unit": "value", "per_cycle": self.spec.per_word}

    @abstractmethod
    def counts(self, operands):
        """Values that go through."""

    def operations(self, operands):
        return self.counts(operands)

    def ends(self, role, operands, inputs):
        beats = self.beats(operands)[role]
        return np.ones(beats, bool) if role == "e" else np.arange(1, beats + 1) == beats

    def drawn(self, rng, n=None):
        """`n` values, or some groups of them."""
        n = rng.integers(1, max(4 * self.group, 64)) if n is None else n
        return random_values(rng, self.spec, n)

    def memory_words(self, x):
        """Beats of a packet of the values `x`, the last filled with zeros."""
        x = np.pad(x, (0, -x.size % self.spec.per_word)).reshape(1, -1, self.spec.per_word)
        return Beats.of_packets(self.spec.format.codes(x), self.word)


class DpredEncode(Codec):
    """A container of the values `x`.

    `n` says how many they are, bit k of `table` whether groups may have the width k; where these do not fit the values,
    the container is wrong. Both are known of a user's values.
    """

    operands = ("x", "n", "table")
    results = ("c", "e")

    def component(self):
        return DpredEncoder(self.spec)

    @property
    def flip_flops(self):
        return encoder_flip_flops(self.spec)

    @property
    def latency(self):
        return 5

    def check(self, operands):
        self.require({"n": 0, "table": 0} | operands)
        x = self.spec.check(operands["x"])
        found = {"n": x.size} | ({} if "table" in operands else {"table": self.spec.table(x).mask}) | operands
        for key, bits in (("n", COUNT_BITS), ("table", self.word + 1)):
            value = np.asarray(found[key])
            if value.ndim or not np.issubdtype(value.dtype, np.integer) or not 0 <= value < 1 << bits:
                raise InputError(f"{key} must be one integer from 0 to {(1 << bits) - 1}, not {found[key]}")
            found[key] = value.astype(np.int64)
        return found | {"x": x}

    def golden(self, operands):
        words, wrong = encoded(self.spec, operands["x"], int(operands["n"]), int(operands["table"]))
        return {"e": np.array([int(wrong)]), "c": words}

    def pack(self, operands):
        fields = ((operands[key].reshape(1, 1), bits) for key, bits in (("n", COUNT_BITS), ("table", self.word + 1)))
        return {"x": self.memory_words(operands["x"]), "n": Beats(pack_fields(*fields), np.ones(1, bool))}

    def beats(self, operands):
        return {"c": self.golden(operands)["c"].size, "e": 1}

    def unpack(self, operands, beats):
        return {"c": beats["c"].data.copy().view("<u8").ravel(), "e": beats["e"].data[:, 0].astype(np.int64)}

    def cycles(self, operands):
        return encoder_cycles(self.spec, operands["x"], int(operands["n"]), int(operands["table"]))

    def counts(self, operands):
        return operands["x"].size

    def stimulus(self, rng, values=None):
        x, wrong = self.drawn(rng, values), values is None and rng.random() < 0.3
        n, table = x.size, random_table(rng, self.spec, x).mask
        if wrong:
            near = max(0, x.size + rng.integers(-2 * self.spec.per_word, 2 * self.spec.per_word, endpoint=True))
            far = x.size ^ 1 << rng.integers(COUNT_BITS)
            n = rng.choice([0, x.size, near, far, far])
        if wrong and rng.random() < 0.5:  # fewer widths, or any, or all of them
            table = rng.choice([table & rng.integers(1 << self.word + 1), rng.integers(1 << self.word + 1), 1, ~(-2 << self.word)])
        return {"x": x, "n": np.array(n), "table": np.array(table)}

    def directed(self, rng, amount=1):
        many = (of_all_widths(rng, self.spec, 20) for _ in range(amount))
        many = [{"x": x, "n": np.array(x.size), "table": np.array(table.mask)} for table, x in many]
        return [*many, *(self.stimulus(rng) for _ in range(4 * amount))]


class DpredDecode(Codec):
    """The values of the container `c`, none if it is wrong; `e` says whether it is: 0, or 1 or 3 (see `DpredDecoder`)."""

    operands = ("c",)
    results = ("x", "e")

    def component(self):
        return DpredDecoder(self.spec)

    @property
    def flip_flops(self):
        return decoder_flip_flops(self.spec)

    @property
    def latency(self):
        return 3

    def check(self, operands):
        self.require(operands)
        c = np.asarray(operands["c"])
        if c.dtype not in (np.uint64, np.int64) or c.ndim != 1 or not c.size:
            raise InputError(f"c must be at least one word of 64 bits in a row, not {c.dtype} {list(c.shape)}")
        return {"c": c.view(np.uint64)}

    def golden(self, operands):
        verdict, _, x = decoded(self.spec, operands["c"])
        return {"e": np.array([verdict]), "x": x}

    def pack(self, operands):
        return {"c": Beats.of_packets(operands["c"].reshape(1, -1, 1), WORD_BITS)}

    def beats(self, operands):
        return {"x": decoded(self.spec, operands["c"])[1], "e": 1}

    def unpack(self, operands, beats):
        verdict = beats["e"].data[:, 0].astype(np.int64)
        [codes] = unpack_fields(beats["x"].data, self.spec.per_word, self.word)
        count = 0 if verdict[0] else int(operands["c"][0]) >> 32
        return {"x": Integer(self.word, signed=self.spec.signed).integers(codes).ravel()[:count], "e": verdict}

    def cycles(self, operands):
        return decoder_cycles(self.spec, operands["c"])

    def container(self, rng, n=None):
        """One of `n` values, or of some groups of them."""
        x = self.drawn(rng, n)
        return encode(self.spec, x, random_table(rng, self.spec, x))

    def counts(self, operands):
        return max(1, self.golden(operands)["x"].size)

    def stimulus(self, rng, values=None):
        words = self.container(rng, values)
        return {"c": mutated(rng, words) if values is None and rng.random() < 0.4 else words}

    def directed(self, rng, amount=1):
        wide = (of_all_widths(rng, self.spec, rng.integers(1, 20)) for _ in range(2 * amount))
        long = (encode(self.spec, x, table) for table, x in wide)
        stray, other = (astray(rng, self.spec) for _ in range(amount)), (self.container(rng) for _ in range(7 * amount))
        lies = (with_bit(c, 0, bit) for bit, c in zip(np.resize(32 + rng.permutation(32), 2 * amount), other))
        padded = (with_bit(c, -2, 63 - bit) for bit, c in zip(np.resize(rng.permutation(32), 2 * amount), other))
        return [{"c": c} for c in (*long, *stray, *lies, *padded, *(mutated(rng, c) for c in other))]
