"""Files made to do harm: nothing in them is run, nothing outside is read, no memory is filled."""

import contextlib
import os
import pickle
import struct
import tarfile
import zipfile
import zlib

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.core.images import MOST_PIXELS, stated_size
from siamtrack.core.settings import TrackerSettings
from siamtrack.data.annotations import read_training
from siamtrack.data.benchmarks.vot import read_mask
from siamtrack.data.cache import image_size, inside
from siamtrack.data.cache import read_image as read_training_image
from siamtrack.data.pairs import PairConfig
from siamtrack.data.sequence import read_image as read_frame
from siamtrack.errors import DatasetError, ImageError, VideoError, WeightsError
from siamtrack.runtimes import Graphs
from siamtrack.video.images import read_image
from tests.helpers import texture


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, data):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(data))
        + _chunk(b"IEND", b"")
    )


def test_numbers_too_large_in_annotations(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text('{"Biker": {"gt_rect": [[1, 2, 3, ' + "9" * 400 + "]]}}")
    with pytest.raises(DatasetError, match="gt_rect"):
        siamtrack.open_dataset(f"otb100-annotations:{path}", partial=True)


@pytest.mark.parametrize("area", [1e-307, 0.05])
def test_windows_too_small_to_be_any(area):
    for make in (TrackerSettings, PairConfig):
        with pytest.raises(ValueError, match=r"area .*: expected 0 \(off\) or at least 0.1"):
            make(area=area)
        make(area=0.0)


@pytest.mark.needs("torch")
def test_a_checkpoint_whose_tensors_are_text(tmp_path):
    """A flipped bit took the place of a tensor's storage; torch asks the text for its dtype."""
    import torch

    from siamtrack.training import checkpoint

    path = tmp_path / "checkpoint.pt"
    torch.save({"step": 1, "average": {"a": torch.zeros(3)}}, path)
    data = path.read_bytes()
    failed = 0
    for place in range(data.index(b"\x80\x02"), data.index(b"\x80\x02") + 250):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            path.write_bytes(bytes(changed))
            with contextlib.suppress(WeightsError):
                failed += 1
                checkpoint.read(path)
    assert failed == 2000


@pytest.mark.parametrize("side", [12_000, 30_000, 2**31 - 1])
def test_pictures_that_say_they_are_huge(side, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side, bytes(1000)))
    readers = (
        (read_image, VideoError),
        (read_training_image, ImageError),
        (read_frame, DatasetError),
    )
    for read, error in readers:
        with pytest.raises(error, match="too large"):
            read(path)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "tiff"])
def test_stated_sizes_are_those_of_the_decoder(ending):
    _, data = cv2.imencode(f".{ending}", texture(0, 33, 57))
    found = stated_size(data.tobytes())
    assert found == (57, 33) or (ending == "webp" and found is None)
    assert MOST_PIXELS >= 4 * 7680 * 4320 * 0.99


def test_masks_that_say_they_are_huge():
    for text in (
        "m0,0,99999999,99999999,1",
        "m0,0,4,2,1,999999999999",
        "m0,0,9,9,1e400",
        "m0,0,-4,-2,1",
        "m0,0,4,2,-1,9",
    ):
        with pytest.raises(ValueError, match=r"rectangle|finite"):
            read_mask(text)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("was_run",)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "nested"])
def test_no_pickle_is_run(kind, tmp_path, monkeypatch):
    import torch

    from siamtrack.models import files
    from siamtrack.models.convert.layout import read_tensors
    from siamtrack.training import checkpoint

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pth"
    content = {"state_dict": {"a": torch.ones(2), "b": Evil()}, "step": Evil(), "config": "{}"}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content))
    elif kind == "nested":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Evil()))
            archive.writestr("archive/version", "3\n")
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    for read in (read_tensors, checkpoint.read):
        with pytest.raises(WeightsError):
            read(path)
    with pytest.raises(WeightsError):
        files.from_bytes(path.read_bytes(), "a.safetensors")
    assert not (tmp_path / "was_run").exists()
    pickle.loads(pickle.dumps(Evil()))
    assert (tmp_path / "was_run").exists(), "the trap itself works"


@pytest.mark.needs("torch")
def test_checkpoints_that_unpack_to_more_than_they_are(tmp_path):
    import torch

    from siamtrack.models.convert.layout import read_tensors
    from siamtrack.training import checkpoint

    torch.save({"a": torch.zeros(1 << 20)}, tmp_path / "good.pth")
    with (
        zipfile.ZipFile(tmp_path / "good.pth") as good,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for part in good.infolist():
            bomb.writestr(part.filename, good.read(part))
    assert (tmp_path / "bomb.pth").stat().st_size < 1 << 16
    assert len(read_tensors(tmp_path / "good.pth")["a"]) == 1 << 20
    for read in (read_tensors, checkpoint.read):
        with pytest.raises(WeightsError, match="is compressed"):
            read(tmp_path / "bomb.pth")


@pytest.mark.needs("onnx")
@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "secret"])
def test_graphs_read_no_other_file(place, tmp_path, monkeypatch):
    import onnx

    (tmp_path / "secret").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    tensor.external_data.add(key="location", value=place)
    output = onnx.helper.make_tensor_value_info("score", 1, [4])
    node = onnx.helper.make_node("Identity", ["w"], ["score"])
    graph = onnx.helper.make_graph([node], "g", [], [output], [tensor])
    data = onnx.helper.make_model(graph).SerializeToString()
    for graphs in ((data, b""), (b"", data)):
        with pytest.raises(WeightsError, match=r"keeps weights in another file"):
            Graphs(*graphs, tmp_path)


@pytest.mark.parametrize(
    "name", ["../../evil", "/tmp/evil", "a/../../evil", "..\\evil", "link", "hard", "fifo"]
)
def test_shards_write_and_follow_nothing(name, tmp_path):
    """A shard is never unpacked: names, links and devices in it lead nowhere."""
    folder = tmp_path / "deep" / "shards"
    folder.mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    note = b'[{"box": [1, 2, 3, 4], "track": "t"}]'
    with tarfile.open(folder / "a.tar", "w") as tar:
        member = tarfile.TarInfo(f"{name}.jpg")
        kinds = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE}
        member.type = kinds.get(name, tarfile.REGTYPE)
        member.linkname = "../../secret.jpg"
        tar.addfile(member)
        about = tarfile.TarInfo(f"{name}.json")
        about.size = len(note)
        with (tmp_path / "note").open("wb+") as file:
            file.write(note)
            file.seek(0)
            tar.addfile(about, file)
    before = sorted(tmp_path.rglob("*"))
    try:
        entries = read_training(f"shards:{folder}")
    except DatasetError:
        entries = []
    for entry in entries:
        assert entry.image.startswith(str(folder / "a.tar!"))
        with pytest.raises(ImageError):
            read_training_image(entry.image)
    assert sorted(tmp_path.rglob("*")) == before


def test_places_behind_the_end_of_an_archive(tmp_path):
    (tmp_path / "a.tar").write_bytes(bytes(1000))
    for offset, size in ((0, 10**15), (10**15, 10), (999, 2)):
        with pytest.raises(ImageError, match="ends before it"):
            read_training_image(inside(tmp_path / "a.tar", offset, size))


@pytest.mark.parametrize("kind", ["laughs", "file", "parameter"])
def test_xml_entities(kind, tmp_path):
    declared = {
        "laughs": "".join(
            f'<!ENTITY a{k} "{f"&a{k - 1};" * 10 if k else "ha"}">' for k in range(12)
        ),
        "file": '<!ENTITY a11 SYSTEM "file:///etc/passwd">',
        "parameter": '<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x; <!ENTITY a11 "b">',
    }[kind]
    text = f"<!DOCTYPE annotations [{declared}]><annotations>&a11;</annotations>"
    (tmp_path / "annotations.xml").write_text(text, encoding="utf-8")
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "1.png"), texture(0, 20, 20))
    with pytest.raises(DatasetError, match="document type"):
        read_training(f"cvat:{tmp_path}")


def test_sizes_in_headers_are_not_believed_for_memory(tmp_path):
    """`image_size` reports what a header says, and reads nothing more."""
    path = tmp_path / "a.png"
    path.write_bytes(png(60_000, 60_000, bytes(10)))
    assert image_size(path) == (60_000, 60_000)
    assert np.fromfile(path, np.uint8).size < 200
