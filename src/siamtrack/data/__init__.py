"""Sequences and data sets; `open_dataset("otb2013:/data/OTB")` opens one."""

from siamtrack.data import annotations as annotations
from siamtrack.data import folder as folder
from siamtrack.data import otb as otb
from siamtrack.data import tld as tld
from siamtrack.data.open import DATASETS, open_dataset
from siamtrack.data.sequence import Dataset, Sequence

__all__ = ["DATASETS", "Dataset", "Sequence", "open_dataset"]
