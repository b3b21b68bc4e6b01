"""Files appear whole or not at all, and what is there is not replaced unasked."""

import pytest

from siamtrack.core.writing import refuse_existing, write_text
from siamtrack.evaluation import evaluate
from tests.evaluation.toys import Still, toys


def test_what_cannot_be_written_leaves_the_old_file_alone(tmp_path):
    file = tmp_path / "new" / "report.json"
    write_text(file, "old\n")
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "half a \ud800")
    assert file.read_bytes() == b"old\n"
    assert list(file.parent.iterdir()) == [file]


def test_a_page_replaces_the_old_one_in_one_step(tmp_path):
    """Readers of the old page keep it: it is another file, not the same one cut short."""
    report = evaluate(Still, toys(1))
    page = report.to_html(tmp_path / "report.html")
    page.write_text("old")
    with page.open() as reader:
        report.to_html(page)
        assert reader.read() == "old"
    assert page.read_text().endswith("</html>\n")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_what_is_there_is_refused_in_the_same_words_everywhere(tmp_path):
    refuse_existing(tmp_path / "new", False)
    refuse_existing(tmp_path, True)
    with pytest.raises(FileExistsError, match=r"exists: choose another name, or give --overwrite"):
        refuse_existing(tmp_path, False)
    with pytest.raises(FileExistsError, match=r"^it is full: choose another folder"):
        refuse_existing(tmp_path, False, "it is full", "folder")
