"""Pages that are slow, or gone, hold nobody up."""

import asyncio
import threading
import time

import pytest

from siamtrack.studio.news import MOST_WAITING, Hub
from tests.studio.conftest import FRAMES, SOCKETS


def test_messages_reach_everybody_in_order():
    async def main():
        hub = Hub()
        pages = [hub.subscribe(), hub.subscribe()]
        threading.Thread(target=lambda: [hub.publish({"n": n}) for n in range(5)]).start()
        for page in pages:
            found = []
            while len(found) < 5:
                found += await asyncio.wait_for(page.get(), 60)
            assert [message["n"] for message in found] == list(range(5))
        hub.unsubscribe(pages[0])
        assert len(hub) == 1

    asyncio.run(main())


def test_who_does_not_read_is_told_to_read_anew():
    async def main():
        hub = Hub()
        page = hub.subscribe()
        clock = time.perf_counter()
        for number in range(20 * MOST_WAITING):
            hub.publish({"n": number})
        assert time.perf_counter() - clock < 60, "nobody waits for a page"
        found = await page.get()
        assert len(found) <= MOST_WAITING + 1
        assert found[0] == {"type": "resync"}
        assert found[-1] == {"n": 20 * MOST_WAITING - 1}

    asyncio.run(main())


def test_a_loop_that_has_ended_is_no_error():
    hub = Hub()

    async def main():
        hub.subscribe()

    asyncio.run(main())
    hub.publish({"n": 1})


@pytest.mark.parametrize("leaves", [True, False])
def test_tracking_goes_on_without_its_page(client, project, movie, wait, leaves):
    with client.websocket_connect(SOCKETS + project + "/live") as socket:
        box = movie[1][0].tolist()
        client.post(project + "/edits", json={"do": "draw", "frame": 0, "box": box})
        client.post(project + "/job", json={"do": "start", "frame": 0})
        if not leaves:  # it stays and reads nothing
            assert wait(client, project)["done"] == FRAMES - 1
        else:
            socket.close()
    assert wait(client, project)["done"] == FRAMES - 1


def test_edits_while_tracking(client, project, movie, wait):
    """A correction behind the tracker's back: both it and the rest of the order are tracked."""
    boxes = movie[1]
    for k in (0, 1):
        box = [boxes[0][0] + 3 * k, *boxes[0][1:].tolist()]
        client.post(project + "/edits", json={"do": "draw", "frame": 0, "box": box})
    client.post(project + "/job", json={"do": "start", "frame": 0})
    change = {
        "do": "key",
        "target": 0,
        "frame": 2,
        "box": boxes[2].tolist(),
        "follow": {"frame": 2, "model": "lite"},
    }
    client.post(project + "/edits", json=change)
    client.post(project + "/edits", json={"do": "remove", "target": 1})
    wait(client, project)
    client.post(project + "/job", json={"do": "start", "frame": 0})
    wait(client, project)
    ((number, parts),) = client.get(project + "/tracks").json()["tracks"]
    assert number == 0
    assert [(part["first"], len(part["rows"])) for part in parts] == [(0, FRAMES)]
    assert parts[0]["rows"][2] == [*boxes[2].tolist(), 1.0, 0]
