import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from siamtrack.studio.journal import NAME, Journal, ProjectError, read_head
from tests.processes import started


def test_written_events_come_back(tmp_path):
    journal = Journal.create(tmp_path, {"name": "a"})
    events = [{"do": "edit", "events": []}, {"do": "rows", "run": 0, "rows": [[1.5] * 6]}]
    for event in events:
        journal.write(event)
    journal.close()
    again, head, found = Journal.reopen(tmp_path)
    assert found == events
    assert head["name"] == "a"
    again.write({"do": "undo"})
    again.close()
    last, _, found = Journal.reopen(tmp_path)
    last.close()
    assert found == [*events, {"do": "undo"}]


def test_half_a_line_is_dropped_and_overwritten(tmp_path):
    journal = Journal.create(tmp_path, {})
    journal.write({"do": "undo"})
    journal.close()
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"do":"edit","eve')
    again, _, events = Journal.reopen(tmp_path)
    assert events == [{"do": "undo"}]
    again.write({"do": "redo"})
    again.close()
    lines = (tmp_path / NAME).read_text().splitlines()
    assert [json.loads(line) for line in lines[1:]] == [{"do": "undo"}, {"do": "redo"}]


def test_damage_is_told(tmp_path):
    Journal.create(tmp_path, {}).close()
    path = tmp_path / NAME
    path.write_text('{"studio": 99}\n')
    with pytest.raises(ProjectError, match="format 99"):
        Journal.reopen(tmp_path)
    for text in ("no json\n", "[]\n", "", "{}\n"):
        path.write_text(text)
        with pytest.raises(ProjectError, match="damaged"):
            Journal.reopen(tmp_path)
        assert read_head(tmp_path) is None
    path.unlink()
    with pytest.raises(ProjectError, match="cannot be opened"):
        Journal.reopen(tmp_path)


def test_one_writer_at_a_time(tmp_path):
    journal = Journal.create(tmp_path, {})
    with pytest.raises(ProjectError, match="another studio"):
        Journal.reopen(tmp_path)
    journal.close()
    Journal.reopen(tmp_path)[0].close()
    with pytest.raises(FileExistsError):
        Journal.create(tmp_path, {})


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_kill_loses_nothing(tmp_path):
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from siamtrack.studio.journal import Journal
        from siamtrack.studio.project import Project
        journal = Journal.create(Path(sys.argv[1]), {})
        project = Project(1000, (100, 100), journal.write)
        for index in range(1000):
            project.draw(index, (1, 1, 9, 9)) if index < 150 else project.rename(3, name=str(index))
            print(index, flush=True)
        """
    )
    order = [sys.executable, "-c", code, str(tmp_path)]
    with started(order, stdout=subprocess.PIPE, text=True) as process:
        last = 0
        for line in process.stdout:
            last = int(line)
            if last >= 20:
                break
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
    last = int(rest[-1]) if rest else last
    journal, _, events = Journal.reopen(tmp_path)
    journal.close()
    assert len(events) in (last + 1, last + 2)
