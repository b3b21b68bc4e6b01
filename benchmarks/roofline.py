"""What bounds a model on this machine: its operators against the machine's own limits.

    python benchmarks/roofline.py                      the default model, 1 and 2 threads
    python benchmarks/roofline.py FOLDER --threads 4   a folder that `siamtrack export` wrote
    python benchmarks/roofline.py --write              puts the tables into docs/performance.md

Limits are measured: float32 products of square matrices in ONNX Runtime and in NumPy, and copies
of memory, large ones from main memory and small ones that stay in the cache. Multiplications (MACs)
and bytes of the search graph come from its ONNX file, time by operator from ONNX Runtime's own
profile. Everything is the best of many runs, so that what else the machine does counts little; it
still wants a quiet machine, above all with two threads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, shape_inference
from pages import fill

from siamtrack.benchmark.machine import this_machine
from siamtrack.packages.card import DEFAULT, Card, model_folder, read_card, read_graphs

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
MARKS = "<!-- roofline: begin -->\n", "<!-- roofline: end -->\n"
SIDE = 512  # of the matrices: short enough that some run undisturbed
LARGE, SMALL = 2**26, 2**21  # bytes of a copy: more than a cache, and within the last level
NUMPY = f"""
import time, numpy as np
a = np.random.default_rng(0).random(({SIDE}, {SIDE}), dtype=np.float32)
best = 9.0
for _ in range(400):
    start = time.perf_counter(); a @ a; best = min(best, time.perf_counter() - start)
print(best)
"""


@dataclass(frozen=True)
class Limits:
    """Best that was reached: billions of MACs and of bytes (read and written) a second."""

    threads: int
    onnxruntime: float
    numpy: float
    memory: float
    cache: float


@dataclass
class Kind:
    """Operators of one kind: best time, MACs and bytes that go in and out."""

    ms: float = 0.0
    count: int = 0
    macs: float = 0.0
    bytes: float = 0.0


def best(run: Callable[[], object], repeats: int) -> float:
    """Least seconds of several calls."""
    found = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        found = min(found, time.perf_counter() - start)
    return found


def limits(threads: int) -> Limits:
    """Measure the machine."""
    macs = SIDE**3 / 1e9
    variables = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    numpy = subprocess.run(
        [sys.executable, "-c", NUMPY],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return Limits(
        threads,
        macs / best(product(threads), 400),
        macs / float(numpy.stdout),
        copying(LARGE, threads, 60),
        copying(SMALL, threads, 400),
    )


def product(threads: int) -> Callable[[], object]:
    """Return a call that multiplies two matrices in ONNX Runtime."""
    shape = [SIDE, SIDE]
    a, b, c = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "abc")
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "g", [a, b], [c])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options(threads), providers=["CPUExecutionProvider"]
    )
    values = np.random.default_rng(0).random(shape, dtype=np.float32)
    return lambda: session.run(None, {"a": values, "b": values})


def copying(size: int, threads: int, repeats: int) -> float:
    """Billions of bytes a second that copies of `size` bytes read and write, in so many threads."""
    speeds = [0.0] * threads
    gate = threading.Barrier(threads)

    def work(number: int) -> None:
        source, target = np.ones(size // threads, np.uint8), np.empty(size // threads, np.uint8)
        target[:] = source
        gate.wait()
        seconds = best(lambda: np.copyto(target, source), repeats)
        speeds[number] = 2 * source.nbytes / seconds / 1e9

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(speeds)


def options(threads: int) -> Any:
    """Options of a session."""
    found = onnxruntime.SessionOptions()
    found.intra_op_num_threads = threads
    return found


def totals(graph: bytes) -> tuple[float, float, float]:
    """MACs, bytes of weights, and bytes that operators read and write, from the ONNX file."""
    model = onnx.load_from_string(graph)
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    found = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in [*found.input, *found.output, *found.value_info]
    }
    weights = {each.name: list(each.dims) for each in found.initializer}
    shapes |= weights
    macs = moved = 0.0
    for node in found.node:
        operands = [shapes[name] for name in node.input if name in shapes]
        results = [shapes[name] for name in node.output if name in shapes]
        # a cast of stored weights is done when the graph is loaded
        stored = node.op_type == "Cast" and node.input[0] in weights
        if node.op_type != "Constant" and not stored:
            moved += 4.0 * sum(prod(shape) for shape in [*operands, *results])
        macs += multiplications(node.op_type, operands, results[0] if results else [])
    return macs, sum(4.0 * prod(shape) for shape in weights.values()), moved


def multiplications(operator: str, operands: list[list[int]], result: list[int]) -> float:
    """MACs of an operator from the shapes of its operands and result; 0 for all small ones."""
    if operator.endswith("Conv"):
        return float(prod(result) * prod(operands[1][1:]))
    if operator in ("Gemm", "MatMul", "FusedGemm"):
        return float(prod(result) * operands[0][-1])
    if operator == "Einsum":  # of the kernel (B, K, C) with the features (B, C, H, W)
        return float(prod(result) * operands[0][-1])
    return 0.0


def profile(graph: bytes, card: Card, threads: int, runs: int) -> dict[str, Kind]:
    """Best time by kind of operator."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        wanted = options(threads)
        wanted.enable_profiling = True
        wanted.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(graph, wanted, providers=["CPUExecutionProvider"])
        shape = next(item.shape for item in session.get_inputs() if item.name == "kernel")
        feed = {
            "kernel": rng.random([1, *shape[1:]], dtype=np.float32),
            "search": rng.integers(0, 255, (1, card.search, card.search, 3), dtype=np.uint8),
        }
        for _ in range(runs):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            nodes[event["args"]["node_index"]].append(event)
    found: dict[str, Kind] = defaultdict(Kind)
    for same in nodes.values():
        arguments = same[0]["args"]
        operands = [next(iter(each.values())) for each in arguments["input_type_shape"]]
        results = [next(iter(each.values())) for each in arguments["output_type_shape"]]
        kind = found[kind_of(arguments["op_name"], operands)]
        kind.ms += min(event["dur"] for event in same) / 1000
        kind.count += 1
        kind.macs += multiplications(arguments["op_name"], operands, results[0])
        kind.bytes += sum(
            prod(shape) * (1 if "uint8" in each else 4)
            for each in [*arguments["input_type_shape"], *arguments["output_type_shape"]]
            for shape in each.values()
        )
    return found


def kind_of(operator: str, operands: list[list[int]]) -> str:
    """Name the kind of an operator."""
    if operator.endswith("Conv"):
        channels, *kernel = operands[1][1:]
        size = "x".join(map(str, kernel))
        if channels == 1:
            return f"convolution {size}, depth-wise"
        return f"convolution {size}" + (", first" if operands[0][1] == channels == 3 else "")
    if operator in ("Einsum", "Gemm", "MatMul", "FusedGemm"):
        return "matrix product"
    if operator.startswith("Reorder") or operator in ("Transpose", "Cast"):
        return "layout and type"
    if operator in ("Add", "Sub", "Mul", "Div", "Relu", "Clip", "BatchNormalization", "Concat"):
        return "element by element"
    return "other"


def limit(kind: Kind, here: Limits) -> float:
    """Most MACs a second, in billions: what products reach, or what the cache delivers."""
    return min(max(here.onnxruntime, here.numpy), kind.macs / max(kind.bytes, 1) * here.cache)


def table(found: dict[str, Kind], here: Limits) -> str:
    """Write a row for each kind, the slowest first."""
    total, ideal = sum(kind.ms for kind in found.values()), 0.0
    lines = [
        f"{_threads(here.threads)}:\n",
        "| operators | number | ms | share | MACs, M | moved, MB | GMAC/s | GB/s | "
        "bound by | share of the limit |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, kind in sorted(found.items(), key=lambda item: -item[1].ms):
        rate, flow = kind.macs / kind.ms / 1e6, kind.bytes / kind.ms / 1e6
        most = limit(kind, here)
        products = kind.macs > 0 and most >= max(here.onnxruntime, here.numpy)
        reached = rate / most if kind.macs else flow / here.cache
        ideal += reached * kind.ms
        lines.append(
            f"| {name} | {kind.count} | {kind.ms:.2f} | {kind.ms / total:.0%} "
            f"| {kind.macs / 1e6:.1f} | {kind.bytes / 1e6:.1f} "
            f"| {rate:.0f} | {flow:.0f} | {'products' if products else 'memory'} "
            f"| {reached:.0%} |"
        )
    lines.append(f"| all | | {total:.2f} | | | | | | | {ideal / total:.0%} |")
    return "\n".join(lines)


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def page(model: str, counts: list[int], runs: int) -> str:
    """Measure, and return everything as Markdown."""
    folder = model_folder(model)
    card = read_card(folder)
    graph = read_graphs(folder, card).search
    macs, weights, moved = totals(graph)
    machine = this_machine()
    measured = [limits(count) for count in counts]
    caches = ", ".join(f"{name} {size}" for name, size in machine.caches.items())
    lines = [
        f"`{card.name}`, search graph, one patch: {macs / 1e6:.0f} M MACs, {weights / 1e6:.1f} MB "
        f"of weights, {moved / 1e6:.0f} MB read and written by its operators one by one. "
        f"{machine.processor}, {machine.cores} cores, {caches}; ONNX Runtime "
        f"{machine.versions['onnxruntime']}; load before the start: {machine.load}.\n",
        "| limit | " + " | ".join(_threads(each.threads) for each in measured) + " |",
        "|---" * (len(measured) + 1) + "|",
    ]
    for title, name, unit in (
        ("products in ONNX Runtime", "onnxruntime", "GMAC/s"),
        ("products in NumPy", "numpy", "GMAC/s"),
        ("copies from main memory", "memory", "GB/s"),
        ("copies in the cache", "cache", "GB/s"),
    ):
        values = (f"{getattr(each, name):.0f} {unit}" for each in measured)
        lines.append(f"| {title} | {' | '.join(values)} |")
    for here in measured:
        lines += ["", table(profile(graph, card, here.threads, runs), here)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=DEFAULT)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    text = page(given.model, given.threads, given.runs)
    print(text, end="")
    if given.write:
        fill(PAGE, MARKS, text)


if __name__ == "__main__":
    main()
