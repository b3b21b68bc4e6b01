"""Smaller graphs: static int8 of the search graph, calibrated on real pairs, and half precision.

Activations are unsigned and weights signed 8-bit integers, the latter with a scale for each output
channel, as QuantizeLinear / DequantizeLinear nodes (Jacob et al., "Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018,
https://arxiv.org/abs/1712.05877). The template graph runs once a target and stays in float32.

In half precision only the weights are rounded, to eleven bits, which halves the files. The engine
turns them back into float32 when it loads a graph, so that an update takes as long as before.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.images import Image
from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.packages.card import GRAPHS, INT8, Card, read_card, read_graphs
from siamtrack.packages.write import writing
from siamtrack.runtimes.base import Floats, Graphs
from siamtrack.runtimes.onnx import OnnxRuntime

try:
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("int8 and half precision", "onnx", "peers") from error

LEAST_SAME_PEAK = 0.8
"""Least share of responses whose peak stays within one cell of where it is in float32."""
LEAST_CORRELATION = 0.9
"""Least correlation between the scores of int8 and float32."""
FEWEST = 256
"""Values of a constant from which it is stored in half precision; smaller ones save nothing."""
LARGEST = float(np.finfo(np.float16).max)


class Pair(Protocol):
    """What is used of a pair of training data, see `siamtrack.data.pairs.Pair`."""

    @property
    def template(self) -> Image: ...  # noqa: D102
    @property
    def size(self) -> NDArray[Any]: ...  # noqa: D102
    @property
    def search(self) -> Image: ...  # noqa: D102


@dataclass(frozen=True)
class Agreement:
    """How near int8 comes to float32 on pairs that it was not calibrated on.

    Attributes:
        correlation: Correlation of all scores, from -1 to 1.
        same_peak: Share of the responses whose peak lies within one cell of the other.
        presence: Mean absolute difference of the presence logits; 0 where there are none.
    """

    pairs: int
    correlation: float
    same_peak: float
    presence: float


def quantize(
    folder: str | Path, draw: Callable[[int], Pair], pairs: int = 96, compare: int = 64
) -> Agreement:
    """Add `search.int8.onnx` to a model's folder and name it in the card.

    `draw` returns pair i, as `sampler.draw` does; so many `pairs` calibrate, `compare` further ones
    are compared with float32.

    Raises:
        WeightsError: If the folder is no model, or int8 would ruin it; the folder is left alone.
        ValueError: If the sides of the pairs are not those of the model.
    """
    folder = Path(folder)
    card = read_card(folder)
    plain = read_graphs(folder, card)
    runtime = OnnxRuntime(plain)

    # Calibrate on some pairs
    feeds = (feed_of(runtime, draw(index), card.template, card.search) for index in range(pairs))
    graph = static_int8(plain.search, feeds)

    # Compare with float32 on others
    small = OnnxRuntime(Graphs(plain.template, graph, folder))
    others = (draw(pairs + index) for index in range(compare))
    agreement = _compare(runtime, small, others, card.template, card.search)
    if agreement.same_peak < LEAST_SAME_PEAK or agreement.correlation < LEAST_CORRELATION:
        raise WeightsError(
            f"int8 would ruin {card.name}: on {compare} pairs its scores correlate to "
            f"{agreement.correlation:.3f} with float32 and {agreement.same_peak:.0%} of the peaks "
            f"stay (at least {LEAST_CORRELATION} and {LEAST_SAME_PEAK:.0%} expected); keep float32"
        )

    # Add the graph to the folder
    with writing(folder, card, source=folder) as draft:
        draft.put(f"{INT8}.onnx", graph)
    logging.getLogger(__name__).info("int8 of %s: %s", card.name, asdict(agreement))
    return agreement


def feed_of(runtime: OnnxRuntime, pair: Pair, template: int, search: int) -> dict[str, Any]:
    """Return what the search graph of a model gets for a pair.

    Raises:
        ValueError: If the sides of the pair are not these.
    """
    sides = (pair.template.shape[0], pair.search.shape[0])
    if sides != (template, search):
        raise ValueError(
            f"pairs of {sides[0]} and {sides[1]} pixels for a model of {template} and {search}"
        )
    size = np.asarray(pair.size, dtype=np.float32)[None]
    return {"kernel": runtime.embed(pair.template[None], size), "search": pair.search[None]}


def static_int8(graph: bytes, feeds: Iterator[dict[str, Any]]) -> bytes:
    """Return an ONNX graph in int8, calibrated on what it is fed."""

    class Feeds(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            return next(feeds, None)

    with tempfile.TemporaryDirectory() as name:
        plain, prepared, small = (Path(name) / f"{part}.onnx" for part in ("a", "b", "c"))
        plain.write_bytes(graph)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(str(prepared))
        constants = {item.name for item in model.graph.initializer}
        # a correlation with the target's kernel is a convolution too, but has no fixed weights
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        dynamic = [node.name for node in convolutions if node.input[1] not in constants]
        quantization.quantize_static(
            str(prepared),
            str(small),
            Feeds(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip", "Relu", "Add", "MaxPool"],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=dynamic,
        )
        model = onnx.load(str(small))
    _take_pixels_as_they_are(model)
    return bytes(model.SerializeToString())


def _take_pixels_as_they_are(model: Any) -> None:
    """Let the first convolution read the uint8 pixels, in place.

    (pixel - mean) / deviation is what DequantizeLinear computes with deviation and mean as scale
    and zero point, so casting, subtracting, dividing and quantizing again are not needed. Graphs
    that do something else with their pixels are left as they are.
    """
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    values = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            values[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    for last in [node for node in graph.node if node.op_type == "DequantizeLinear"]:
        before = makers.get(last.input[0])
        if before is None or before.op_type != "QuantizeLinear":
            continue
        source, factor, mean = before.input[0], 1.0, 0.0
        for kind in ("Div", "Sub"):
            step = makers.get(source)
            if step is None or step.op_type != kind:
                continue
            value = values.get(step.input[1])
            if value is None or np.unique(value).size != 1:
                break
            number = float(value.ravel()[0])
            factor, mean = (factor / number, mean) if kind == "Div" else (factor, number)
            source = step.input[0]
        cast = makers.get(source)
        pixels = makers.get(cast.input[0]) if cast is not None and cast.op_type == "Cast" else None
        if pixels is None or pixels.op_type != "Transpose" or "search" not in pixels.input:
            continue
        if not (mean.is_integer() and 0 <= mean <= 255):
            continue
        scale, zero = np.float32(factor), np.uint8(mean)
        for name, value in (("pixel_scale", scale), ("pixel_zero", zero)):
            graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
        last.input[:] = [pixels.output[0], "pixel_scale", "pixel_zero"]
        _drop_unused(graph)
        return


def _drop_unused(graph: Any) -> None:
    """Remove nodes and constants that nothing reads."""
    kept = {output.name for output in graph.output}
    while True:
        needed = kept | {name for node in graph.node for name in node.input}
        idle = [node for node in graph.node if not needed & set(node.output)]
        if not idle:
            break
        for node in idle:
            graph.node.remove(node)
    for item in [item for item in graph.initializer if item.name not in needed]:
        graph.initializer.remove(item)


def _compare(
    plain: OnnxRuntime, small: OnnxRuntime, pairs: Iterator[Pair], template: int, search: int
) -> Agreement:
    scores: tuple[list[Floats], list[Floats]] = ([], [])
    peaks, presences = [], []
    for pair in pairs:
        feed = feed_of(plain, pair, template, search)
        one, other = (runtime.respond(feed["kernel"], feed["search"]) for runtime in (plain, small))
        scores[0].append(one.score.ravel())
        scores[1].append(other.score.ravel())
        away = np.abs(np.subtract(_peak(one.map[0]), _peak(other.map[0]))).max()
        peaks.append(bool(away <= 1))
        if one.presence is not None and other.presence is not None:
            presences.append(float(np.abs(one.presence - other.presence).mean()))
    wide, narrow = np.concatenate(scores[0]), np.concatenate(scores[1])
    # a graph that lost everything says the same everywhere
    alive = wide.std() > 0 and narrow.std() > 0
    return Agreement(
        pairs=len(peaks),
        correlation=float(np.corrcoef(wide, narrow)[0, 1]) if alive else 0.0,
        same_peak=float(np.mean(peaks)),
        presence=float(np.mean(presences)) if presences else 0.0,
    )


def _peak(score: Floats) -> tuple[int, int]:
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    return int(row), int(column)


def halve(folder: str | Path) -> Card:
    """Store the weights of both float32 graphs of a model's folder in half precision; int8 stays.

    Returns:
        The new card, which is in the folder.

    Raises:
        WeightsError: If the folder holds no whole model.
    """
    folder = Path(folder)
    card = read_card(folder)
    graphs = read_graphs(folder, card)
    with writing(folder, card, source=folder) as draft:
        for name in GRAPHS:
            draft.put(f"{name}.onnx", half_weights(getattr(graphs, name)))
    return draft.card


def half_weights(graph: bytes) -> bytes:
    """Return an ONNX graph whose large float32 constants are float16 with a cast behind them.

    Constants beyond the range of float16 stay as they are.
    """
    model = onnx.load_from_string(graph)
    casts = []
    for item in model.graph.initializer:
        if item.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(item)
        if values.size < FEWEST or not (np.abs(values) <= LARGEST).all():
            continue
        name = item.name
        item.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [item.name], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    return bytes(model.SerializeToString())
