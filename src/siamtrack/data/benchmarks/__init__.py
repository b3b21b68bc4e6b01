"""Public benchmarks, one file each, to evaluate on and to train on."""

from siamtrack.data.benchmarks import davis as davis
from siamtrack.data.benchmarks import got10k as got10k
from siamtrack.data.benchmarks import imagenet as imagenet
from siamtrack.data.benchmarks import lasot as lasot
from siamtrack.data.benchmarks import otb as otb
from siamtrack.data.benchmarks import small as small
from siamtrack.data.benchmarks import trackingnet as trackingnet
from siamtrack.data.benchmarks import vot as vot
from siamtrack.data.benchmarks import youtube as youtube
