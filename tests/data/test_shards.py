"""Training data as shards: written, read back, fetched from a server."""

import functools
import http.server
import shutil
import sys
import tarfile
import threading

import numpy as np
import pytest
import webdataset

from siamtrack.data.annotations import Findings, pack, read_training
from siamtrack.data.cache import Faults, read_bytes, read_image
from siamtrack.data.check import check_training
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.errors import DatasetError, MissingExtraError
from tests.data.annotations.trees import FRAMES, got10k
from tests.training.manifest import write_manifest

pytestmark = pytest.mark.needs("webdataset")


@pytest.fixture
def entries(tmp_path):
    return read_training(got10k(tmp_path / "data"))


@pytest.mark.parametrize("megabytes", [0.03, 256])
def test_round_trip(megabytes, tmp_path, entries):
    done = pack(entries, tmp_path / "out", megabytes=megabytes)
    assert (done.images, done.boxes) == (2 * FRAMES, 2 * FRAMES)
    assert len(done.shards) == (1 if megabytes > 1 else pytest.approx(3, abs=1.1))
    again = read_training(f"shards:{tmp_path / 'out'}")
    for one, two in zip(entries, again, strict=True):
        assert (one.box, one.track, one.frame, one.label, one.source) == (
            two.box,
            two.track,
            two.frame,
            two.label,
            two.source,
        )
        np.testing.assert_array_equal(read_bytes(one.image), read_bytes(two.image))
    config = PairConfig(template=65, search=129)
    first, second = PairSampler(Pool(entries), config), PairSampler(Pool(again), config)
    np.testing.assert_array_equal(first.draw(3).search, second.draw(3).search)
    assert check_training(f"shards:{tmp_path / 'out'}").problems == 0


def test_same_entries_same_bytes(tmp_path, entries):
    one, two = (pack(entries, tmp_path / name).shards[0].read_bytes() for name in "ab")
    assert one == two


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset leaves it open
def test_the_library_itself_reads_them(tmp_path, entries):
    (shard,) = pack(entries, tmp_path / "out").shards
    samples = list(webdataset.WebDataset(str(shard), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [f"{i:08d}" for i in range(2 * FRAMES)]
    assert samples[0]["jpg"] == read_bytes(entries[0].image).tobytes()


def test_several_objects_in_an_image(tmp_path):
    entries = read_manifest(write_manifest(tmp_path / "data"))
    pack([*entries, entries[0]], tmp_path / "out")
    again = read_training(f"shards:{tmp_path / 'out' / 'train-000000.tar'}")
    assert len(again) == len(entries) + 1
    np.testing.assert_array_equal(read_image(again[0].image), read_image(entries[0].image))


@pytest.fixture
def server(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        asked: list[str] = []  # noqa: RUF012

        def log_message(self, *_):
            self.asked.append(self.path)

    handler = functools.partial(Quiet, directory=str(tmp_path / "out"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as there:
        threading.Thread(target=there.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{there.server_address[1]}", Quiet.asked
        there.shutdown()


@pytest.mark.skipif(shutil.which("curl") is None, reason="webdataset fetches with curl")
def test_far_shards_are_fetched_once(tmp_path, entries, server, monkeypatch):
    monkeypatch.setenv("SIAMTRACK_CACHE", str(tmp_path / "cache"))
    address, asked = server
    shards = pack(entries, tmp_path / "out", megabytes=0.03).shards
    where = f"shards:{address}/train-{{000000..{len(shards) - 1:06d}}}.tar"
    for _ in range(2):
        again = read_training(where)
        assert len(again) == 2 * FRAMES
        assert read_image(again[-1].image).shape == read_image(entries[-1].image).shape
    assert len(asked) == len(shards)
    with pytest.raises(DatasetError, match="cannot be fetched"):
        read_training(f"shards:{address}/gone-{{0..1}}.tar")
    assert not list((tmp_path / "cache").rglob("*gone*"))


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("{}", "expected shards here"),
        ("{}/a-{{0..1}}.tar", "no such shard"),
        ("pipe:cat {{0..1}}", "shell commands are not run"),
        ("{}/gone.tar", "no such folder"),
    ],
)
def test_no_shards(where, words, tmp_path):
    with pytest.raises(DatasetError, match=words):
        read_training("shards:" + where.format(tmp_path))


def test_shards_of_another_form(tmp_path, entries):
    def shard(name, **files):
        path = tmp_path / name
        with tarfile.open(path, "w") as tar:
            for member, data in files.items():
                (tmp_path / "part").write_bytes(data)
                tar.add(tmp_path / "part", member.replace("_", "."))
        return f"shards:{path}"

    with pytest.raises(DatasetError, match="expected a list of objects with box and track"):
        read_training(shard("a.tar", x_jpg=b"1", x_json=b"[3]"))
    with pytest.raises(DatasetError, match="no whole, uncompressed shard"):
        read_training(shard("b.tar", x_jpg=b"1", x_json=b"{"))
    found = Findings()
    with pytest.raises(DatasetError, match="no usable object"):
        read_training(shard("c.tar", x_json=b"[]"), found)
    assert found.counts == {"missing": 1}
    (whole,) = pack(entries, tmp_path / "out").shards
    whole.write_bytes(whole.read_bytes()[:-20000])
    with pytest.raises(DatasetError, match="train-000000"):
        read_training(f"shards:{whole}")


def test_unreadable_images_and_old_shards(tmp_path, entries):
    from pathlib import Path

    out = tmp_path / "out"
    before = pack(entries, out, megabytes=0.03).shards
    with pytest.raises(FileExistsError, match="exists"):
        pack(entries, out)
    Path(entries[1].image).unlink()
    done = pack(entries, out, overwrite=True)
    assert done.images == 2 * FRAMES - 1
    assert sorted(out.iterdir()) == done.shards != before
    with pytest.raises(DatasetError, match="too many images"):
        pack(entries, tmp_path / "two", faults=Faults(least=0))
    assert list((tmp_path / "two").iterdir()) == []
    with pytest.raises(ValueError, match="above 0"):
        pack(entries, tmp_path / "two", megabytes=0)


def test_shards_are_not_packed_over_themselves(tmp_path, entries):
    (shard,) = pack(entries, tmp_path / "out").shards
    before = shard.read_bytes()
    again = read_training(f"shards:{tmp_path / 'out'}")
    with pytest.raises(ValueError, match="that are to be read"):
        pack(again, tmp_path / "out", overwrite=True)
    assert shard.read_bytes() == before
    assert pack(again, tmp_path / "two").shards[0].read_bytes() == before


def test_without_the_extra(tmp_path, entries, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset.writer", None)
    with pytest.raises(MissingExtraError, match=r"siamtrack\[shards\]"):
        pack(entries, tmp_path / "out")
