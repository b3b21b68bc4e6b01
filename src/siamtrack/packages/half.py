"""Weights stored in half precision: files of half the size, computed in float32 as before.

The engine turns the weights back into float32 when it loads the graph, so that an update takes as
long as before; the weights themselves are rounded to eleven bits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from siamtrack.errors import MissingExtraError
from siamtrack.packages.card import GRAPHS, Card, read_card, read_graphs
from siamtrack.packages.write import writing

try:
    import onnx
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("half", "onnx", "peers") from error

FEWEST = 256
"""Values of a constant from which it is stored so; smaller ones save nothing worth a node."""
LARGEST = float(np.finfo(np.float16).max)


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
