"""Where the frames of a sequence come from: image files, a video file, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.images import encoded, picture_of
from siamtrack.errors import DatasetError

Frame = NDArray[np.uint8]


class Frames(Protocol):
    """A series of uint8 RGB frames (H, W, 3), read when they are asked for."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The image files, one per frame; empty where frames do not come from images."""

    def missing(self) -> tuple[Path, ...]:
        """Return the files that should be there and are not."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...

    def __iter__(self) -> Iterator[Frame]: ...


def read_image(path: Path) -> Frame:
    """Read an image file as uint8 RGB (H, W, 3); paths with any characters work.

    Raises:
        DatasetError: If the file is missing or is no image.
    """
    try:
        return picture_of(encoded(path))
    except OSError as reason:
        raise DatasetError(
            f"{path}: the frame is missing or cannot be read ({reason.strerror}); "
            "complete the data set"
        ) from reason
    except ValueError as reason:
        raise DatasetError(f"{path}: {reason}; copy the data set again") from reason


class ImageFrames:
    """Frames from image files.

    Args:
        files: One file per frame; they need not exist until they are read.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)

    def missing(self) -> tuple[Path, ...]:
        """Return the files that do not exist."""
        return tuple(path for path in self.files if not path.is_file())

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Frame:
        return read_image(self.files[index])

    def __iter__(self) -> Iterator[Frame]:
        return map(read_image, self.files)


class VideoFrames:
    """Frames from a video file, decoded in order; going back starts again from the beginning.

    Args:
        path: Video file that OpenCV can decode.
        count: Number of frames to offer; containers state it unreliably, so the caller gives it.
    """

    files: tuple[Path, ...] = ()

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        self._reader: Iterator[Frame] = iter(())
        self._next = count

    def missing(self) -> tuple[Path, ...]:
        """Return the video file if it does not exist."""
        return () if self.path.is_file() else (self.path,)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Frame]:
        video = cv2.VideoCapture(str(self.path))
        try:
            for index in range(self.count):
                good, image = video.read()
                if not good:
                    raise DatasetError(
                        f"{self.path}: no frame {index} where {self.count} frames are annotated; "
                        "the video is missing, damaged or another one"
                    )
                yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        finally:
            video.release()

    def __getitem__(self, index: int) -> Frame:
        position = range(self.count)[index]
        if position < self._next:
            self._reader, self._next = iter(self), 0
        while True:
            frame = next(self._reader)
            self._next += 1
            if self._next > position:
                return frame

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "count": self.count}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class NoFrames:
    """Stands for the frames of a data set that consists of annotations alone.

    Args:
        count: Number of annotated frames.
    """

    files: tuple[Path, ...] = ()

    def __init__(self, count: int) -> None:
        self.count = count

    def missing(self) -> tuple[Path, ...]:
        """Return nothing: no files are expected."""
        return ()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Frame:
        raise DatasetError(
            "this data set holds annotations without frames: raw results can be evaluated on it, "
            "but to run a tracker open the folder with the images"
        )

    def __iter__(self) -> Iterator[Frame]:
        return iter([self[0]])
