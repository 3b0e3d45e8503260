"""Numbers over seeds, and Markdown tables."""

import math
import statistics

__all__ = ["apart", "counted", "duration", "mean", "over", "percent", "plain", "spread", "table"]


def percent(value):
    """A share or an accuracy."""
    return f"{value:.2%}"


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def spread(values):
    """Mean, standard deviation and standard error of the mean of `values`; the latter two are None of one value."""
    values = list(values)
    found = {"runs": values, "mean": statistics.mean(values), "deviation": None, "error": None}
    if len(values) > 1:
        found["deviation"] = statistics.stdev(values)
        found["error"] = found["deviation"] / math.sqrt(len(values))
    return found


def apart(a, b):
    """Whether the means of two spreads differ by more than two standard errors of their difference."""
    if a["error"] is None or b["error"] is None:
        return False
    return abs(a["mean"] - b["mean"]) > 2 * math.hypot(a["error"], b["error"])


def mean(found):
    """Mean of a spread and its standard deviation."""
    return percent(found["mean"]) + ("" if found["deviation"] is None else f" ± {found['deviation']:.2%}")


def over(runs, what):
    """The `spread` of a figure over {seed: figures}."""
    return spread(figures[what] for figures in runs.values())


def counted(count, what):
    """So many things, in words."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def duration(seconds):
    """Seconds in words, to the minute."""
    return counted(round(seconds / 60), "minute")


def plain(value, digits=1):
    """A number with so many digits behind the point, thousands set off."""
    return f"{value:,.{digits}f}"
