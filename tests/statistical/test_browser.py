"""The whole report in a real browser: it works offline, its sliders agree with the package, everybody can use it."""

import json
import re
import shutil

import pandas as pd
import pytest
from explorer_by_package import returns_by_the_package
from helpers import README
from playwright.sync_api import sync_playwright

from hlt_bayes.analysis import analyse
from hlt_bayes.checks.run_checks import CheckTables
from hlt_bayes.core.vocabulary import GROUPS
from hlt_bayes.display.appraisal import component_returns_table
from hlt_bayes.economics import assumptions, quantity_label, tornado
from hlt_bayes.impacts.moderation import moderation_summary
from hlt_bayes.inference.fit import fit
from hlt_bayes.report.checklists import (
    ABSENT,
    ITEMS,
    MET,
    STANDS_FOR,
    Context,
    DrawsGroup,
    File,
    Recorded,
    Section,
    Stated,
    checklists,
)
from hlt_bayes.report.page import _holds, page
from hlt_bayes.report.write import write_report
from hlt_bayes.results.manifest import file_sha256, read_manifest
from hlt_bayes.results.read import load_result
from hlt_bayes.results.write import write_result
from hlt_bayes.specs import load_economic_spec, load_impact_spec

pytestmark = pytest.mark.ci

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")
WIDTHS = (400, 1400)


@pytest.fixture(scope="module")
def reported(evidence, primary, published, components, tmp_path_factory):
    """A whole result with its report, by the exact engine."""
    spec = load_impact_spec("moderators")
    moderation = moderation_summary(fit(spec, evidence, engine="exact"), spec)
    tree = fit(primary, evidence, engine="exact")
    analysis = analyse(tree, evidence, primary, published, seed=1, components=components, moderation=moderation)
    folder = write_result(analysis, tmp_path_factory.mktemp("reported") / "a result ü")
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(reported):
    return load_result(reported)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


class Opened:
    """A page in the browser, with all that it asked for and complained of."""

    def __init__(self, browser, folder, width):
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.asked, self.said = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.url = (folder / "report.html").as_uri()
        self.page.goto(self.url)
        self.page.wait_for_selector("#explorer-chart svg")

    def rows(self):
        cells = self.page.locator("#explorer tbody tr").all()
        return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in cells]

    def settle(self, before):
        """Wait until the explorer shows other rows than before, and then has stood still for half a second."""
        self.page.wait_for_function(
            """before => {
                const shown = document.querySelector("#explorer tbody").innerText;
                const now = shown + document.querySelector("#explorer-chart svg").outerHTML;
                if (now !== window.lastSeen) { window.lastSeen = now; window.stillSince = performance.now(); }
                return shown !== before && performance.now() - window.stillSince > 500;
            }""",
            arg=before,
            polling=100,
        )

    def text(self):
        return self.page.evaluate("document.querySelector('#explorer tbody').innerText")

    def move(self, **values):
        """Set controls by the beginning of their label."""
        before = self.text()
        for label, value in values.items():
            self.page.evaluate(
                """([label, value]) => {
                    const found = [...document.querySelectorAll("#explorer-sliders label")];
                    const control = found.find((one) => one.innerText.startsWith(label)).querySelector("input");
                    if (typeof value === "boolean") { control.checked = value; } else { control.value = value; }
                    control.dispatchEvent(new Event("input", {bubbles: true}));
                    control.dispatchEvent(new Event("change", {bubbles: true}));
                }""",
                [label.replace("_", " "), value],
            )
        self.settle(before)


@pytest.fixture
def opened(browser, reported, request):
    found = Opened(browser, reported, getattr(request, "param", 1400))
    yield found
    found.page.close()


def test_the_report_completes_the_folder(reported):
    names = {path.name for path in reported.iterdir()}
    listed = set(re.findall(r"(?:^\| |, )`(\w+\.\w+)`(?= \||,)", README.read_text("utf-8"), flags=re.MULTILINE))
    pictures = {f"{name}.{ending}" for name in ("impacts", "returns", "walk") for ending in ("png", "svg")}
    assert names == listed | pictures
    manifest = read_manifest(reported)
    assert set(manifest.outputs) == names - {"manifest.json"}
    assert all(file_sha256(reported / name) == digest for name, digest in manifest.outputs.items())
    again = load_result(reported)
    pd.testing.assert_frame_equal(
        again.appraisal.returns, pd.read_csv(reported / "appraisal.csv", dtype={"group": str}), check_dtype=False
    )


def test_a_report_is_made_again_alike(reported, tmp_path):
    folder = shutil.copytree(reported, tmp_path / "again")
    write_report(folder)
    before, after = (read_manifest(one).outputs for one in (reported, folder))
    assert before == after


def test_each_item_that_is_met_goes_missing_with_any_of_its_artefacts(reported, loaded, tmp_path):
    text, holds = (reported / "report.html").read_text(encoding="utf-8"), _holds(loaded)
    groups = set(loaded.draws.children)
    now = checklists(Context(reported, groups, text), holds).set_index(["checklist", "item"])
    assert (
        now.reset_index()
        .drop(columns="why")
        .equals(pd.read_csv(reported / "checklists.csv", dtype=str, keep_default_na=False).drop(columns="why"))
    )
    assert (now["status"] == MET).sum() > 45
    missing = now[now["status"] == ABSENT].reset_index()
    assert list(zip(missing["checklist"], missing["item"], strict=True)) == [
        ("CHEERS 2022", number) for number in ("4", "19", "21", "25", "27", "28")
    ]
    assert "In this report six items are" in README.read_text(encoding="utf-8")
    met = [item for item in ITEMS if now["status"][item.checklist, item.number] == MET]
    for artefact in dict.fromkeys(one for item in met for one in item.artefacts):
        without, page = _without(artefact, reported, tmp_path, text)
        left = groups - {artefact.group} if isinstance(artefact, DrawsGroup) else groups
        then = checklists(Context(without, left, page), holds).set_index(["checklist", "item"])["status"]
        for item in met:
            if artefact in item.artefacts:
                assert then[item.checklist, item.number] == ABSENT, (item.number, artefact)


def _without(artefact, reported, tmp_path, text):
    """Copy a result without one artefact; the draws, which are many, are linked."""
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    for path in reported.iterdir():
        (folder / path.name).symlink_to(path)
    match artefact:
        case File(name, _):
            (folder / name).unlink()
        case Stated(spec, key):
            kinds = json.loads((folder / "specs.json").read_text(encoding="utf-8"))
            kind = next(one for one in STANDS_FOR.get(spec, (spec,)) if one in kinds)
            _drop(folder / "specs.json", [kind, *key.split(".")])
        case Recorded(key):
            _drop(folder / "manifest.json", [key])
        case Section(name):
            text = text.replace(f'id="{name}"', 'id="other"')
    return folder, text


def _drop(file, keys):
    content = json.loads(file.read_text(encoding="utf-8"))
    node = content
    for key in keys[:-1]:
        node = node[key]
    del node[keys[-1]]
    file.unlink()
    file.write_text(json.dumps(content), encoding="utf-8")


@needs_chromium
@pytest.mark.parametrize("opened", WIDTHS, indirect=True)
def test_the_page_loads_without_an_error_or_a_request(opened):
    assert opened.said == []
    assert opened.asked == [opened.url]
    wide = opened.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= opened.page.viewport_size["width"]
    size = opened.page.evaluate("parseFloat(getComputedStyle(document.querySelector('td')).fontSize)")
    assert size >= 14


@needs_chromium
def test_at_the_start_the_explorer_is_the_reports_own_table(opened, loaded):
    table = component_returns_table(loaded.appraisal)
    shown = [row[1:] for row in table.rows if row[0] == "economic"]
    at = [table.columns.index(name) - 1 for name in ("Group", "Cost", "Benefits", "Ratio", "P(>£1)")]
    expected = [[row[position] for position in at] for row in shown if row[0] in GROUPS]
    assert opened.rows() == expected
    # The cells are written by the script, not left as the page came.
    opened.move(Value=0)
    assert opened.rows() != expected


@needs_chromium
@pytest.mark.parametrize("name", ["optimistic", "pessimistic", "cautious"])
def test_every_shipped_spec_of_components_starts_as_its_own_table(browser, drawn, evidence, primary, name, tmp_path):
    components, published = load_economic_spec(name), load_economic_spec("published")
    analysis = analyse(drawn, evidence, primary, published, seed=1, components=components)
    made_of = (analysis.draws, components, evidence)
    tables = {
        "diagnostics": analysis.diagnostics.rename_axis("quantity").reset_index(),
        "tornado": tornado(*made_of, seed=1),
        "assumptions": assumptions(analysis.appraisal.economics, *made_of),
    }
    labels = {key: quantity_label(key, components) for key in tables["tornado"]["quantity"].unique()}
    folder = write_result(analysis, tmp_path / name)
    checked = CheckTables(tables=tables, why_not={}, labels=labels)
    text, _ = page(analysis, checked, {}, folder=folder, manifest=read_manifest(folder), model="")
    (folder / "report.html").write_text(text, encoding="utf-8")
    found = Opened(browser, folder, 1400)
    shown = component_returns_table(analysis.appraisal)
    ratios = [row[shown.columns.index("Ratio")] for row in shown.rows if row[0] == "economic" and row[1] in GROUPS]
    assert [row[3] for row in found.rows()] == ratios
    found.move(Cost_per_head=50)
    assert [row[3] for row in found.rows()] != ratios
    assert found.said == []
    found.page.close()


LABELS = {
    "qaly": "Value_of_a_QALY",
    "years": "Duration_of_gains",
    "gained": "Non-respondents",
    "cost": "Cost_per_head",
    "people": "People_treated",
    "fixed": "Fixed_share",
    "starred_only": "Significance",
}
SETTINGS = {
    "qaly": {"qaly": 30000},
    "years": {"years": 8.5},
    "short": {"years": 1},
    "nobody": {"gained": 0},
    "some": {"gained": 0.25},
    "most": {"gained": 0.8},
    "cost": {"cost": 80},
    "people": {"people": 200, "fixed": 0.3},
    "filter": {"starred_only": True},
    "all": {"qaly": 100000, "years": 3, "gained": 1, "cost": 120, "starred_only": True},
}


@needs_chromium
@pytest.mark.parametrize("name", SETTINGS)
def test_a_slider_moves_the_figures_to_those_of_the_package(opened, loaded, name):
    picture = opened.page.locator("#explorer-chart svg").inner_html()
    opened.move(**{LABELS[signal]: value for signal, value in SETTINGS[name].items()})
    returns = returns_by_the_package(loaded, SETTINGS[name])
    for group, cost, benefit, ratio, prob in opened.rows():
        row = returns.loc[group]
        assert money(cost) == pytest.approx(row["cost_per_head_gbp"], abs=0.6)
        assert money(benefit) == pytest.approx(row["benefit_per_head_gbp"], abs=0.6)
        mean, low, _, high = ratio.replace("(", "").replace(")", "").split()
        assert money(mean) == pytest.approx(row["mean"], abs=0.0051)
        assert float(low) == pytest.approx(row["lower_89"], abs=0.0051)
        assert float(high) == pytest.approx(row["upper_89"], abs=0.0051)
        assert float(prob.strip("<>%")) == pytest.approx(100 * row["prob_above_one"], abs=1.01)
    # The figure follows, too; and what was not moved would not have passed.
    assert opened.page.locator("#explorer-chart svg").inner_html() != picture
    still = returns_by_the_package(loaded, {})
    assert (still["mean"] - returns["mean"]).abs().max() > 0.02


def money(text):
    return float(text.replace("£", "").replace(",", ""))


@needs_chromium
def test_sliders_are_moved_by_the_keyboard(opened):
    before, text = opened.rows(), opened.text()
    opened.page.locator("#explorer h2").click()
    reached = []
    for _ in range(20):
        opened.page.keyboard.press("Tab")
        reached.append(opened.page.evaluate("document.activeElement.closest('label')?.innerText ?? ''"))
        if reached[-1].startswith("Value of a QALY"):
            break
    else:
        pytest.fail(f"no slider among {reached}")
    opened.page.keyboard.press("ArrowRight")
    opened.settle(text)
    assert opened.rows() != before


def violations(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    return [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found.response["violations"]]


@needs_chromium
@pytest.mark.parametrize("opened", WIDTHS, indirect=True)
def test_the_page_meets_wcag_aa(opened):
    assert violations(opened.page) == []


@needs_chromium
def test_what_breaks_wcag_is_found(opened):
    opened.page.evaluate(
        """() => {
            document.querySelector("h1").style.color = "#aaa";
            document.querySelector("img").removeAttribute("alt");
            document.querySelector("#explorer-sliders input").closest("label").replaceWith(
                document.querySelector("#explorer-sliders input"));
        }"""
    )
    assert {"color-contrast", "image-alt", "label"} <= {name for name, _ in violations(opened.page)}


@needs_chromium
def test_it_prints(opened):
    printed = opened.page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    opened.page.emulate_media(media="print")
    assert not opened.page.locator("#explorer-sliders").is_visible()
    assert opened.page.locator("#explorer table").is_visible()
