"""The models that pages may track with, each loaded once."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from siamtrack.packages.card import DEFAULT, Model, load_model
from siamtrack.runtimes import AUTO


class Models:
    """Loads each model once.

    Args:
        models: Names or folders of the models that pages may choose, the default one first.
        threads: Threads of the network; 0: as many as help.
        runtime: Engine of the network.

    Attributes:
        names: What pages call them.

    Example:
        >>> Models(["lite", "runs/a/model", "runs/b/model"]).names
        ['lite', 'model', 'model 2']
    """

    def __init__(self, models: Iterable[str] = (), threads: int = 0, runtime: str = AUTO) -> None:
        self._places: dict[str, str] = {}
        for place in list(models) or [DEFAULT]:
            name, count = Path(place).name, 1
            while (shown := name if count == 1 else f"{name} {count}") in self._places:
                count += 1
            self._places[shown] = place
        self.names, self._threads, self._runtime = list(self._places), threads, runtime
        self._loaded: dict[str, Model] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Model:
        """Return a model.

        Raises:
            ValueError: If it is none of those that pages may choose.
        """
        if name not in self._places:
            raise ValueError(f"no model {name!r} here: choose one of {', '.join(self.names)}")
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load_model(
                    self._places[name], runtime=self._runtime, threads=self._threads
                )
            return self._loaded[name]
