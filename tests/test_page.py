"""The page says what the tables say, asks nothing of a network, and escapes whatever it is given."""

import html
import html.parser
import json
import re
from dataclasses import replace

import pandas as pd
import pytest
import xarray as xr
from helpers import edit

from hlt_bayes.analysis import analyse
from hlt_bayes.audit import audit_evidence
from hlt_bayes.checks.run_checks import CheckTables
from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.display.comparison import comparison_table
from hlt_bayes.display.html import great_table, table_html
from hlt_bayes.display.impacts import impacts_table
from hlt_bayes.display.key_messages import answer, limits, message
from hlt_bayes.display.returns import returns_table
from hlt_bayes.display.table import Table
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.report.checklists import (
    ABSENT,
    ITEMS,
    MET,
    NOT_APPLICABLE,
    REASONS,
    Context,
    DrawsGroup,
    File,
    Recorded,
    Section,
    Stated,
    checklists,
    read_checklists,
    sections,
)
from hlt_bayes.report.page import _commands, _holds, page
from hlt_bayes.report.write import write_report
from hlt_bayes.results.manifest import read_manifest
from hlt_bayes.results.read import load_result
from hlt_bayes.results.write import write_result
from hlt_bayes.specs import load_impact_spec, load_individual_spec

pytestmark = pytest.mark.usefixtures("netcdf_read_here")


class Tags(html.parser.HTMLParser):
    """All tags of a page, its links, ids and words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.links += [value for name, value in attributes if name in {"src", "href"}]

    def handle_data(self, data):
        self.words.append(" ".join(data.split()))


def table_of(*rows, columns=("Group", "Mean"), title="Title", notes=()):
    return Table(title=title, columns=columns, rows=rows, notes=notes, frame=pd.DataFrame(rows, columns=columns))


def little(analysis):
    """What is asked of an analysis at no cost."""
    tables = {"diagnostics": analysis.diagnostics.rename_axis("quantity").reset_index()}
    if not analysis.evidence.is_user_data:
        tables["audit"] = audit_evidence(analysis.evidence)
    return CheckTables(tables=tables, why_not={"specs": "not asked for"}, labels={})


def page_of(analysis, folder, **kwargs):
    written = write_result(analysis, folder)
    defaults = {"folder": written, "manifest": read_manifest(written), "model": "mu ~ Normal"}
    return page(analysis, little(analysis), {"impacts": "<svg/>"}, **defaults | kwargs)


@pytest.fixture(scope="module")
def written(analysis, tmp_path_factory):
    return page_of(analysis, tmp_path_factory.mktemp("page") / "mine")


def test_the_page_holds_everything_and_asks_for_nothing(analysis, written):
    seen = Tags(written[0])
    assert all(link.startswith(("data:image/svg+xml;base64,", "#")) for link in seen.links)
    assert any(link.startswith("data:") for link in seen.links)
    policy = next(tag["content"] for name, tag in seen.tags if name == "meta" and "http-equiv" in tag)
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert all(tag["alt"] for name, tag in seen.tags if name == "img")
    for table in (
        impacts_table(analysis.impacts),
        returns_table(analysis.returns, analysis.prices),
        comparison_table(analysis.comparison),
    ):
        for row in table.rows:
            assert all(cell in seen.words for cell in row if cell)
    text = " ".join(seen.words)
    assert "Misprint of 0.09" in text
    assert "978-1-78659-516-4" in text
    assert "£46,642 to £51,510" in text


def test_links_inside_the_page_lead_somewhere_and_ids_are_one_each(written):
    tags = [tag for _, tag in Tags(written[0]).tags]
    ids = [tag["id"] for tag in tags if "id" in tag]
    assert len(ids) == len(set(ids))
    assert {tag["href"][1:] for tag in tags if tag.get("href", "").startswith("#")} <= set(ids)
    headers = {name for tag in tags for name in tag.get("headers", "").split()}
    assert headers
    assert headers <= set(ids)


def test_text_from_specs_and_evidence_is_escaped(drawn, evidence, primary, published, tmp_path):
    hostile = primary.model_copy(update={"title": "<script>alert(1)</script>"})
    analysis = analyse(drawn, evidence, hostile, published, seed=1)
    analysis = replace(
        analysis, comparison=analysis.comparison.assign(what_changed="</td><img src=x onerror=alert(1)>")
    )
    text, _ = page_of(analysis, tmp_path / "mine", model="<b>mu</b>")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "<img src=x" not in text
    assert "&lt;b&gt;mu" in text


def test_own_trials_are_reported_without_words_of_ours(drawn, primary, tmp_path):
    row = {"outcome": "health", "group": "Leeds", "estimate": "0.10", "unit": "SD", "se": "0.05"}
    mine = (
        drawn["posterior"]["impact"].isel(group=[0, 1]).assign_coords(group=["Leeds", "York"]).sel(outcome=["health"])
    )
    tree = xr.DataTree.from_dict({"posterior": mine.to_dataset(name="impact")})
    trials = evidence_of_rows([row, row | {"group": "York"}], name="my_trials.csv")
    text, worked_out = page_of(analyse(tree, trials, primary, None, seed=1), tmp_path / "mine")
    assert "Impacts of your trials" in text
    visible = text.split('<section id="assumptions">')[0]
    for word in ("WMCA", "SCR", "OOW", "£1", "survey", "13 or more", "12 months", "Placement"):
        assert word not in visible, word
    of_economics = worked_out[worked_out["checklist"] == "CHEERS 2022"]
    assert set(of_economics["status"]) == {NOT_APPLICABLE}
    assert "nothing is valued" in set(of_economics["why"])


def test_the_answer_is_made_of_the_posterior(analysis):
    said = " ".join(answer(analysis, little(analysis)))
    average = analysis.estimands.query("kind == 'average'").set_index("outcome")
    assert f"employment by {100 * average['mean']['employment']:.1f} ppt" in said
    assert f"earnings by £{average['mean']['earnings']:,.0f}" in said
    rows = analysis.returns.query("perspective == 'economic'").set_index("group")
    for group in ("SCR IW", "SCR OOW", "WMCA"):
        assert f"£{rows['published'][group]:.2f} in {group}" in said
        assert f"£{rows['mean'][group]:.2f}" in said
    people = analysis.evidence.arm_sizes("12-month survey sample").to_numpy().sum()
    assert f"{1 - people / analysis.evidence.arm_sizes('recruits').to_numpy().sum():.0%}" in said
    moved = replace(analysis, returns=analysis.returns.assign(mean=analysis.returns["mean"] + 0.5))
    assert answer(moved, little(moved)) != answer(analysis, little(analysis))


def test_a_first_column_that_repeats_itself_heads_its_rows():
    text = table_html(table_of(("Health", "A", "1"), ("Health", "B", "2"), columns=("Of", "Group", "Mean")), name="t7")
    assert text.count(">Health<") == 1
    assert 'scope="colgroup" id="t7-Health"' in text
    assert re.search(r'<th scope="row" id="t7-stub-1"[^>]*>A</th>', text)
    assert "<caption>Title</caption>" in text
    assert 'role="region" tabindex="0" aria-label="Title"' in text
    flat = table_html(table_of(("A", "1"), ("B", "2")), name="t7")
    assert 'scope="colgroup"' not in flat


def test_numbers_stand_to_the_right_and_words_to_the_left():
    rows = ("A", "-£1.20", "n/c", "1"), ("B", "3 ppt (2 to 4)", "", "of")
    text = table_html(table_of(*rows, columns=("", "x", "y", "z")), name="t")
    assert re.findall(r'<td [^>]*gt_(\w+)">', text) == ["right", "right", "left"] * 2


def test_tables_are_great_tables_in_a_notebook():
    shown = great_table(table_of(("A", "<b>1</b>"), notes=("a <i>note</i>",)))
    text = shown._repr_html_()
    assert "&lt;b&gt;1" in text
    assert "&lt;i&gt;note" in text


def test_sections_are_found_with_their_text():
    found = sections('<section id="a"><h2>Head</h2><p>One <b id="b">two</b></p><img src="x"></section><p id="c"></p>')
    assert found == {"a": "One two", "b": "two", "c": ""}


def test_an_item_is_met_by_what_is_there_and_missing_without_it(written, tmp_path):
    _, worked_out = written
    assert set(worked_out["status"]) == {MET, NOT_APPLICABLE, ABSENT}
    assert len(worked_out) == len(ITEMS)
    reasons = worked_out[worked_out["status"] == NOT_APPLICABLE]["why"]
    assert reasons.str.len().min() > 10
    assert (worked_out[worked_out["status"] != NOT_APPLICABLE]["where"].str.len() > 0).all()
    everything = dict.fromkeys(REASONS, True)
    nothing = checklists(Context(tmp_path, (), ""), everything)
    assert set(nothing["status"]) == {NOT_APPLICABLE, ABSENT}
    assert set(nothing[nothing["status"] == NOT_APPLICABLE]["item"]) == {item.number for item in ITEMS if item.never}


def test_artefacts_are_found_where_they_are(result_folder):
    groups = load_result(result_folder).draws.children
    context = Context(
        result_folder, groups, f'<section id="limits">{"x" * 50}</section><section id="empty"><h2>Head</h2></section>'
    )
    there = (
        File("impacts.csv", ("mean", "sd")),
        File("specs.json"),
        DrawsGroup("posterior"),
        Stated("impact", "priors"),
        Recorded("versions"),
        Section("limits"),
    )
    absent = (
        File("impacts.csv", ("median",)),
        File("power_scaling.csv"),
        DrawsGroup("prior"),
        Stated("impact", "moderators"),
        Stated("components", "discounting"),
        Recorded("colour"),
        Section("empty"),
        Section("impacts"),
    )
    assert [one.is_there(context) for one in there] == [True] * len(there)
    assert [one.is_there(context) for one in absent] == [False] * len(absent)


@pytest.mark.parametrize("content", [bytes(range(256)) * 10, b'a,b\n1,2,3,4\n1\n"x', b"", b"\0" * 100, b"sd\n1\n"])
def test_a_file_that_is_no_such_table_does_not_count_as_there(content, tmp_path):
    wanted, any_table = File("impacts.csv", ("mean",)), File("impacts.csv")
    (tmp_path / "impacts.csv").write_bytes(content)
    assert not wanted.is_there(Context(tmp_path, (), ""))
    (tmp_path / "impacts.csv").write_bytes(b"mean\n1\n")
    assert wanted.is_there(Context(tmp_path, (), ""))
    assert any_table.is_there(Context(tmp_path, (), ""))


def test_a_prior_without_its_reason_does_not_count_as_stated(analysis, result_folder):
    context = Context(result_folder, (), "")
    assert Stated("impact", "priors").is_there(context)
    file = result_folder / "specs.json"
    why = html.unescape(analysis.impact_spec.priors.mu["health"].why)
    file.write_text(file.read_text(encoding="utf-8").replace(f'"why": "{why}"', '"why": ""'), encoding="utf-8")
    assert not Stated("impact", "priors").is_there(context)


def test_nothing_is_said_of_pooling_where_there_is_none(analysis):
    alone = replace(analysis, impact_spec=load_impact_spec("no-pooling"))
    records = replace(analysis, individual_spec=load_individual_spec("records"))
    assert "impacts pooled" in " ".join(answer(analysis, little(analysis)))
    assert "due to pooling" in " ".join(message(analysis))
    for one in (alone, records):
        said = " ".join([*answer(one, little(one)), *message(one)])
        assert "pooled" not in said.lower()
        assert "pooling" not in said


def test_commands_are_those_of_shipped_specs_alone(analysis):
    tree = analysis.draws.copy()
    impact = tree["posterior"]["impact"].assign_attrs(engine="exact")
    tree["posterior"] = xr.DataTree(impact.to_dataset(name="impact"))
    ours = replace(analysis, draws=tree)
    run, report = _commands(ours)
    assert "--spec primary --moderators none --economics published --components none --engine exact --seed 1" in run
    assert report == "hlt-bayes report results/again"
    mine = ours.impact_spec.model_copy(update={"title": "of the same name"})
    assert _commands(replace(ours, impact_spec=mine)) == []
    assert _commands(analysis) == []


def test_own_trials_that_are_valued_are_not_said_to_be_valued_by_nothing(analysis):
    row = {"outcome": "health", "group": "Leeds", "estimate": "0.10", "unit": "SD", "se": "0.05"}
    own = replace(analysis, evidence=evidence_of_rows([row], name="my_trials.csv"))
    assert not any("nothing is valued" in limit for limit in limits(own))
    assert any("nothing is valued" in limit for limit in limits(replace(own, economic_spec=None)))


@pytest.mark.ci
def test_a_report_looks_for_what_its_manifest_records(analysis, tmp_path):
    groups, row = ["Leeds", "York"], {"outcome": "health", "estimate": "0.10", "unit": "SD", "se": "0.05"}
    evidence = evidence_of_rows([row | {"group": group} for group in groups], name="my_trials.csv")
    impact = analysis.draws["posterior"]["impact"].sel(outcome=["health"]).isel(group=[0, 1])
    impact = impact.assign_coords(group=groups)
    tree = xr.DataTree.from_dict({"posterior": impact.to_dataset(name="impact")})
    folder = write_result(analyse(tree, evidence, analysis.impact_spec, None, seed=1), tmp_path / "mine")
    write_report(folder)
    kept = read_checklists(folder)
    recorded = kept[kept["status"] != NOT_APPLICABLE]["where"].str.contains("manifest.json", regex=False)
    assert recorded.sum() >= 3
    assert (kept.loc[recorded[recorded].index, "status"] == MET).all()
    text = (folder / "report.html").read_text(encoding="utf-8")
    again = load_result(folder)
    assert kept.equals(checklists(Context(folder, set(again.draws.children), text), _holds(again)))


def test_a_table_that_was_edited_is_not_given_a_new_hash(result_folder):
    edit(result_folder / "impacts.csv", "employment", "earnings")
    before = {path.name: path.read_bytes() for path in result_folder.iterdir()}
    with pytest.raises(ResultFolderError, match=r"impacts.csv: changed since it was written"):
        write_report(result_folder)
    assert {path.name: path.read_bytes() for path in result_folder.iterdir()} == before


def test_priors_are_those_of_the_spec_that_made_the_draws(result_folder):
    file = result_folder / "specs.json"
    specs = json.loads(file.read_text(encoding="utf-8"))
    priors = Stated("fitted", "priors")
    assert priors.is_there(Context(result_folder, (), ""))
    file.write_text(json.dumps({**specs, "individual": {"name": "without"}}), encoding="utf-8")
    assert not priors.is_there(Context(result_folder, (), ""))
