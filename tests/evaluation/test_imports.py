import subprocess
import sys


def test_evaluation_needs_neither_torch_nor_scipy_nor_a_plotting_library(tmp_path):
    """Also while it evaluates files and writes the HTML page."""
    code = """
import sys
from siamtrack.data import Dataset, Sequence
from siamtrack.data.sequence import NoFrames
from siamtrack.evaluation import evaluate_results, write_results
write_results("a/toy.txt", [[0, 0, 8, 6]])
toys = Dataset("toys", [Sequence("toy", NoFrames(1), [[0, 0, 8, 6]])])
evaluate_results("a", toys).to_html("report.html")
heavy = {"torch", "scipy", "matplotlib", "pandas", "onnxruntime", "av", "trax"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
    assert (tmp_path / "report.html").stat().st_size > 3000
