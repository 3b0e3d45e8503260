"""A study of trained networks from its trials to its page: JSON, Markdown and pictures."""

import json
from pathlib import Path

from golden.errors import replacing
from quant.accuracy import commit
from studies.trials import run

__all__ = ["page", "study"]


def page(module, found):
    """The page of a study, from its JSON values alone."""
    name, _, how = found["stem"].partition("_")
    by = f"python -m studies {name} --{how}" if how else f"make {name}"
    seeds = ", ".join(map(str, found["seeds"]))
    if tuple(found["seeds"]) != module.SEEDS:
        by = f"{by.replace('make', 'python -m studies')} --seeds {seeds.replace(',', '')}"
    made = f"Made by `{by}` at commit {found['commit']}, with torch {found['torch']}; seeds {seeds}."
    sections = [f"# {module.TITLE}", made, *module.markdown(found)]
    if found["picture"]:
        sections.append(f"![{module.TITLE}]({found['stem']}.png)")
    return "\n\n".join(section.rstrip("\n") for section in sections) + "\n"


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
    found |= module.results(run(module.trials(scale, seeds), build), scale)
    module.pictures(found, folder)
    found["picture"] = (folder / f"{stem}.png").exists()
    for suffix, text in ((".json", json.dumps(found, indent=1) + "\n"), (".md", page(module, found))):
        with replacing(folder / f"{stem}{suffix}") as temporary:
            temporary.write_text(text)
    return folder / f"{stem}.md"
