"""Commands of `sectome` that are more than a call. Each imports what it needs when it runs, so help is quick."""

from sectome.commands.evaluate import evaluate
from sectome.commands.mitochondria import mitochondria
from sectome.commands.segment import segment

__all__ = ["evaluate", "mitochondria", "segment"]
