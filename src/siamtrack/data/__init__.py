"""Sequences and data sets; `open_dataset("otb2013:/data/OTB")` opens one."""

from siamtrack.data import benchmarks as benchmarks
from siamtrack.data.open import DATASETS, open_dataset
from siamtrack.data.sequence import Dataset, Sequence

__all__ = ["DATASETS", "Dataset", "Sequence", "open_dataset"]
