"""What decides an approximation, beside graph and data."""

import math
from dataclasses import dataclass, field

from golden.accumulate import Rounded
from golden.errors import InputError
from quant.models import PIXEL_UNIT
from quant.ranges import CALIBRATION_IMAGES
from quant.rules import BIASES, SCHEMES
from quant.search import STEPS
from quant.space import width
from quant.tune import Tuning

__all__ = ["Plan"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What decides an approximation, beside graph and data.

    Parameters
    ----------
    scheme : str
        A row of `SCHEMES`.
    margin : float
        Accuracy that may be lost on held-out images, 0 to 1.
    widths : dict
        Group ("conv", "dense", "outputs", "all") → width in bits, of groups whose width is given and not searched.
    step : str
        A row of `quant.search.STEPS`: how a repair widens.
    biases : str, optional
        A row of `quant.rules.BIASES`; by default what suits the scheme.
    unsigned : bool
        Whether outputs that only a ReLU uses are unsigned.
    accumulate : str
        "exact", or FP32 as `golden.accumulate.Rounded` names it: of schemes whose results have a mantissa.
    tuning : Tuning, optional
        How the network is tuned; by default it is not.
    lanes : int
        Of the MAC tree whose cycles are counted; one that sums in FP32 has the lanes of `accumulate`.
    unit : float
        What a step of a raw pixel is worth, for graphs that do not say.
    calibration : int
        Training images on which ranges are measured.
    searched : int, optional
        Held-out images, the first so many, on which formats are searched; all by default. The margin is judged, and
        epochs are chosen, on all of them: formats chosen on few images look better there than they are.
    seed : int
        Of their choice.

    Raises
    ------
    InputError
        If the scheme or another row does not exist or a number is out of range.
    """

    scheme: str = "dfp"
    margin: float = 0.01
    widths: dict = field(default_factory=dict)
    step: str = "bit"
    biases: str | None = None
    unsigned: bool = False
    accumulate: str = "exact"
    tuning: Tuning | None = None
    lanes: int = 16
    unit: float = PIXEL_UNIT
    calibration: int = CALIBRATION_IMAGES
    searched: int | None = None
    seed: int = 0

    def __post_init__(self):
        if self.scheme not in SCHEMES:
            raise InputError(f"scheme must be one of {', '.join(SCHEMES)}, not {self.scheme!r}")
        if self.step not in STEPS:
            raise InputError(f"step must be one of {', '.join(STEPS)}, not {self.step!r}")
        if self.biases is not None and self.biases not in BIASES:
            raise InputError(f"biases must be one of {', '.join(BIASES)}, not {self.biases!r}")
        tree, scheme = Rounded.parse(self.accumulate), SCHEMES[self.scheme]
        least, what = scheme.narrowest, ""
        if tree is not None:
            if (least := scheme.narrowest_rounded) is None:
                allowed = ", ".join(name for name, row in SCHEMES.items() if row.narrowest_rounded is not None)
                raise InputError(f"scheme with sums in FP32 must be {allowed}, not {self.scheme!r}")
            object.__setattr__(self, "lanes", tree.lanes)
            what = " with sums in FP32"
        for group, bits in self.widths.items():
            if group != "all" and not scheme.separate:
                raise InputError(f"scheme {self.scheme} has one format, whose width is that of all, not of {group}")
            width(bits, f"{group}{what}", least)
        if not 0 <= self.margin < 1:
            raise InputError(f"margin must be 0 to 1, of accuracy, not {self.margin}")
        if not (math.isfinite(self.unit) and self.unit > 0):
            raise InputError(f"unit must be positive, not {self.unit}")
        for what in ("lanes", "calibration", "searched"):
            if getattr(self, what) is not None and getattr(self, what) < 1:
                raise InputError(f"{what} must be at least 1, not {getattr(self, what)}")
        if self.seed < 0:
            raise InputError(f"seed must be at least 0, not {self.seed}")
