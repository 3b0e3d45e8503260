"""A study of trained networks from its trials to its page: JSON, Markdown and pictures."""

import json
import os
import time
from pathlib import Path

from golden.errors import replacing
from quant.accuracy import commit
from studies.tables import counted, duration
from studies.trials import run, started

__all__ = ["page", "study"]


def page(module, found):
    """The page of a study, from its JSON values alone."""
    name, _, how = found["stem"].partition("_")
    by = f"python -m studies {name} --{how}{' FOLDER' * (how == 'data')}" if how else f"make {name}"
    seeds = ", ".join(map(str, found["seeds"]))
    if tuple(found["seeds"]) != module.SEEDS:
        by = f"{by.replace('make', 'python -m studies')} --seeds {seeds.replace(',', '')}"
    made = f"Made by `{by}` at commit {found['commit']}, with torch {found['torch']}; seeds {seeds}. {took(found['time'])}."
    sections = [f"# {module.TITLE}", made, *module.markdown(found)]
    if found["picture"]:
        sections.append(f"![{module.TITLE}]({found['stem']}.png)")
    return "\n\n".join(section.rstrip("\n") for section in sections) + "\n"


def took(time):
    """How long a page took, and how much of it was there before."""
    before = f", {time['before']} of {counted(time['networks'], 'network')} trained before, or in part" if time["before"] else ""
    return f"It took {duration(time['seconds'])} on {counted(time['cores'], 'core')}{before}"


def study(module, stem, scale, seeds, build, folder):
    """Run the trials of a study, or find them, and write its JSON, page and picture to `folder`; the path of the page.

    Parameters
    ----------
    module : module
        With ``TITLE``, ``trials``, ``results``, ``markdown`` and ``pictures``.
    stem : str
        Of the files.
    scale
        Of the module's `Scale`.
    seeds : sequence of int
    """
    import torch

    folder = Path(folder)
    found = {"stem": stem, "commit": commit(), "torch": torch.__version__, "seeds": list(seeds)}
    trials, began = module.trials(scale, seeds), time.perf_counter()
    before, networks = started(trials, build)
    found |= module.results(run(trials, build), scale)
    found["time"] = {"seconds": time.perf_counter() - began, "cores": os.cpu_count(), "before": before, "networks": networks}
    module.pictures(found, folder)
    found["picture"] = (folder / f"{stem}.png").exists()
    for suffix, text in ((".json", json.dumps(found, indent=1) + "\n"), (".md", page(module, found))):
        with replacing(folder / f"{stem}{suffix}") as temporary:
            temporary.write_text(text)
    return folder / f"{stem}.md"
