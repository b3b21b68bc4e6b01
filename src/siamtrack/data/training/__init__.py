"""Training data straight from the official folders: `read_training("got10k:/data/GOT-10k")`.

One file for each data set; `TRAINING` finds them by name.
"""

from siamtrack.data.training import coco as coco
from siamtrack.data.training import coco_video as coco_video
from siamtrack.data.training import cvat as cvat
from siamtrack.data.training import davis as davis
from siamtrack.data.training import got10k as got10k
from siamtrack.data.training import imagenet as imagenet
from siamtrack.data.training import lasot as lasot
from siamtrack.data.training import mot as mot
from siamtrack.data.training import shards as shards
from siamtrack.data.training import trackingnet as trackingnet
from siamtrack.data.training import yolo as yolo
from siamtrack.data.training import youtube_bb as youtube_bb
from siamtrack.data.training import youtube_vos as youtube_vos
from siamtrack.data.training.base import TRAINING, read_all, read_training
from siamtrack.data.training.findings import Findings
from siamtrack.data.training.own import FORMATS

__all__ = ["FORMATS", "TRAINING", "Findings", "read_all", "read_training"]
