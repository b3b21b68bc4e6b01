"""Reading images for training, with a bounded memory of decoded ones."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from siamtrack.crops import Image
from siamtrack.errors import DatasetError

logger = logging.getLogger(__name__)


def read_image(path: str | Path) -> Image:
    """Read an image file as uint8 RGB (H, W, 3).

    Raises:
        DatasetError: If the file is missing or is no image.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); check the data set"
        ) from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise DatasetError(f"{path} is no readable image; replace or remove it")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


class ImageCache:
    """Decoded images, least recently used out first. Safe to share between threads.

    Args:
        capacity: Bytes to keep at most.
    """

    def __init__(self, capacity: int = 4 << 30) -> None:
        self.capacity = capacity
        self._images: OrderedDict[str, Image] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __getitem__(self, path: str) -> Image:
        with self._lock:
            if path in self._images:
                self._images.move_to_end(path)
                return self._images[path]
        image = read_image(path)
        with self._lock:
            if path not in self._images:
                self._images[path] = image
                self._bytes += image.nbytes
                while self._bytes > self.capacity and len(self._images) > 1:
                    self._bytes -= self._images.popitem(last=False)[1].nbytes
        return image
