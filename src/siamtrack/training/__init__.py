"""Training: one loop, read from top to bottom, and what surrounds it."""

from siamtrack.training.config import TrainConfig
from siamtrack.training.loop import train
from siamtrack.training.presets import PRESETS, preset
from siamtrack.training.watch import Watch

__all__ = ["PRESETS", "TrainConfig", "Watch", "preset", "train"]
