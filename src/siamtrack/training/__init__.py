"""Training: one loop, read from top to bottom, and what surrounds it."""

from siamtrack.training.config import PRESETS, TrainConfig, preset
from siamtrack.training.loop import train
from siamtrack.training.monitor import Watch

__all__ = ["PRESETS", "TrainConfig", "Watch", "preset", "train"]
