"""The documentation as a site: it builds without warnings, and its pages are complete."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
INCLUDE = re.compile(r'^--8<-- "([^":]+)(?::([^"]+))?"$', re.MULTILINE)
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """The title, the main headings, the text, the anchors, the references and the images of a page."""

    def __init__(self, path):
        super().__init__()
        self.path, self.open = path, []
        self.title, self.headings, self.text = "", [], []
        self.anchors, self.references, self.images = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.open += [] if tag in VOID else [tag]
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        self.references += [given[name] for name in ("href", "src") if given.get(name)]
        if tag == "img":
            self.images.append(given)
        if tag == "h1":
            self.headings.append("")

    def handle_endtag(self, tag):
        while tag in self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] == "title":
            self.title += data
        if "h1" in self.open:
            self.headings[-1] += data
        if "script" not in self.open and "style" not in self.open:
            self.text.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages of the site by their path in it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {"NO_MKDOCS_2_WARNING": "1", "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.relative_to(folder).as_posix(): Page(path) for path in folder.rglob("*.html")}


def test_every_source_has_a_page_with_a_title(site):
    sources = {
        path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")
    }
    assert sources == set(site) - {"404.html"}
    for name, page in site.items():
        assert page.title.strip(), name
        assert len([heading for heading in page.headings if heading.strip()]) == 1, name


def test_no_include_is_unexpanded(site):
    for name, page in site.items():
        assert not re.search(r"--\s*8\s*<", "".join(page.text)), name


def test_every_line_of_an_included_file_is_on_the_page(site):
    found = 0
    for source in (ROOT / "docs").rglob("*.md"):
        name = source.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        for path, section in INCLUDE.findall(source.read_text(encoding="utf-8")):
            found += 1
            content = (ROOT / path).read_text(encoding="utf-8")
            if section:
                _, content = content.split(f"[start:{section}] -->")
                content, _ = content.split(f"<!-- --8<-- [end:{section}]")
            blocks = [content] if path.endswith(".py") else re.findall(r"^```\w+\n(.*?)^```", content, re.M | re.S)
            shown = "".join(site[name].text)
            for line in "".join(blocks).splitlines():
                assert line in shown, f"{name}: {line}"
            for heading in re.findall(r"^#+ (.*)$", content, re.MULTILINE) if path.endswith(".md") else ():
                assert heading in shown, f"{name}: {heading}"
    assert found >= 3


def test_every_example_block_of_a_source_is_on_its_page(site):
    for source in (ROOT / "docs").rglob("*.md"):
        shown = "".join(site[source.relative_to(ROOT / "docs").with_suffix(".html").as_posix()].text)
        for block in re.findall(r"^```(?:python|sh)\n(.*?)^```", source.read_text(encoding="utf-8"), re.M | re.S):
            assert block.strip() in shown, f"{source.name}: {block}"


def test_every_relative_link_and_anchor_exists(site):
    folder = next(iter(site.values())).path
    for _ in Path(next(iter(site))).parts:
        folder = folder.parent
    for name, page in site.items():
        for reference in page.references:
            url = urlsplit(reference)
            if url.scheme or url.netloc or name == "404.html":
                continue
            target = page.path if not url.path else (page.path.parent / unquote(url.path)).resolve()
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{name} refers to {reference}"
            if url.fragment and target.suffix == ".html":
                anchors = site[target.relative_to(folder.resolve()).as_posix()].anchors
                assert unquote(url.fragment) in anchors | {"__skip"}, f"{name} refers to {reference}"


def test_every_image_has_alternative_text(site):
    images = [(name, image) for name, page in site.items() for image in page.images]
    assert len(images) > 20
    for name, image in images:
        assert (image.get("alt") or "").strip() or image.get("aria-hidden"), f"{name}: {image}"


def test_nothing_is_loaded_from_another_server(site):
    for name, page in site.items():
        text = page.path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*\bsrc="(https?:[^"]+)"', text)
        loaded += re.findall(r'<link[^>]*\brel="(?:stylesheet|preload|icon)"[^>]*\bhref="(https?:[^"]+)"', text)
        assert not loaded, f"{name} loads {loaded}"
