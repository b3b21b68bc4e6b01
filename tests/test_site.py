"""The documentation site: every page is in it, every link leads somewhere, it builds."""

import re
import subprocess
import sys
from fnmatch import fnmatch

import pytest

import siamtrack
from siamtrack.cli.main import VERBS
from siamtrack.packages.card import model_folder, model_names, read_card
from tests.test_docs import DOCS, PAGES, ROOT, every_page

sys.path.insert(0, str(DOCS / "_site"))
from model_cards import write_pages

pytestmark = pytest.mark.needs("sphinx", "torch")

FIGURES = sorted((DOCS / "figures").glob("*.webp"))


def without_code(page):
    return re.sub(r"^( *)```.*?^\1```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(page):
    """Relative targets and their anchors."""
    found = re.findall(r"\]\(([^)\s]+)\)", without_code(page))
    return [link.partition("#")[::2] for link in found if "://" not in link]


def anchors(page):
    """The anchors that the forge and the site give to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def toctree(page):
    """Pages that the table of contents of a page names, patterns resolved."""
    pages = [each for each in PAGES if each.is_relative_to(DOCS)]
    for block in re.findall(
        r"^```\{toctree\}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE
    ):
        for line in block.splitlines():
            if line and not line.startswith(":"):
                name = re.sub(r"^.*<(.*)>$", r"\1", line)  # Title <name>
                pattern = (page.parent / f"{name}.md").resolve()
                found = [each for each in pages if fnmatch(str(each), str(pattern))]
                assert found or "*" in line, f"{page.name} lists {line}, which is no page"
                yield from found


@every_page
def test_links_lead_somewhere(page):
    for target, anchor in links(page):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}#{anchor}"


def test_every_page_is_in_the_table_of_contents():
    reached, ahead = set(), [DOCS / "index.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            ahead += toctree(page)
    assert {page for page in PAGES if page.is_relative_to(DOCS)} == reached


def test_links_are_really_looked_at():
    assert ("evaluation.md", "protocols") in links(DOCS / "how-it-works.md")
    assert "where-evaluators-differ-and-what-we-do" in anchors(DOCS / "evaluation.md")


def test_every_verb_is_described():
    named = re.findall(
        r"^\| `siamtrack ([\w-]+)` \|", (DOCS / "command-line.md").read_text(), re.MULTILINE
    )
    assert named == list(VERBS)


def test_every_public_package_is_in_the_reference():
    text = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    named = set(re.findall(r"automodule:: ([\w.]+)", text))
    source = ROOT / "src" / "siamtrack"
    with_names = {
        f"siamtrack.{'.'.join(init.parent.relative_to(source).parts)}"
        for init in source.glob("*/**/__init__.py")
        if "__all__" in init.read_text()
    }
    parts = {"siamtrack.cli", "siamtrack.evaluation.vot", "siamtrack.evaluation.peers"}  # of others
    assert with_names - parts <= named
    assert siamtrack.__all__


def test_cards_become_pages(tmp_path):
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "gone.md").write_text("# gone")
    pages = write_pages(tmp_path)
    assert [page.stem for page in pages] == model_names()
    assert not (tmp_path / "cards" / "gone.md").exists()
    for page in pages:
        card, text = read_card(model_folder(page.stem)), page.read_text()
        assert text.startswith(f"# {card.name}\n")
        for said in (
            card.summary,
            card.trained_on,
            card.license,
            *card.scores,
            *card.sha256.values(),
        ):
            assert said in text


@pytest.mark.parametrize("figure", FIGURES, ids=lambda path: path.stem)
def test_figures_are_small_and_shown(figure):
    assert figure.stat().st_size < 100_000
    assert any(f"figures/{figure.name})" in page.read_text() for page in DOCS.rglob("*.md"))
    assert figure.with_suffix(".py").is_file()


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    places = ["-d", tmp_path / "trees", DOCS, tmp_path / "html"]
    build = subprocess.run([*command, *places], capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stderr
    page = (tmp_path / "html" / "reference" / "index.html").read_text()
    for name in siamtrack.__all__:
        assert f'id="siamtrack.{name}"' in page
    for name in model_names():
        assert (tmp_path / "html" / "cards" / f"{name}.html").is_file()


def test_the_readers_tour_leads_through_files_and_functions_that_are_there():
    tour = (DOCS / "how-it-works.md").read_text().split("## The reader's tour")[1]
    for part in tour.split("A training sample, "):
        rows = re.findall(r"^\| `([\w/]+\.py)` \| (.*) \|$", part, re.MULTILINE)
        assert 0 < len(rows) <= 12
        for file, words in rows:
            source = (ROOT / "src" / "siamtrack" / file).read_text()
            for name in re.findall(r"`([\w.]+)`", words):
                for each in name.split(".") if name != "lite" else ():
                    assert re.search(rf"(def|class) {each}\b", source), f"{file}: {name}"
