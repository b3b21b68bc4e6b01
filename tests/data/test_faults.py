"""Images that cannot be read: skipped, counted, named; too many is an error."""

import pickle

import numpy as np
import pytest

from siamtrack.data.cache import Faults, ImageCache, TooManyFaultsError, inside, read_image
from siamtrack.data.pairs import first_readable
from siamtrack.errors import DatasetError, ImageError
from tests.data.annotations.trees import PICTURES, write_image


def test_cache_counts_each_bad_image_once(tmp_path):
    good = str(write_image(tmp_path / "good.png"))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    cache = ImageCache()
    np.testing.assert_array_equal(cache[good], PICTURES[0])
    for name, reason in (("bad.png", "damaged or not an image"), ("gone.png", "missing")):
        for _ in range(3):
            with pytest.raises(ImageError, match=reason):
                cache[str(tmp_path / name)]
    assert len(cache.faults) == 2
    assert cache.faults.summary().startswith("2 of 3 images could not be read: ")
    assert "gone.png (missing)" in cache.faults.summary()


def test_too_many_is_an_error():
    faults = Faults(share=0.1, least=2)
    faults.add("1.jpg", "missing")
    faults.add("2.jpg", "missing")
    with pytest.raises(TooManyFaultsError, match=r"3 of 3 images .* 1\.jpg \(missing\)"):
        faults.add("3.jpg", "missing")
    patient = Faults(share=0.1, least=2)
    for _ in range(40):
        patient.passed()
    for number in range(4):
        patient.add(f"{number}.jpg", "missing")
    with pytest.raises(DatasetError, match="siamtrack data check"):
        patient.add("4.jpg", "missing")


def test_retry_is_determined_by_the_key():
    def make(rng):
        value = int(rng.integers(100))
        if value < 60:
            raise ImageError(f"{value}.jpg", "missing")
        return value

    values = [first_readable(make, (1, 0, index)) for index in range(50)]
    assert min(values) >= 60
    assert values == [first_readable(make, (1, 0, index)) for index in range(50)]
    assert (
        first_readable(lambda rng: rng.random(), (3, 1, 4))
        == np.random.default_rng((3, 1, 4)).random()
    ), "the first attempt draws as without faults"


def test_retry_ends():
    def never(rng):
        raise ImageError("a.jpg", "missing")

    with pytest.raises(TooManyFaultsError, match=r"a\.jpg: missing"):
        first_readable(never, (0, 0, 0))


@pytest.mark.parametrize("bad", [{"share": 1.1}, {"share": -1}, {"least": -1}])
def test_bad_limits(bad):
    with pytest.raises(ValueError, match="must lie in"):
        Faults(**bad)


def test_a_jpeg_that_is_cut_short_is_no_image(tmp_path):
    data = write_image(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ImageError, match="cut short"):
        read_image(tmp_path / "b.jpg")
    # bytes after the end are harmless
    (tmp_path / "c.jpg").write_bytes(data + b"\0" * 40)
    np.testing.assert_array_equal(read_image(tmp_path / "c.jpg"), read_image(tmp_path / "a.jpg"))


def test_image_inside_a_tar_file(tmp_path):
    data = write_image(tmp_path / "a.png").read_bytes()
    (tmp_path / "a.tar").write_bytes(b"\0" * 512 + data)
    there = inside(tmp_path / "a.tar", 512, len(data))
    np.testing.assert_array_equal(read_image(there), PICTURES[0])
    with pytest.raises(ImageError, match="ends before it"):
        read_image(inside(tmp_path / "a.tar", 512, len(data) + 1))
    with pytest.raises(ImageError, match="missing"):
        read_image(inside(tmp_path / "b.tar", 512, 9))
    odd = write_image(tmp_path / "b.tar!1:2" / "c!3:4.png")  # no tar file, whatever its name
    np.testing.assert_array_equal(read_image(odd), PICTURES[0])


def test_the_error_is_whole_after_pickling():
    error = pickle.loads(pickle.dumps(ImageError("a.jpg", "missing")))
    assert (error.path, error.reason) == ("a.jpg", "missing")
