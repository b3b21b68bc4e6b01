"""Sequences and data sets; `open_dataset("otb2013:/data/OTB")` opens one."""

from siamtrack.data import annotations as annotations
from siamtrack.data import benchmarks as benchmarks
from siamtrack.data.sequence import Dataset, ImageFrames, Sequence
from siamtrack.data.sources import DATASETS, TRAINING, open_dataset, read_training

__all__ = [
    "DATASETS",
    "TRAINING",
    "Dataset",
    "ImageFrames",
    "Sequence",
    "open_dataset",
    "read_training",
]
