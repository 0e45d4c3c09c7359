"""Somebody's own trials: what is wrong with a file is said with line and column; what is right is read."""

import csv
import io
import re
from statistics import NormalDist

import numpy as np
import pytest
from helpers import fill_block, invoked

from hlt_bayes.audit import audit_evidence
from hlt_bayes.core.errors import EvidenceError, HltBayesWarning, SpecError
from hlt_bayes.display.evidence import trials_csv
from hlt_bayes.evidence import evidence_of_rows, load_evidence
from hlt_bayes.evidence.own_trials import COLUMNS, MAX_ROWS
from hlt_bayes.inference.structures import build_model
from hlt_bayes.likelihood import recovered_se, reported_results

GOOD = {"outcome": "health", "group": "A", "estimate": "0.10", "unit": "SD", "n_treatment": "640", "n_control": "541"}


def write(tmp_path, rows, columns=None):
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(COLUMNS), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    path = tmp_path / "my_trials.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


WRONG = {
    "unknown star": ({"stars": "****"}, r"line 2, column 'stars': '\*\*\*\*' is unknown; allowed: '', 'none', '\*'"),
    "unknown outcome": ({"outcome": "helth"}, r"line 2, column 'outcome': 'helth'.*did you mean 'health'"),
    "no group": ({"group": " "}, r"line 2, column 'group': empty"),
    "name of a pooled row": ({"group": "All SCR"}, r"column 'group': 'All SCR' is reserved for pooled results"),
    "name that shows nothing": ({"group": "\u3164"}, r"column 'group': .* contains a character that shows nothing"),
    "name of an accent": ({"group": "\ufe0f"}, r"column 'group': .* shows nothing; use a name that can be read"),
    "very long name": ({"group": "A" * 201}, r"has 201 characters; use a name of at most 200"),
    "arm of nobody": ({"n_control": "0"}, r"line 2, column 'n_control': '0' given; must be 1 or more"),
    "half a person": ({"n_control": "0.5"}, r"column 'n_control': '0.5' given; must be a whole number"),
    "one arm": ({"n_control": ""}, r"line 2, column 'n_control': empty, but given for the other arm"),
    "interval elsewhere": ({"ci_lower": "0.2", "ci_upper": "0.4"}, r"column 'estimate': '0.10' lies outside its inter"),
    "interval upside down": ({"ci_lower": "0.4", "ci_upper": "0.2"}, r"column 'ci_lower': '0.4' is not below ci_upper"),
    "half an interval": ({"ci_lower": "0.05"}, r"column 'ci_lower': give both confidence limits"),
    "level of an interval": (
        {"ci_lower": "0", "ci_upper": "1", "ci_level": "0.95"},
        r"column 'ci_level': '0.95' given",
    ),
    "SE of 0": ({"se": "0"}, r"line 2, column 'se': '0' given; must be above 0"),
    "negative SE": ({"se": "-0.05"}, r"column 'se': '-0.05' given; must be above 0"),
    "negative SD": ({"sd": "-1"}, r"column 'sd': '-1' given; must be above 0"),
    "p above 1": ({"p": "1.2"}, r"column 'p': '1.2' given; must lie between 0 and 1"),
    "text for a number": ({"estimate": "small"}, r"line 2, column 'estimate': 'small' is not a valid number"),
    "comma for a point": (
        {"estimate": "0,10"},
        r"column 'estimate': '0,10' is not a valid number for this column; write it",
    ),
    "no number at all": ({"se": "n/a"}, r"column 'se': 'n/a' is not a valid number"),
    "wrong unit": ({"unit": "ppt"}, r"column 'unit': 'ppt' given; the unit of health must be 'SD'"),
    "events of health": ({"events_treatment": "3", "events_control": "4"}, r"'3' given; allowed only for employment"),
    "nothing of the SE": ({"n_treatment": "", "n_control": ""}, r"column 'se': no information on the standard error"),
    "no estimate": ({"estimate": ""}, r"column 'estimate': empty; give it, or events"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_field_is_named_with_line_and_column(tmp_path, case):
    change, message = WRONG[case]
    path = write(tmp_path, [GOOD | change])
    with pytest.raises(EvidenceError, match=message) as caught:
        load_evidence(path)
    assert all(line.startswith(f"{path}, line 2") for line in str(caught.value).splitlines())


EVENTS = {
    "outcome": "employment",
    "group": "B",
    "n_treatment": "162",
    "n_control": "164",
    "events_treatment": "72",
    "events_control": "62",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"events_treatment": "163"}, r"column 'events_treatment': 163 events in 162 people; check both"),
        ({"n_treatment": "", "n_control": ""}, r"column 'n_treatment': empty; required where events are given"),
        ({"stars": "*"}, r"column 'estimate': empty; stars need the published estimate"),
        ({"estimate": "300", "unit": "ppt"}, r"must lie between -100 and 100 ppt"),
        (
            {"estimate": "0.07", "unit": "proportion"},
            r"the unit of employment must be 'ppt' \(a proportion of 0\.03 is 3 ppt\)",
        ),
        ({"percent_treatment": "44", "percent_control": "100"}, r"column 'percent_control': '100' given"),
    ],
)
def test_wrong_events_are_named(tmp_path, change, message):
    with pytest.raises(EvidenceError, match=message):
        load_evidence(write(tmp_path, [EVENTS | change]))


def test_a_cell_stated_twice_and_a_group_in_two_places_are_named(tmp_path):
    rows = [GOOD | {"site": "north"}, GOOD | {"outcome": "wellbeing", "site": "south"}, GOOD | {"site": "north"}]
    with pytest.raises(EvidenceError) as caught:
        load_evidence(write(tmp_path, rows))
    assert "line 4: health of 'A' is already in line 2" in str(caught.value)
    assert "line 3, column 'site': 'south' given, but 'A' has site 'north' in an earlier line" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty; the first line must name the columns: outcome, group"),
        (b"\n\n", "empty; the first line"),
        (b"outcome,group,estimate,unit\n", "no trials; add one row per impact"),
        (
            b"outcome;group;estimate\nhealth;A;0.1\n",
            "one column 'outcome;group;estimate'; separate the columns by commas",
        ),
        (b"group,estimate\nA,0.1\n", "line 1: column 'outcome' is missing: one of employment"),
        (b"outcome,group\nhealth,A\n", "column 'estimate' is missing"),
        (b"outcome,group,estimat\nhealth,A,1\n", r"column 'estimat' is unknown.*did you mean 'estimate'"),
        (b"outcome,group,estimate,estimate\nhealth,A,1,1\n", "column 'estimate' appears twice"),
        (b"outcome,group,estimate,unit\nhealth,A\n", "line 2: 2 fields, but the first line names 4 columns"),
        (b'outcome,group,estimate,unit\nhealth,"A,0.1\n', "line 2: not CSV"),
        (
            "outcome,group,estimate\nhealth,Århus,1\n".encode("latin-1"),
            "byte 30 is not UTF-8; save the file as CSV in UTF",
        ),
        ("outcome,group,estimate\n".encode("utf-16"), "byte 0 is not UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, content, message):
    path = tmp_path / "my_trials.csv"
    path.write_bytes(content)
    with pytest.raises(EvidenceError, match=message) as caught:
        load_evidence(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EvidenceError, match=r"none\.csv: evidence file cannot be read \(No such file"):
        load_evidence(tmp_path / "none.csv")


def test_a_hundred_thousand_rows_are_refused_in_one_line_and_many_errors_are_counted(tmp_path):
    rows = [GOOD | {"group": f"G{i}"} for i in range(100_000)]
    with pytest.raises(EvidenceError, match=rf"100,000 rows; at most {MAX_ROWS:,} are allowed") as caught:
        load_evidence(write(tmp_path, rows))
    assert len(str(caught.value).splitlines()) == 1
    rows = [GOOD | {"group": f"G{i}", "se": "x"} for i in range(MAX_ROWS)]
    with pytest.raises(EvidenceError, match=rf"and {MAX_ROWS - 20:,} more") as caught:
        load_evidence(write(tmp_path, rows))
    assert len(str(caught.value).splitlines()) == 21


def test_as_many_rows_as_are_allowed_are_read_and_built(tmp_path, primary):
    path = write(tmp_path, [GOOD | {"group": f"G{i}"} for i in range(MAX_ROWS)])
    model = build_model(primary, load_evidence(path))
    assert len(model.coords["group"]) == MAX_ROWS


@pytest.mark.parametrize(
    ("printed", "bounds"),
    [
        ({"stars": "*"}, {"z_lower": 1.6449, "z_upper": 1.9600}),
        ({"stars": "none"}, {"z_lower": 0.0, "z_upper": 1.6449}),
        ({"stars": ""}, {"z_lower": 0.0, "z_upper": np.inf}),
        ({"p": "0.03"}, {"z_lower": 2.1084, "z_upper": 2.2414}),
        ({"p": "<0.001"}, {"z_lower": 3.2905, "z_upper": np.inf}),
        ({"p": ">0.1"}, {"z_lower": 0.0, "z_upper": 1.6449}),
        ({"p": "0.000"}, {"z_lower": 3.4808, "z_upper": np.inf}),
        ({"se": "0.05"}, {"se_lower": 0.045, "se_upper": 0.055}),
        ({"ci_lower": "0.00", "ci_upper": "0.20"}, {"se_lower": 0.19 / 3.91993, "se_upper": 0.21 / 3.91993}),
        (
            {"ci_lower": "0.00", "ci_upper": "0.20", "ci_level": "90"},
            {"se_lower": 0.19 / 3.28971, "se_upper": 0.21 / 3.28971},
        ),
        ({"stars": "*", "se": "0.064"}, {"lower": 1.6449 * 0.0635, "upper": 0.105}),
    ],
)
def test_whatever_is_printed_becomes_a_bound(primary, printed, bounds):
    cell = reported_results(evidence_of_rows([GOOD | printed], name="mine"), primary)
    for name, value in bounds.items():
        assert cell[name].item() == pytest.approx(value, abs=1e-4), name
    assert cell["design_se"].item() == pytest.approx(np.sqrt(1 / 640 + 1 / 541))


def z(p):
    return NormalDist().inv_cdf(1 - p / 2)


BY_REJECTION = {
    "SE": ({"se": "0.06"}, lambda _, s: (s > 0.055) & (s < 0.065)),
    "interval": (
        {"ci_lower": "0.00", "ci_upper": "0.20"},
        lambda _, s: (s > 0.19 / (2 * z(0.05))) & (s < 0.21 / (2 * z(0.05))),
    ),
    "exact p": ({"p": "0.09"}, lambda x, s: (x / s > z(0.095)) & (x / s < z(0.085))),
    "p below": ({"p": "<0.05"}, lambda x, s: x / s > z(0.05)),
    "star and SE": ({"stars": "*", "se": "0.06"}, lambda x, s: (s > 0.055) & (x / s > z(0.1)) & (x / s < z(0.05))),
}


@pytest.mark.parametrize("kind", BY_REJECTION)
def test_recovered_ses_of_other_prints_are_those_of_rejection_sampling(primary, kind):
    printed, agrees = BY_REJECTION[kind]
    rng = np.random.default_rng(4)
    x = rng.uniform(0.095, 0.105, 2_000_000)
    s = np.sqrt(1 / 640 + 1 / 541) * np.exp(rng.normal(0.05, 0.2, x.size))
    kept = s[agrees(x, s)]
    cells = reported_results(evidence_of_rows([GOOD | printed], name="mine"), primary)
    recovered = recovered_se(cells, [0.055, 0.5, 0.945]).isel(cell=0).sel(quantity="se")

    def off(draws):
        errors = [
            abs((draws < value).mean() - p) / np.sqrt(p * (1 - p) / draws.size)
            for p, value in zip(recovered["probability"].to_numpy(), recovered["quantile"].to_numpy(), strict=True)
        ]
        return max(errors)

    assert kept.size > 10_000
    assert off(kept) < 4
    # The twin that takes no notice of what is printed beside the estimate.
    assert off(s) > 20


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            GOOD | {"stars": "***", "se": "0.09"},
            r"health of A: the published values contradict each other: estimate '0.10 sd \*\*\*'",
        ),
        (GOOD | {"se": "0.05", "ci_lower": "-0.20", "ci_upper": "0.40"}, "contradict each other"),
        # Bounds that only touch: 1.645 SEs by the star, and by p but for a rounding error.
        (GOOD | {"stars": "*", "p": ">0.1"}, "SE between 1.64 and 1.64"),
        (GOOD | {"stars": "**", "p": ">0.05"}, "SE between 1.96 and 1.96"),
        (GOOD | {"stars": "none", "p": "<0.1"}, "SE between 1.64 and 1.64"),
        (GOOD | {"ci_lower": "0.09", "ci_upper": "0.50"}, "lies 1.8 standard errors from the middle of its interval"),
        (GOOD | {"se": "0.90"}, "imply a standard error of 0.895 to 0.905, but the sample sizes imply one near 0.0584"),
        (EVENTS | {"estimate": "-6.6", "unit": "ppt"}, "is far from the 6.6 ppt implied by the events"),
        (
            {"outcome": "health", "group": "A", "estimate": "0.1", "unit": "SD", "p": "<0.05"},
            "do not bound the standard error on both sides",
        ),
    ],
)
def test_what_contradicts_itself_or_bounds_nothing_is_named(primary, row, message):
    with pytest.raises(EvidenceError, match=message):
        reported_results(evidence_of_rows([row], name="mine"), primary)


def test_events_give_the_estimate_without_rounding_and_an_se_as_sure_as_they_are_many(primary):
    evidence = evidence_of_rows([EVENTS], name="mine")
    cell = reported_results(evidence, primary).isel(cell=0)
    assert cell["lower"].item() == cell["upper"].item() == pytest.approx(72 / 162 - 62 / 164)
    se = np.sqrt(72 / 162 * 90 / 162 / 162 + 62 / 164 * 102 / 164 / 164)
    assert np.exp(cell["log_se_mean"].item()) == pytest.approx(se, rel=0.01)
    assert evidence.impacts["text"].tolist() == ["72/162 v 62/164"]
    rng = np.random.default_rng(2)
    for arms in ((72, 162, 62, 164), (5, 20, 2, 20), (1, 30, 3, 30)):
        row = EVENTS | dict(
            zip(("events_treatment", "n_treatment", "events_control", "n_control"), map(str, arms), strict=True)
        )
        prior = reported_results(evidence_of_rows([row], name="mine"), primary).isel(cell=0)
        # SEs of the shares that a Beta(1, 1) prior leaves: an independent account of what so few events say.
        shares = [rng.beta(events + 1, people - events + 1, 200_000) for events, people in (arms[:2], arms[2:])]
        ses = np.sqrt(sum(p * (1 - p) / people for p, people in zip(shares, arms[1::2], strict=True)))
        assert prior["log_se_mean"].item() == pytest.approx(np.log(ses).mean(), abs=0.12)
        assert 0.6 < prior["log_se_sd"].item() / np.log(ses).std() < 2.5


def test_an_arm_without_an_event_has_an_se(primary):
    row = EVENTS | {"events_treatment": "0", "n_treatment": "3", "events_control": "1", "n_control": "1000"}
    cell = reported_results(evidence_of_rows([row], name="mine"), primary).isel(cell=0)
    assert np.exp(cell["log_se_mean"].item()) > 0.15
    assert cell["log_se_sd"].item() > 0.3
    nobody = EVENTS | {"events_treatment": "0", "events_control": "0"}
    evidence = evidence_of_rows([nobody, EVENTS | {"group": "C"}], name="mine")
    assert all(np.isfinite(value) for value in build_model(primary, evidence).point_logps().values())


@pytest.mark.parametrize(
    "printed", [{"p": "0.92"}, {"p": "0.92", "ci_lower": "-0.06", "ci_upper": "0.05"}, {"stars": "*"}]
)
def test_a_print_near_zero_bounds_its_se_and_leaves_its_sign_open(primary, printed):
    rows = [GOOD | {"estimate": "0.0"} | printed]
    cell = reported_results(evidence_of_rows(rows, name="mine"), primary).isel(cell=0)
    assert cell["z_lower"].item() == 0
    assert cell["lower"].item() < 0 < cell["upper"].item()
    assert np.isfinite(cell["se_upper"].item())


def test_more_that_is_printed_never_bounds_less(primary):
    row = {"outcome": "earnings", "group": "A", "estimate": "442", "unit": "GBP", "stars": "*"}
    alone = reported_results(evidence_of_rows([row], name="mine"), primary)
    sized = reported_results(evidence_of_rows([row | {"n_treatment": "90", "n_control": "80"}], name="mine"), primary)
    assert sized["log_se_mean"].item() == alone["log_se_mean"].item()


def test_levels_are_read_with_their_sign_and_commas_are_not_points():
    row = GOOD | {"ci_lower": "0.00", "ci_upper": "0.20", "ci_level": "90%"}
    assert evidence_of_rows([row], name="mine").impacts["ci_level"].tolist() == [0.9]
    for estimate in ("0,125", "10%", "0.10 ppt"):
        with pytest.raises(EvidenceError, match="is not a valid number for this column"):
            evidence_of_rows([GOOD | {"estimate": estimate}], name="mine")


def test_earnings_without_an_sd_are_asked_for_it(primary):
    row = {
        "outcome": "earnings",
        "group": "A",
        "estimate": "400",
        "unit": "GBP",
        "n_treatment": "90",
        "n_control": "80",
    }
    with pytest.raises(SpecError, match=r"earnings\.sd\.A' is missing.*column 'sd' of your own file"):
        reported_results(evidence_of_rows([row], name="mine"), primary)
    cell = reported_results(evidence_of_rows([row | {"sd": "7,000"}], name="mine"), primary)
    assert cell["design_se"].item() == pytest.approx(7000 * np.sqrt(1 / 90 + 1 / 80))


def test_our_impacts_in_the_format_of_the_file_are_the_same_evidence(tmp_path, evidence, primary):
    path = tmp_path / "template.csv"
    path.write_text(trials_csv(evidence), encoding="utf-8")
    mine = load_evidence(path)
    ours, theirs = reported_results(evidence, primary), reported_results(mine, primary)
    assert list(theirs["cell"].to_numpy()) == list(ours["cell"].to_numpy())
    for name in ours.data_vars:
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-12, err_msg=name)
    assert mine.sites == {"SCR IW": "SCR", "SCR OOW": "SCR", "WMCA": "WMCA"}
    assert mine.costs.empty
    assert mine.is_user_data


def test_the_audit_of_own_trials_names_the_line(tmp_path):
    rows = [GOOD | {"estimate": "0.9", "stars": "none"}, GOOD | {"group": "B", "source": "p. 7"}]
    findings = audit_evidence(load_evidence(write(tmp_path, rows)))
    assert findings["place"].tolist() == ["line 2"]
    assert "the absence of a star requires an SE of" in findings["arithmetic"].item()


def test_rows_that_are_no_text_are_refused():
    with pytest.raises(EvidenceError, match=r"'estimate': 0\.1 given; write it as text with all its digits"):
        evidence_of_rows([GOOD | {"estimate": 0.1}], name="mine")
    with pytest.raises(EvidenceError, match=r"column 'estimat' is unknown"):
        evidence_of_rows([GOOD | {"estimat": "0.1"}], name="mine")


def test_the_readme_lists_the_columns(request):
    lines = ["| column | what it holds |", "| --- | --- |"]
    lines += [f"| `{name}` | {what} |" for name, what in COLUMNS.items()]
    fill_block("columns", "\n".join([*lines, ""]).replace("*", r"\*"), write=request.config.getoption("--golden"))


ZURICH = "Zürich", "Zu\u0308rich"


def test_one_name_in_two_spellings_is_one_trial(tmp_path):
    rows = [f"health,{name},0.{20 + 2 * place},SD,0.05" for place, name in enumerate(ZURICH)]
    (tmp_path / "mine.csv").write_text("\n".join(["outcome,group,estimate,unit,se", *rows]), encoding="utf-8")
    with pytest.raises(EvidenceError, match="line 3: health of 'Zürich' is already in line 2; keep one"):
        load_evidence(tmp_path / "mine.csv")
    fields = {"outcome": "health", "estimate": "0.10", "unit": "SD", "se": "0.05"}
    with pytest.raises(EvidenceError, match="line 2: health of 'Zürich' is already in line 1"):
        evidence_of_rows([{**fields, "group": name} for name in ZURICH], name="mine.csv")


@pytest.mark.parametrize(
    "names", [("Leeds", "LEEDS"), ("New York", "New  York"), ("Strasse", "Straße"), ("A1", "\uff211")]
)
def test_names_that_are_nearly_one_are_pointed_at(names):
    fields = {"outcome": "health", "estimate": "0.10", "unit": "SD", "se": "0.05"}
    with pytest.warns(HltBayesWarning, match=r"mine\.csv: group .* differ only by case or spaces and count as two"):
        evidence = evidence_of_rows([{**fields, "group": name} for name in names], name="mine.csv")
    assert evidence.groups == names


def test_names_that_are_nearly_one_are_a_note_of_the_command_line(tmp_path):
    rows = ["outcome,group,estimate,unit,se", "health,Leeds,0.10,SD,0.05", "health,LEEDS,0.20,SD,0.05"]
    (tmp_path / "mine.csv").write_text("\n".join(rows), encoding="utf-8")
    result = invoked("compare", "--evidence", tmp_path / "mine.csv", "--json")
    assert result.exit_code == 0
    assert re.search(r"^hlt-bayes: note: .*'LEEDS' and 'Leeds' differ only by case", result.stderr, flags=re.MULTILINE)


INVISIBLE = {
    "A\x1b[31m": r"contains a control character \(U\+001B\); remove it",
    "A\u202eB": r"contains an invisible formatting character \(U\+202E\)",
    "A\u200bB": r"contains an invisible formatting character \(U\+200B\)",
    "A\u2028B": r"contains a line break",
    '"A\nB"': r"has a line break; write it on one line",
}
NOT_READ_BACK = {
    "NA": r"'NA' would be read as a missing value by other software; use another name",
    "null": r"would be read as a missing value",
    "007": r"'007' would be read as a number, and changed, by other software",
    "1e5": r"would be read as a number",
}


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        *(("group", text, message) for text, message in (INVISIBLE | NOT_READ_BACK).items()),
        *((column, text, message) for column in ("source", "site") for text, message in INVISIBLE.items()),
    ],
)
def test_what_does_not_print_or_come_back_is_no_name(column, text, message, tmp_path):
    fields = {"outcome": "health", "group": "A", "estimate": "0.10", "unit": "SD", "se": "0.05", column: text}
    content = f"{','.join(fields)}\n{','.join(fields.values())}\n"
    (tmp_path / "mine.csv").write_text(content, encoding="utf-8")
    with pytest.raises(EvidenceError, match=rf"column '{column}': .*{message}"):
        load_evidence(tmp_path / "mine.csv")


def test_a_million_columns_are_refused_at_once(tmp_path):
    (tmp_path / "mine.csv").write_text(",".join(["x"] * 1_000_000) + "\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="1,000,000 columns; at most 100 are read"):
        load_evidence(tmp_path / "mine.csv")
    (tmp_path / "mine.csv").write_text(",".join(f"c{i}" for i in range(1_000_000)) + "\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"has [\d,]+ bytes; at most 5,000,000 are read"):
        load_evidence(tmp_path / "mine.csv")
