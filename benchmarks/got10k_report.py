"""Run the GOT-10k toolkit's reports on a folder of raw results, in its own environment.

    PYTHON_WITH_GOT10K got10k_report.py FOLDER

FOLDER holds `truth.json` (name -> boxes) and `results/OTB2015/TRACKER/SEQUENCE.txt`. Writes
`FOLDER/performance.json` and prints two lines of seconds of processor time and by the clock,
imports not counted: of the figures alone, and of its whole report, which draws two plots.
With `val` in FOLDER, GOT-10k's layout, it reports on that and `results/GOT-10k/TRACKER`.
`got10k_agreement.py` calls this.
"""

import contextlib
import io
import json
import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from got10k.experiments import ExperimentGOT10k, ExperimentOTB


class Annotations(list):
    """What the toolkit's report asks of a data set: pairs of files and boxes, and the names."""

    def __init__(self, truth: dict) -> None:
        super().__init__((None, np.array(boxes, dtype=float)) for boxes in truth.values())
        self.seq_names = list(truth)


folder = Path(sys.argv[1])
if (folder / "val").is_dir():
    report = ExperimentGOT10k(str(folder), "val", str(folder / "results"), str(folder / "reports"))
    with contextlib.redirect_stdout(io.StringIO()):
        performance = report.report(["synthetic"])
    (folder / "performance.json").write_text(json.dumps(performance))
    sys.exit()
experiment = ExperimentOTB.__new__(ExperimentOTB)
experiment.dataset = Annotations(json.loads((folder / "truth.json").read_text()))
experiment.result_dir = str(folder / "results" / "OTB2015")
experiment.report_dir = str(folder / "reports")
experiment.nbins_iou, experiment.nbins_ce = 21, 51
trackers = sorted(path.name for path in Path(experiment.result_dir).iterdir())
plot = experiment.plot_curves
for draw in (lambda names: None, plot):
    experiment.plot_curves = draw
    processor, begin = time.process_time(), time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        performance = experiment.report(trackers)
    print(time.process_time() - processor, time.perf_counter() - begin)
(folder / "performance.json").write_text(json.dumps(performance))
