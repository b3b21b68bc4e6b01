"""Absurd numbers in every numeric field of every surface: taken, or refused in a sentence."""

import dataclasses
import json
import struct
import typing

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import siamtrack
from siamtrack.core.config import from_dict, to_dict
from siamtrack.data.annotations import import_annotations
from siamtrack.data.pairs import PairConfig
from siamtrack.data.prepare import CropConfig
from siamtrack.errors import DatasetError, SiamtrackError, WeightsError
from siamtrack.packages.card import Card, Model, read_card
from siamtrack.studio.project import Project
from siamtrack.studio.request import change_of, order_of
from siamtrack.tracking.follow import read_boxes
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video.source import Span
from tests.data.annotations.own_trees import OWN
from tests.fuzz.harness import CHANGES, case, changed, files_below, fuzz
from tests.fuzz.test_tracking import CARD, Answers

pytestmark = pytest.mark.needs("starlette")

EDGES = [
    0,
    -1,
    1,
    2,
    255,
    2**31 - 1,
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    10**30,
    10**400,
    -(10**400),
    10**4000,
    1e308,
    -1e308,
    1e-320,
    0.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    True,
    None,
    "1",
    "",
    [],
    [1],
    {},
    1e300,
]
NUMBER = st.sampled_from(EDGES) | st.integers() | st.floats() | st.integers(-50, 5000)
NAMES = {"config": (ValueError, TypeError, SiamtrackError)}


def numeric(kind):
    hints = typing.get_type_hints(kind)
    return [f.name for f in dataclasses.fields(kind) if hints[f.name] in (int, float)]


def configs():
    from siamtrack.models.network import BoxTrackerConfig, SiamFCConfig
    from siamtrack.training import TrainConfig

    return [
        TrainConfig(),
        SiamFCConfig(),
        BoxTrackerConfig(),
        PairConfig(),
        CropConfig(),
        CARD.tracker,
        CARD.tracker.online,
        CARD.tracker.presence,
    ]


@pytest.mark.needs("torch")
def test_configs():
    known = configs()

    @fuzz
    @given(which=st.integers(0, len(known) - 1), data=st.data())
    def run(which, data):
        config = known[which]
        name = data.draw(st.sampled_from(numeric(type(config))))
        values = {**to_dict(config), name: data.draw(NUMBER)}
        with case("number of a config", *NAMES["config"]):
            made = from_dict(type(config), values)
            assert abs(getattr(made, name)) < 2**63

    run()


def test_cards_that_are_used(tmp_path):
    """A card that is taken tracks: nothing in it makes the tracker fail, hang or eat the memory."""
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)

    @fuzz
    @given(data=st.data())
    def run(data):
        values = to_dict(CARD)
        for _ in range(data.draw(st.integers(1, 3))):
            part, kind = data.draw(
                st.sampled_from(
                    [
                        (values, Card),
                        (values["tracker"], type(CARD.tracker)),
                        (values["tracker"]["online"], type(CARD.tracker.online)),
                        (values["tracker"]["presence"], type(CARD.tracker.presence)),
                    ]
                )
            )
            part[data.draw(st.sampled_from(numeric(kind)))] = data.draw(NUMBER)
        values["kind"] = data.draw(st.sampled_from(["box", "response"]))
        with case("card with absurd numbers", SiamtrackError, ValueError):
            (tmp_path / "card.json").write_text(json.dumps(values))
            card = read_card(tmp_path)
            if (card.search, card.stride) != (CARD.search, CARD.stride):
                return  # the network below answers for these alone
            tracker = SiamTracker(Model(card, Answers()), redetect=True)
            tracker.init(picture, (20, 10, 15, 12))
            for _ in range(2):
                track = tracker.update(picture)
                assert np.isfinite([*track.box, track.score]).all()

    run()


@pytest.mark.needs("torch")
def test_safetensors_headers():
    from siamtrack.models import files
    from siamtrack.models.network import SiamFCConfig, build_network

    data = files.to_bytes(build_network(SiamFCConfig(width=0.0625, search=191)))
    (length,) = struct.unpack("<Q", data[:8])
    head, body = data[8 : 8 + length], data[8 + length :]
    values = json.loads(head)
    names = [name for name in values if name != "__metadata__"]
    json_value = st.recursive(
        NUMBER | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=4,
    )

    @fuzz
    @given(data=st.data())
    def run(data):
        kind = data.draw(st.sampled_from(["bytes", "length", "field", "metadata", "structure"]))
        new, size = head, length
        if kind == "bytes":
            new = changed(head, data.draw(CHANGES))
            size = len(new)
        elif kind == "length":
            size = data.draw(st.integers(0, 2**64 - 1) | st.integers(0, 2 * length))
        else:
            tree = json.loads(head)
            if kind == "field":
                field = data.draw(st.sampled_from(["dtype", "shape", "data_offsets"]))
                tree[data.draw(st.sampled_from(names))][field] = data.draw(json_value)
            elif kind == "metadata":
                tree["__metadata__"] = data.draw(json_value)
            else:
                structure = json.loads(tree["__metadata__"][files.STRUCTURE])
                structure[data.draw(st.sampled_from(sorted(structure)))] = data.draw(json_value)
                tree["__metadata__"][files.STRUCTURE] = json.dumps(structure)
            new = json.dumps(tree).encode()
            size = len(new)
        with case("header of .safetensors", WeightsError):
            files.from_bytes(struct.pack("<Q", size) + new + body, "a.safetensors")

    run()


@pytest.mark.parametrize("name", OWN)
def test_importers_with_images(name, tmp_path):
    """Annotations of every own format beside images that are given, damaged at random."""
    source = OWN[name](tmp_path / "tree")
    form, _, place = source.partition(":")
    root = tmp_path / "tree"
    files = [(path, path.read_bytes()) for path in files_below(root, (".txt", ".xml", ".json"))]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(1, 6):
        cv2.imwrite(str(pictures / f"{number:06d}.jpg"), np.zeros((48, 64, 3), np.uint8))
    if not files:
        pytest.skip("no annotation file to damage")

    @fuzz
    @given(which=st.integers(0, len(files) - 1), changes=CHANGES, images=st.booleans())
    def run(which, changes, images):
        path, data = files[which]
        path.write_bytes(changed(data, changes))
        try:
            with case("import with images", DatasetError):
                import_annotations(
                    form, place, tmp_path / "out", pictures if images else root, overwrite=True
                )
        finally:
            path.write_bytes(data)

    run()


@fuzz
@given(box=st.lists(NUMBER, min_size=4, max_size=4), number=NUMBER, prior=NUMBER)
def test_boxes_ids_and_priors(box, number, prior):
    picture = np.zeros((48, 64, 3), np.uint8)
    tracker = SiamTracker(Model(CARD, Answers()))
    tracker.add(picture, (20, 10, 15, 12))
    with case("box, id or prior", ValueError, TypeError, SiamtrackError):
        tracker.add(picture, (5, 5, 9, 9), number)
    with case("box, id or prior", ValueError, TypeError, SiamtrackError):
        tracker.add(picture, box)
    with case("box, id or prior", ValueError, TypeError, SiamtrackError):
        tracker.update_all(picture, {0: box})
    with case("box, id or prior", ValueError, TypeError, SiamtrackError):
        tracker.update_all(picture, prior)


@fuzz
@given(start=NUMBER, end=NUMBER, stride=NUMBER, threads=NUMBER)
def test_spans_cameras_and_threads(start, end, stride, threads):
    with case("span", ValueError, TypeError):
        Span(start, end, stride)
    if not isinstance(threads, int) or isinstance(threads, bool) or not 0 <= threads < 1 << 31:
        with case("camera", ValueError, TypeError, SiamtrackError):
            siamtrack.open_video(threads)
    with case("threads", ValueError, TypeError):
        from siamtrack.runtimes.engines import check_threads

        check_threads(threads if threads != 1 else 1)


@fuzz
@given(rows=st.lists(st.lists(NUMBER, min_size=3, max_size=7), min_size=1, max_size=4))
def test_files_of_boxes(rows, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "fuzzed_boxes.txt"
    path.write_text("\n".join(" ".join(map(str, row)) for row in rows))
    with case("file of boxes", DatasetError):
        for targets in read_boxes(path, 0).values():
            assert all(type(number) is int for number in targets)


class OneModel:
    names = ("lite",)


@fuzz
@given(
    do=st.sampled_from(["draw", "key", "absent", "unkey", "rename", "remove", "undo"]) | NUMBER,
    values=st.dictionaries(
        st.sampled_from(
            [
                "frame",
                "target",
                "box",
                "name",
                "color",
                "direction",
                "model",
                "count",
                "targets",
                "redetect",
            ]
        ),
        NUMBER | st.lists(NUMBER, max_size=5) | st.text(max_size=9),
    ),
)
def test_what_pages_send(do, values):
    project = Project(10, (64, 48))
    project.draw(0, (5, 5, 20, 20))
    with case("edit of the studio", ValueError):
        change_of({"do": do, **values})(project)
    with case("order of the studio", ValueError):
        order_of(values, OneModel())
