"""Studies: arms of pre-training and fine-tuning that a file declares, run for several seeds, and put into tables."""

from sectome.study.declaration import Arm, Pretraining, Recipe, Study, read_study
from sectome.study.run_study import run_study

__all__ = ["Arm", "Pretraining", "Recipe", "Study", "read_study", "run_study"]
