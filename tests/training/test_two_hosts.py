"""Training on two hosts, one of which is lost and comes back."""

import json

import pytest
import torch

from siamtrack.core.config import to_dict
from tests.namespaces import INTERFACE, two_hosts, wait_until
from tests.training.manifest import write_manifest
from tests.training.test_ranks import SIAMFC

pytestmark = [pytest.mark.slow, pytest.mark.root]
STEPS = 40


def launch(host, number, place, out):
    """Start `siamtrack train` under torchrun on a host; the first one keeps the rendezvous."""
    return host.python(
        "-m",
        "torch.distributed.run",
        "--nnodes",
        2,
        "--nproc-per-node",
        1,
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        "10.77.0.1:29500",
        "--rdzv-id",
        "test",
        "--local-addr",
        # a name would tell which host it is, but two namespaces share theirs
        host.address,
        "--rdzv-conf",
        f"is_host={int(number == 0)}",
        "--max-restarts",
        3,
        "-m",
        "siamtrack",
        "train",
        "--data",
        place / "data",
        "--config",
        place / "config.json",
        "--out",
        place / out,
        "--resume",
        "--quiet",
        GLOO_SOCKET_IFNAME=INTERFACE,
        # else torchrun tells a host that comes back nothing about the store of the one that stayed
        TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1,
    )


def step(out):
    file = out / "checkpoint.pt"
    return int(torch.load(file, weights_only=True)["step"]) if file.exists() else 0


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    with two_hosts(tmp_path_factory.mktemp("logs")) as both:
        yield both


@pytest.fixture(scope="module")
def place(hosts, tmp_path_factory):
    """Return a folder with data, a config, and a run that nothing interrupted."""
    place = tmp_path_factory.mktemp("training")
    write_manifest(place / "data")
    settings = to_dict(SIAMFC) | {"steps": STEPS, "optimizer": "adamw", "rate": 1e-3}
    (place / "config.json").write_text(json.dumps(settings))
    children = [launch(host, number, place, "whole") for number, host in enumerate(hosts)]
    for host, child in zip(hosts, children, strict=True):
        host.finish(child)
    assert step(place / "whole") == STEPS
    return place


@pytest.mark.parametrize("how", ["killed", "unplugged"])
def test_a_host_that_is_lost_and_comes_back(how, hosts, place):
    staying, lost = hosts
    out = place / how
    first = launch(staying, 0, place, how)
    launch(lost, 1, place, how)
    wait_until(lambda: step(out) > 0, why="a first checkpoint")
    if how == "unplugged":
        lost.link("down")  # so that nothing tells the other host
    lost.kill()
    lost.link("up")
    assert 0 < step(out) < STEPS, "in the middle"
    assert first.poll() is None, "the other host stays"
    second = launch(lost, 1, place, how)
    lost.finish(second)
    staying.finish(first)
    same_as_whole(place, out)


def test_without_the_host_of_the_rendezvous_all_start_again(hosts, place):
    out = place / "restarted"
    children = [launch(host, number, place, "restarted") for number, host in enumerate(hosts)]
    wait_until(lambda: step(out) > 0, why="a first checkpoint")
    hosts[0].kill()
    assert 0 < step(out) < STEPS, "in the middle"
    assert children[1].wait(120) != 0, "the other one cannot go on"
    children = [launch(host, number, place, "restarted") for number, host in enumerate(hosts)]
    for host, child in zip(hosts, children, strict=True):
        host.finish(child)
    same_as_whole(place, out)


def same_as_whole(place, out):
    one, two = (
        torch.load(run / "checkpoint.pt", weights_only=True) for run in (place / "whole", out)
    )
    assert one["step"] == two["step"] == STEPS
    for part in ("model", "average"):
        for name, value in one[part].items():
            assert torch.equal(two[part][name], value), name
    lines = (out / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [20, 40]
