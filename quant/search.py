"""How few bits a network needs: a search over widths that knows of formats and scores alone.

What is searched is a *space*: groups of parts, a part being numbers that share one format, and for each width the
formats that its parts might have. What decides is ``score(formats)``, an accuracy on held-out images.

1. `alone`: each group is narrowed by halves, 16, 8, 4, 2, 1, with all other numbers float; it keeps the last width whose
   score is at least the least one allowed, and stops at the first that is not.
2. `combined`: all groups at the widths found; where the rule leaves a choice, also with the rule's own formats.
3. `repaired`, beyond the paper: as long as the combination scores too little, the group whose widening by a step gains
   most is widened; of several whose widening is enough, the one that costs the fewest bits.
4. `narrowed`, beyond the paper: each part on its own loses bits one by one, the largest part first, as long as the
   score is enough. A part's bits are its numbers, those of one image, times their width.

One bit, in two's complement, is 0 or -1 units; weights of -1 and +1 are another method. Where a space's formats need more
bits, its `narrowest` is the end.

Source: Gysel, Ristretto, sections 5.3.2 and 9.2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from golden.errors import InputError
from quant.space import WIDEST, Found, Space, Try, width

__all__ = ["STEPS", "TOLERANCE", "Search"]

UNIFORM = (16, 8, 4)
STEPS = {"bit": lambda bits: bits + 1, "double": lambda bits: 2 * bits}
TOLERANCE = 1e-9  # accuracies are whole images apart, which is more; sums and differences of them round


@dataclass(eq=False, kw_only=True)
class Search:
    """A search in `space` for the narrowest formats that score at least `least`.

    Parameters
    ----------
    space : Space
    score : callable
        {part: format} → accuracy, 0 to 1.
    least : float
        Least accuracy allowed: that of the float network less the margin.
    fixed : dict
        Group → width, for groups whose width is given.
    step : str
        A row of `STEPS`: how a repair widens.
    say : callable, optional
        Called with each `Try`.

    Attributes
    ----------
    tries : list of Try
        All that was scored, in order.

    Raises
    ------
    InputError
        If a width is out of range, or a group or step does not exist.
    """

    space: Space
    score: Callable
    least: float
    fixed: dict = field(default_factory=dict)
    step: str = "bit"
    say: Callable | None = None
    tries: list = field(default_factory=list, init=False)

    def __post_init__(self):
        for group, bits in self.fixed.items():
            if group not in self.space.groups:
                raise InputError(f"no group of numbers is called {group!r}; allowed: {', '.join(self.space.groups)}")
            width(bits, group, self.space.narrowest)
        if self.step not in STEPS:
            raise InputError(f"step must be one of {', '.join(STEPS)}, not {self.step!r}")

    def run(self, *, narrow=False):
        """All stages, the last one if `narrow`, which wants a space of separate parts: what is `Found`."""
        widths, formats = {}, {}
        for group in self.space.groups:
            last = self.alone(group)
            widths[group], formats = last.bits, formats | last.formats
        if not self.fixed and len(self.space.groups) > 1:
            self.uniform()
        best = self.combined(widths, formats)
        if not self.holds(best):
            best = self.repaired(best, widths)
        if narrow:
            best = self.narrowed(best)
        return Found(best.formats, best.score, self.holds(best))

    def holds(self, best, least=None):
        """Whether a `Try` scores enough."""
        return best.score >= (self.least if least is None else least) - TOLERANCE

    def tried(self, stage, what, bits, formats):
        """The `Try` of `formats`, kept."""
        found = Try(stage, what, bits, formats, self.score(formats))
        self.tries.append(found)
        if self.say is not None:
            self.say(found)
        return found

    def best(self, stage, what, parts, bits, others):
        """The best `Try` of `parts` at a width beside the formats `others`; the rule's own choice where scores tie.

        Where the rule leaves a choice, all parts take the same one first, then each part its own.
        """
        proposals = self.space.proposals(parts, bits)
        options = [self.tried(stage, what, bits, others | proposal) for proposal in proposals]
        best = max(options, key=lambda option: option.score)  # the first of equal ones
        if len(options) > 1 and len(parts) > 1 and self.space.separate:
            for part in parts:
                best = self.refined(best, part, bits)
        return best

    def refined(self, best, part, bits):
        """`best`, or one that scores more in which `part` has another format of the same width."""
        now = best.formats[part]
        for proposal in self.space.proposals((part,), bits):
            if proposal[part] != now:
                other = self.tried(best.stage, best.what, best.bits, best.formats | proposal)
                best = other if other.score > best.score else best
        return best

    def alone(self, group):
        """The last width of `group` that scores enough by itself, or the widest if none does: a `Try`."""
        parts = self.space.groups[group]
        if group in self.fixed:
            return self.best("alone", group, parts, self.fixed[group], {})
        kept, bits = None, WIDEST
        while bits >= self.space.narrowest:
            found = self.best("alone", group, parts, bits, {})
            if kept is None or self.holds(found):
                kept = found
            if not self.holds(found):
                break
            bits //= 2
        return kept

    def combined(self, widths, formats):
        """All groups at the widths found: the better of the formats found one by one, and those of the rule alone."""
        rule = {}
        for group, parts in self.space.groups.items():
            rule |= self.space.proposals(parts, widths[group])[0]
        options = [formats] if rule == formats else [formats, rule]
        tried = [self.tried("combined", "all", None, option) for option in options]
        return max(tried, key=lambda option: option.score)

    def uniform(self):
        """Score all groups at one width, by the rule alone: nothing is decided by it; the result is set beside it."""
        for bits in UNIFORM:
            formats = {}
            for parts in self.space.groups.values():
                formats |= self.space.proposals(parts, bits)[0]
            self.tried("uniform", "all", bits, formats)

    def repaired(self, best, widths):
        """From a combination that scores too little to one that scores enough, or to the best that was seen.

        First each part takes the best of the formats of its width, now among quantised numbers; then groups widen.
        """
        now = best = Try("repaired", "choice of formats", None, best.formats, best.score)
        if self.space.separate:
            for group, parts in self.space.groups.items():
                for part in parts:
                    now = self.refined(now, part, widths[group])
        best = max(best, now, key=lambda found: found.score)
        while not self.holds(best):
            options = {}
            for group, parts in self.space.groups.items():
                if group not in self.fixed and widths[group] < WIDEST:
                    bits = min(STEPS[self.step](widths[group]), WIDEST)
                    options[group] = self.best("repaired", group, parts, bits, now.formats)
            if not options:
                break
            enough = [name for name, option in options.items() if self.holds(option)]
            if enough:
                group = min(enough, key=lambda name: (options[name].total, -options[name].score))
            else:
                group = max(options, key=lambda name: options[name].score)
            now = options[group]
            widths = widths | {group: now.bits}
            best = max(best, now, key=lambda found: found.score)
        return best

    def narrowed(self, best):
        """From `best`, each part by itself bit by bit as long as the score is enough, or as good as it was."""
        least = min(self.least, best.score)
        for part in sorted(best.formats, key=lambda part: -part.count):
            bits = best.formats[part].width - 1
            while bits >= self.space.narrowest:
                found = self.best("narrowed", str(part), (part,), bits, best.formats)
                if not self.holds(found, least):
                    break
                best, bits = found, bits - 1
        return best
