"""Sequences and data sets; `open_dataset("otb2013:/data/OTB")` opens one."""

from siamtrack.data import annotations as annotations
from siamtrack.data import davis as davis
from siamtrack.data import dtb70 as dtb70
from siamtrack.data import folder as folder
from siamtrack.data import got10k as got10k
from siamtrack.data import lasot as lasot
from siamtrack.data import nfs as nfs
from siamtrack.data import otb as otb
from siamtrack.data import tcolor128 as tcolor128
from siamtrack.data import tld as tld
from siamtrack.data import trackingnet as trackingnet
from siamtrack.data import uav as uav
from siamtrack.data import vot as vot
from siamtrack.data.open import DATASETS, open_dataset
from siamtrack.data.sequence import Dataset, Sequence

__all__ = ["DATASETS", "Dataset", "Sequence", "open_dataset"]
