"""Studies: pre-training and fine-tuning arms declared in a file, run with several seeds and summarised in tables."""

from sectome.study.declaration import Arm, Pretraining, Recipe, Study, read_study
from sectome.study.run_study import run_study

__all__ = ["Arm", "Pretraining", "Recipe", "Study", "read_study", "run_study"]
