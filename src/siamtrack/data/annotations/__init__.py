"""Annotations in the formats of tools, and training data straight from official folders.

`read_training("got10k:/data/GOT-10k")` reads a public data set, `import_annotations` yours.
"""

from siamtrack.data.annotations import coco as coco
from siamtrack.data.annotations import cvat as cvat
from siamtrack.data.annotations import mot as mot
from siamtrack.data.annotations import yolo as yolo
from siamtrack.data.annotations.shards import pack
from siamtrack.data.annotations.user_formats import FORMATS, import_annotations
from siamtrack.data.sources import TRAINING, Findings, read_all, read_training

__all__ = [
    "FORMATS",
    "TRAINING",
    "Findings",
    "import_annotations",
    "pack",
    "read_all",
    "read_training",
]
