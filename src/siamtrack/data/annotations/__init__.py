"""Training data straight from the official folders: `read_training("got10k:/data/GOT-10k")`.

One file for each data set; `TRAINING` finds them by name.
"""

from siamtrack.data.annotations import coco as coco
from siamtrack.data.annotations import coco_video as coco_video
from siamtrack.data.annotations import cvat as cvat
from siamtrack.data.annotations import davis as davis
from siamtrack.data.annotations import got10k as got10k
from siamtrack.data.annotations import imagenet as imagenet
from siamtrack.data.annotations import lasot as lasot
from siamtrack.data.annotations import mot as mot
from siamtrack.data.annotations import shards as shards
from siamtrack.data.annotations import trackingnet as trackingnet
from siamtrack.data.annotations import yolo as yolo
from siamtrack.data.annotations import youtube_bb as youtube_bb
from siamtrack.data.annotations import youtube_vos as youtube_vos
from siamtrack.data.annotations.base import TRAINING, read_all, read_training
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.own import FORMATS

__all__ = ["FORMATS", "TRAINING", "Findings", "read_all", "read_training"]
