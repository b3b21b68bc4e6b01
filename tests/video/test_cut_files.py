"""The length that headers promise is the length that muxers write."""

import pytest

from siamtrack.video.files import promised_bytes

from .conftest import encode


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {}),
        ("a.mp4", "libx264", {"movflags": "+faststart"}),
        ("a.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mov", "mpeg4", {}),
        ("a.mkv", "libx264", {}),
        ("a.webm", "libvpx", {}),
        ("a.avi", "mpeg4", {}),
    ],
)
def test_whole_files_promise_their_size_and_cut_ones_more(tmp_path, name, codec, options):
    path = encode(tmp_path / name, 5, codec=codec, options=options)
    data = path.read_bytes()
    assert promised_bytes(path) == len(data)
    path.write_bytes(data[: len(data) * 9 // 10])
    assert promised_bytes(path) > len(data) * 9 // 10
    path.write_bytes(data + bytes(100))
    assert promised_bytes(path) <= len(data) + 100


def box(kind, size, large=None):
    head = size.to_bytes(4, "big") + kind
    return head + (b"" if large is None else large.to_bytes(8, "big"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (box(b"ftyp", 16) + bytes(8) + box(b"mdat", 5000), 5016),
        (box(b"ftyp", 16) + bytes(8) + box(b"mdat", 1, 1 << 33), (1 << 33) + 16),
        (box(b"ftyp", 16) + bytes(8) + box(b"mdat", 0) + bytes(50), None),
        (box(b"ftyp", 16) + bytes(8) + box(b"????", 5000), 16),
        (box(b"ftyp", 16) + bytes(8) + b"\x00\x00", 16),
        (b"RIFF" + (992).to_bytes(4, "little") + b"AVI ", 1000),
        (b"RIFF" + (992).to_bytes(4, "little") + b"WAVE", None),
        (b"RIFF" + bytes(4) + b"AVI ", None),
        (b"RIFF\xff\xff\xff\xffAVI ", None),
        (b"\x1a\x45\xdf\xa3\x82ab\x18\x53\x80\x67\x90", 12 + 16),
        (b"\x1a\x45\xdf\xa3\x82ab\x18\x53\x80\x67\x40\x90", 13 + 0x90),
        (b"\x1a\x45\xdf\xa3\x82ab\x18\x53\x80\x67\x01" + b"\xff" * 7, None),
        (b"\x1a\x45\xdf\xa3\x82ab", None),
        (b"\x1a\x45\xdf\xa3", None),
        (b"", None),
        (b"abc", None),
        (bytes(100), None),
    ],
)
def test_headers_by_hand(tmp_path, data, expected):
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    assert promised_bytes(path) == expected
