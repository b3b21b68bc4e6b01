"""The official layouts of GOT-10k, LaSOT, TrackingNet, NfS, TColor-128, DTB70 and UAV."""

import numpy as np
import pytest

from siamtrack.data import DATASETS, open_dataset
from siamtrack.data.benchmarks.small import FIRST, UAV20L
from siamtrack.errors import DatasetError
from siamtrack.evaluation import evaluate_results
from tests.data.trees import boxes, images, number, rows, write


def got10k(root, part="val", count=4, names=("GOT-10k_Val_000001",)):
    write(root / part / "list.txt", "\n".join(names))
    for name in names:
        folder = root / part / name
        images(folder, range(1, count + 1))
        write(folder / "groundtruth.txt", rows(boxes(1 if part == "test" else count)))
        if part == "val":
            write(folder / "absence.label", "0\n0\n1\n0\n")
            write(folder / "cover.label", "8\n8\n0\n0\n")
            write(folder / "meta_info.ini", "[METAINFO]\nresolution: (64, 48)\n")
    return root


def test_got10k_validation(tmp_path):
    for path in (got10k(tmp_path), tmp_path / "val"):
        dataset = open_dataset(f"got10k-val:{path}")
    (sequence,) = dataset
    assert sequence.boxes[0].tolist() == [9, 19, 8, 6]
    assert np.isnan(sequence.boxes[:, 0]).tolist() == [False, False, True, True]
    assert sequence.size == (64, 48)
    assert (dataset.policy, dataset.nested, dataset.origin) == ("got10k", True, 1)
    assert number(sequence[1]) == 2


def test_got10k_test_has_the_first_box_alone(tmp_path):
    dataset = open_dataset(f"got10k-test:{got10k(tmp_path, 'test')}")
    assert len(dataset[0]) == 4
    assert np.isnan(dataset[0].boxes[1:]).all()
    assert dataset[0].boxes[0].tolist() == [9, 19, 8, 6]


def test_got10k_that_is_not_whole(tmp_path):
    root = got10k(tmp_path)
    write(root / "val" / "list.txt", "GOT-10k_Val_000001\nGOT-10k_Val_000002\n")
    with pytest.raises(DatasetError, match="1 of 2 sequences are missing: GOT-10k_Val_000002"):
        open_dataset(f"got10k-val:{root}")
    assert open_dataset(f"got10k-val:{root}", partial=True).missing == ("GOT-10k_Val_000002",)
    write(root / "val" / "GOT-10k_Val_000001" / "absence.label", "0\n0\n")
    with pytest.raises(DatasetError, match=r"absence\.label: 2 labels for 4 frames"):
        open_dataset(f"got10k-val:{root}", partial=True)
    write(root / "val" / "GOT-10k_Val_000001" / "absence.label", "0\nx\n")
    with pytest.raises(DatasetError, match=r"absence\.label: expected numbers"):
        open_dataset(f"got10k-val:{root}", partial=True)
    with pytest.raises(DatasetError, match=r"list\.txt: the list of the sequences cannot be read"):
        open_dataset(f"got10k-test:{tmp_path / 'val' / 'GOT-10k_Val_000001'}")


def lasot(root, name="airplane-1", count=4):
    folder = root / name.split("-")[0] / name
    images(folder / "img", range(1, count + 1))
    write(folder / "groundtruth.txt", rows(boxes(count)))
    write(folder / "full_occlusion.txt", "0,1,0,0\n")
    write(folder / "out_of_view.txt", "0,0,0,1\n")
    return folder


def test_lasot(tmp_path):
    lasot(tmp_path)
    lasot(tmp_path, "zebra-2")
    dataset = open_dataset(f"lasot:{tmp_path}")
    assert dataset.names == ("airplane-1", "zebra-2")
    assert dataset[0].boxes[0].tolist() == [9, 19, 8, 6]  # 1-based file
    assert np.isnan(dataset[0].boxes[:, 0]).tolist() == [False, True, False, True]
    assert dataset.origin == 1
    write(tmp_path / "testing_set.txt", "zebra-2\nairplane-9\n")
    with pytest.raises(DatasetError, match="1 of 2 sequences are missing: airplane-9"):
        open_dataset(f"lasot:{tmp_path}")
    assert open_dataset(f"lasot:{tmp_path}", partial=True).names == ("zebra-2",)
    (tmp_path / "zebra" / "zebra-2" / "img" / "00000004.jpg").unlink()
    with pytest.raises(DatasetError, match=r"groundtruth\.txt: 4 rows, but 3 images"):
        open_dataset(f"lasot:{tmp_path}", partial=True)


def test_lasot_of_flat_folders(tmp_path):
    lasot(tmp_path)
    assert open_dataset(f"lasot:{tmp_path / 'airplane'}").names == ("airplane-1",)


def test_trackingnet(tmp_path):
    for part, count in (("TEST", 1), ("TRAIN_0", 12), ("TRAIN_3", 12)):
        name = f"video_{part}"
        images(tmp_path / part / "frames" / name, range(12), "{}.jpg")
        write(tmp_path / part / "anno" / f"{name}.txt", rows(boxes(count)))
    test, train = (
        open_dataset(f"{kind}:{tmp_path}") for kind in ("trackingnet", "trackingnet-train")
    )
    assert test.names == ("video_TEST",)
    assert test[0].boxes[0].tolist() == [10, 20, 8, 6]
    assert np.isnan(test[0].boxes[1:]).all()
    assert [number(test[0][k]) for k in (2, 10)] == [2, 10]  # not in the order of the alphabet
    assert train.names == ("video_TRAIN_0", "video_TRAIN_3")
    write(tmp_path / "TEST" / "anno" / "video_TEST.txt", rows(boxes(3)))
    with pytest.raises(DatasetError, match="3 rows for 12 frames"):
        open_dataset(f"trackingnet:{tmp_path}")
    with pytest.raises(DatasetError, match=r"no TEST/anno/NAME\.txt"):
        open_dataset(f"trackingnet:{tmp_path / 'TEST'}")


def nfs(root, count, rate=30, frames=4):
    lines = [f'0 {10 + k} 20 {18 + k} 26 {k + 1} {int(k == 2)} 0 1 "ball"' for k in range(count)]
    write(root / "ball_1" / str(rate) / "ball_1.txt", "\n".join(lines))
    images(root / "ball_1" / str(rate) / "ball_1", range(1, frames + 1), "{:05d}.jpg")
    return root


@pytest.mark.parametrize(("count", "step"), [(4, 1), (5, 1), (3, 1), (32, 8)])
def test_nfs(count, step, tmp_path):
    dataset = open_dataset(f"nfs30:{nfs(tmp_path, count)}")
    (ball,) = dataset
    assert len(ball) == min(4, count)
    assert ball.boxes[1].tolist() == [10 + step, 20, 8, 6]
    assert np.isnan(ball.boxes[2]).all() == (step == 1)


def test_nfs_that_does_not_fit(tmp_path):
    with pytest.raises(DatasetError, match="9 rows for 4 frames"):
        open_dataset(f"nfs30:{nfs(tmp_path, 9)}")
    with pytest.raises(DatasetError, match=r"no NAME/240/NAME\.txt"):
        open_dataset(f"nfs240:{tmp_path}")
    write(tmp_path / "ball_1" / "30" / "ball_1.txt", "0 1 2 3 4 1 0 0 0 x\n0 1 2\n")
    with pytest.raises(DatasetError, match=r"ball_1\.txt, line 2: '0 1 2' is not track"):
        open_dataset(f"nfs30:{tmp_path}")


def test_tcolor128(tmp_path):
    folder = tmp_path / "Ball_ce1"
    images(folder / "img", range(1, 10), "{:04d}.jpg")
    write(folder / "Ball_ce1_gt.txt", rows(boxes(4)))
    write(folder / "Ball_ce1_frames.txt", "3,6\n")
    (ball,) = open_dataset(f"tcolor128:{tmp_path}")
    assert (ball.name, ball.boxes[0].tolist()) == ("Ball_ce1", [9, 19, 8, 6])
    assert number(ball[0]) == 3
    write(folder / "Ball_ce1_frames.txt", "3,7\n")
    with pytest.raises(DatasetError, match=r"4 rows, but .*Ball_ce1_frames\.txt says 3 to 7"):
        open_dataset(f"tcolor128:{tmp_path}")
    write(folder / "Ball_ce1_frames.txt", "nan,3\n")
    with pytest.raises(DatasetError, match="numbers of the first and the last frame"):
        open_dataset(f"tcolor128:{tmp_path}", partial=True)


def test_dtb70(tmp_path):
    folder = tmp_path / "Animal1"
    images(folder / "img", range(1, 5), "{:05d}.jpg")
    write(folder / "groundtruth_rect.txt", rows(boxes(4)))
    dataset = open_dataset(f"dtb70:{tmp_path}")
    assert dataset[0].boxes[0].tolist() == [9, 19, 8, 6]
    assert dataset.origin == 1
    with pytest.raises(DatasetError, match=r"no folder with groundtruth_rect\.txt"):
        open_dataset(f"dtb70:{folder}")


def test_uav_ranges(tmp_path):
    assert len(FIRST) == 123
    assert len(set(UAV20L)) == 20
    assert (FIRST["bird1_2"], FIRST["uav1_3"], FIRST["car1_s"]) == (775, 2473, 1)
    anno = tmp_path / "anno" / "UAV123"
    write(anno / "bird1_2.txt", rows([*boxes(2), [np.nan] * 4, *boxes(1)]))
    write(anno / "bike1.txt", rows(boxes(3)))
    images(tmp_path / "data_seq" / "UAV123" / "bird1", range(770, 780), "{:06d}.jpg")
    with pytest.raises(DatasetError, match="121 of 123 sequences are missing"):
        open_dataset(f"uav123:{tmp_path}")
    dataset = open_dataset(f"uav123:{tmp_path}", partial=True)
    assert dataset.names == ("bike1", "bird1_2")
    bird = dataset["bird1_2"]
    assert bird.boxes[0].tolist() == [9, 19, 8, 6]
    assert np.isnan(bird.boxes[2]).all()
    assert [number(frame) for frame in bird] == [775 % 250 + k for k in range(4)]
    bare = open_dataset(f"uav123-annotations:{anno}", partial=True)
    assert (bare["bird1_2"].boxes[0] == bird.boxes[0]).all()
    with pytest.raises(DatasetError, match="give the one that holds anno and data_seq"):
        open_dataset(f"uav20l:{tmp_path}")


def test_uav_results_are_also_called_uav_and_the_sequence(tmp_path):
    """`uav_uav1_1.txt` is of `uav1_1`, and `uav_bike1.txt` of `bike1`."""
    anno, results = tmp_path / "anno", tmp_path / "theirs"
    for name in ("bike1", "uav1_1", "uav2"):
        write(anno / f"{name}.txt", rows(boxes(3)))
        write(results / f"uav_{name}.txt", rows(boxes(3)))
        write(results / f"uav_{name}_time.txt", "0.1\n0.1\n0.1\n")
    dataset = open_dataset(f"uav123-annotations:{anno}", partial=True)
    report = evaluate_results(results, dataset)
    assert report.values("theirs", "ao") == {"bike1": 1, "uav1_1": 1, "uav2": 1}
    assert report.speed("theirs")["fps"] == pytest.approx(10)


def test_every_layout_is_registered():
    names = {
        "otb",
        "tld",
        "folder",
        "lasot",
        "trackingnet",
        "uav123",
        "uav20l",
        "nfs30",
        "nfs240",
        "got10k-val",
        "got10k-test",
        "tcolor128",
        "dtb70",
        "davis2016",
        "davis2017",
        "votlt",
        *(f"vot{year}" for year in range(2013, 2023)),
    }
    assert names <= set(DATASETS)
