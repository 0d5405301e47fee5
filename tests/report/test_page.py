"""A page is whole HTML that needs nothing from elsewhere and shows every text as it is."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from auxrnn.report.figures import draw_curves
from auxrnn.report.page import Cell, Figure, Page, Section, Table, figure_file, relative_link, render_page, write_page

VOID = {"meta", "link", "br", "hr", "img", "input"}
EVIL = "<script>alert('x')</script> & \"more\""


class Structure(HTMLParser):
    """Elements with their attributes, texts by element; every element must be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self, tag):
        return [text for name, text in self.texts if name == tag]


def figure(name="curves", caption="Curves.", label="LSTM"):
    return Figure(caption, draw_curves({label: [[(1, 2.0), (2, 3.0)]]}, title="t"), name)


def page(word="LSTM"):
    table = Table(
        f"Accuracy of {word}",
        ["model", "test, %"],
        [[Cell(word, f"note on {word}", "runs/a%20b"), Cell("66.1", strong=True)], ["GRU", "50"]],
        f"note below {word}",
    )
    sections = [
        Section(f"Results of {word}", [f"A paragraph on {word}."], [table]),
        Section(
            "Figures", (), (), [figure(caption=f"Curve of {word}", label=word), figure("again")], [f"train {word}"]
        ),
    ]
    return Page(f"Page of {word}", f"Lead on {word}", sections)


def test_the_box_comes_first_and_numbers_stay_with_their_unit():
    box = Section("Verdict", [f"Good: 90 % {EVIL}", "What it means."], commands=["auxrnn predict"])
    found = Structure(render_page(Page("t", "l", [Section("Results", ["r"])], box)))
    assert found.said("p")[:3] == ["l", f"Good: 90\u00a0% {EVIL}", "What it means."]
    assert found.said("code") == ["auxrnn predict"]
    assert {"class": "first", "role": "note", "aria-label": "Verdict"} in found.all("div")
    assert found.all("script") == []


def test_a_page_that_is_served_asks_for_news_and_links_to_no_figure_files():
    shown = Page("t", "l", [Section("Curves", (), (), [figure()])])
    whole, body = (Structure(render_page(shown, None, template=name)) for name in ("page", "body"))
    assert len(whole.all("script")) == 1
    assert whole.all("svg")
    assert [link["href"] for link in whole.all("a")] == []
    assert body.texts == [pair for pair in whole.texts if pair in body.texts]
    assert body.elements[0][0] == "header"


def test_structure():
    found = Structure(render_page(page()))
    assert found.said("title")[0] == "Page of LSTM"
    assert found.said("h1") == ["Page of LSTM"]
    assert found.said("h2") == ["Results of LSTM", "Figures"]
    assert found.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in found.all("meta")
    assert [entry["scope"] for entry in found.all("th")] == ["col", "col", "row", "row"]
    assert found.said("strong") == ["66.1"]
    assert found.said("small") == ["note on LSTM"]
    assert found.said("code") == ["train LSTM"]
    assert found.said("figcaption") == ["Curve of LSTM", "Curves."]
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in found.all("svg"))


def test_links_and_labels_lead_somewhere():
    found = Structure(render_page(page(), Path("x/table 2.html")))
    ids = [entry["id"] for _, entry in found.elements if "id" in entry]
    assert len(ids) == len(set(ids))
    for _, entry in found.elements:
        for name in ("aria-labelledby",):
            assert entry.get(name) is None or entry[name] in ids
    links = [entry["href"] for entry in found.all("a")]
    assert [link[1:] in ids for link in links if link.startswith("#")] == [True, True]
    assert "runs/a%20b" in links
    assert "figures/table%202-curves.png" in links
    assert "figures/table%202-again.svg" in links


def test_every_text_is_escaped():
    text = render_page(page(EVIL))
    found = Structure(text)
    assert found.all("script") == []
    assert "<script" not in text
    assert found.said("h1") == [f"Page of {EVIL}"]
    assert f"train {EVIL}" in found.said("code")


def test_nothing_comes_from_elsewhere():
    text = render_page(page())
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    found = Structure(text)
    assert [tag for tag, entry in found.elements if "src" in entry or tag in ("link", "script", "iframe")] == []


def test_light_and_dark():
    text = render_page(page())
    assert "@media (prefers-color-scheme: dark)" in text
    assert text.count("--series-1: ") == 2


def test_the_same_bytes_every_time(tmp_path):
    for name in ("a", "b"):
        write_page(tmp_path / name / "page.html", page())
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert [str(path) for path in files] == [
        "figures/page-again.png",
        "figures/page-again.svg",
        "figures/page-curves.png",
        "figures/page-curves.svg",
        "page.html",
    ]
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    write_page(path, Page("old", "", []))
    before = path.read_text()
    monkeypatch.setattr("os.replace", lambda *given: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_page(path, Page("new", "", []))
    assert path.read_text() == before
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_page_without_sections():
    found = Structure(render_page(Page("empty", "nothing yet")))
    assert found.all("nav") == []


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://x.org", "/etc/passwd", "//host/x"])
def test_a_link_leads_to_a_neighbour(link):
    with pytest.raises(ValueError, match="relative to the page"):
        Cell("a", link=link)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="expected 2 cells a row, got 1"):
        Table("t", ["a", "b"], [["x"]])
    with pytest.raises(ValueError, match="letters, digits and dashes"):
        figure("../x")
    with pytest.raises(ValueError, match="curves twice"):
        Page("", "", [Section("a", figures=[figure()]), Section("b", figures=[figure()])])


def test_links_to_run_folders(tmp_path):
    run = tmp_path / "runs" / "digits #1"
    run.mkdir(parents=True)
    assert relative_link(run, tmp_path / "report.html") == "runs/digits%20%231"
    assert relative_link(run, run / "report.html") == "."
    assert relative_link(run, tmp_path / "results" / "page.html") == "../runs/digits%20%231"
    assert figure_file(Path("x/table2.html"), figure()) == "figures/table2-curves"
