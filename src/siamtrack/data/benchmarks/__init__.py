"""Public benchmarks, one file each; each registers itself in `DATASETS`."""

from siamtrack.data.benchmarks import davis as davis
from siamtrack.data.benchmarks import dtb70 as dtb70
from siamtrack.data.benchmarks import folder as folder
from siamtrack.data.benchmarks import got10k as got10k
from siamtrack.data.benchmarks import lasot as lasot
from siamtrack.data.benchmarks import nfs as nfs
from siamtrack.data.benchmarks import otb as otb
from siamtrack.data.benchmarks import otb_annotations as otb_annotations
from siamtrack.data.benchmarks import tcolor128 as tcolor128
from siamtrack.data.benchmarks import tld as tld
from siamtrack.data.benchmarks import trackingnet as trackingnet
from siamtrack.data.benchmarks import uav as uav
from siamtrack.data.benchmarks import vot as vot
