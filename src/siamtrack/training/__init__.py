"""Training: one loop, read from top to bottom."""

from siamtrack.training.loop import TrainConfig, train

__all__ = ["TrainConfig", "train"]
