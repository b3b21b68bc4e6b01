"""Memory does not grow with the length of a video."""

import os
from pathlib import Path

import numpy as np
import pytest

import siamtrack
from siamtrack.sinks import open_sink
from tests.helpers import clip, write_video

STATM = Path("/proc/self/statm")


def resident():
    """Bytes of memory that the process holds."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="reads /proc")
def test_memory_stays_flat_over_a_long_video(tmp_path):
    pictures, boxes = clip(20)
    there_and_back = np.concatenate([pictures, pictures[::-1]])
    video = write_video(tmp_path / "long.mp4", np.tile(there_and_back, (75, 1, 1, 1)))
    held = {}
    tracker = siamtrack.load(threads=1)
    outputs = [open_sink(tmp_path / name) for name in ("a.mp4", "a.csv", "a.json", "a.jsonl")]
    for frame, track in siamtrack.track(video, box=boxes[0], tracker=tracker):
        for output in outputs:
            output.write(frame, [track])
        if frame.index in (500, 2999):
            held[frame.index] = resident()
    for output in outputs:
        output.close()
    # the 2,500 frames in between are 370 MB; the allocator keeps some of what it gave back
    assert held[2999] - held[500] < 40e6
