"""A network as one self-contained file of C99 that gives the logits of golden."""

from golden.c99.source import source

__all__ = ["source"]
