"""The longer commands of `sectome`. Each imports its dependencies when it runs, so that help is quick."""

from sectome.commands.bundle import bundle
from sectome.commands.check_flags import check_flags
from sectome.commands.dataset import dataset
from sectome.commands.evaluate import evaluate
from sectome.commands.export import export
from sectome.commands.inflate import inflate
from sectome.commands.mitochondria import mitochondria
from sectome.commands.predict import predict
from sectome.commands.segment import segment
from sectome.commands.segment_volume import segment_volume
from sectome.commands.study import study
from sectome.commands.view import view

__all__ = [
    "bundle",
    "check_flags",
    "dataset",
    "evaluate",
    "export",
    "inflate",
    "mitochondria",
    "predict",
    "segment",
    "segment_volume",
    "study",
    "view",
]
