"""Specs are read strictly, and a wrong one is refused with file, key, value and what is allowed."""

import hashlib
import math
import shutil
import typing
from statistics import NormalDist

import pydantic
import pytest
from helpers import edit
from scipy import integrate, special, stats

import hlt_bayes.specs.economic
import hlt_bayes.specs.impact
import hlt_bayes.specs.load
from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.vocabulary import OUTCOMES, POOLED_GROUPS, REPORTED_GROUPS
from hlt_bayes.inference.structures import STRUCTURES
from hlt_bayes.meta import load_meta_spec
from hlt_bayes.specs import load_economic_spec, load_impact_spec, shipped_specs, spec_path, stated_figures
from hlt_bayes.specs.impact import KEYS_OF_STRUCTURES
from hlt_bayes.specs.priors import Sourced

PRIORS = {
    "employment": ("Normal(0, 0.05)", "HalfNormal(0.03)"),
    "earnings": ("Normal(0, 600)", "HalfNormal(300)"),
    "health": ("Normal(0, 0.15)", "HalfNormal(0.08)"),
    "wellbeing": ("Normal(0, 0.15)", "HalfNormal(0.08)"),
}

ERRORS_THAT_CANNOT_BE = "".join(
    f'[[joint.errors]]\noutcomes = ["{first}", "{second}"]\nvalue = {value}\n'
    'unit = "correlation"\nwhy = "w"\nsource = "s"\n'
    for first, second, value in (
        ("employment", "earnings", 0.9),
        ("earnings", "health", 0.9),
        ("employment", "health", -0.9),
    )
)

WRONG_IMPACT = {
    "negative scale": (
        "sd = 0.05",
        "sd = -0.05",
        r"'priors\.mu\.employment\.sd': -0\.05 given; must be above 0",
    ),
    "not a number": ("sd = 0.05", "sd = nan", r"'priors\.mu\.employment\.sd': nan given"),
    "a truth value": ("sd = 0.05", "sd = true", r"'priors\.mu\.employment\.sd': True given"),
    "unknown key": ("sd = 0.05", "sd = 0.05\nsdd = 1.0", r"'priors\.mu\.employment\.sdd'.*did you mean 'sd'\?"),
    "missing key": ("mean = 0.0\n", "", r"key 'priors\.mu\.employment\.mean' is missing"),
    "unknown family": ('"normal"', '"norml"', r"'priors\.mu\.employment\.family': 'norml'.*'half-normal'"),
    "no family": ('family = "normal"\n', "", r"key 'priors\.mu\.employment\.family' is missing"),
    "SE ratio beyond reason": ("sd = 0.2\n", "sd = 200.0\n", r"'standard_error\.log_ratio\.sd': 200\.0 given"),
    "vanishing scale": ("sd = 0.05", "sd = 1e-300", r"1e-300 given"),
    "draws without end": ("draws = 2000", "draws = 99999999999999", r"'sampling\.draws': 99999999999999 given"),
    "family without the support": ("HALF", "", r"'priors\.tau\.employment\.family': 'normal'"),
    "misspelt outcome": ("[priors.mu.earnings]", "[priors.mu.earning]", r"'earning'.*did you mean 'earnings'\?"),
    "group without a figure": ('rates."SCR IW"]', 'rates."SCR IW"]\nextra = 1', r"'extra' is unknown"),
    "unknown structure": ('"pooled"', '"poold"', r"'structure': 'poold'.*did you mean 'pooled'\?"),
    "wrong unit": ('unit = "proportion"', 'unit = "ppt"', r"'ppt' given; employment must be in 'proportion'"),
    "text for a number": ("draws = 2000", 'draws = "2000"', r"'sampling\.draws': '2000' given"),
    "one chain": ("chains = 4", "chains = 1", r"'sampling\.chains': 1 given"),
    "outcome without priors": (
        '"health", "wellbeing"]',
        '"health"]',
        r"priors\.mu\.wellbeing': 'wellbeing' is not in outcomes",
    ),
    "not TOML": ("name =", "name = =", r"not TOML"),
}


def write(tmp_path, kind, name):
    return shutil.copy(spec_path(name, kind), tmp_path / "mine.toml")


@pytest.mark.parametrize("case", WRONG_IMPACT)
def test_a_wrong_impact_spec_is_refused(tmp_path, case):
    old, new, message = WRONG_IMPACT[case]
    path = write(tmp_path, "impact", "primary")
    if old == "HALF":
        edit(
            path,
            '[priors.tau.employment]\nfamily = "half-normal"',
            '[priors.tau.employment]\nfamily = "normal"\nmean = 0.0',
        )
    else:
        edit(path, old, new)
    with pytest.raises(SpecError, match=message) as caught:
        load_impact_spec(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())


WRONG_STRUCTURE = {
    "a table that the structure does not use": (
        "primary",
        'structure = "complete-pooling"',
        r"key 'priors\.tau': structure 'complete-pooling' does not use it .*without = \['priors\.tau'\]",
    ),
    "a table that the structure needs": ("primary", 'structure = "sites"', r"key 'priors\.site' is missing; structure"),
    "a key left out that is not there": (
        "primary",
        'without = ["priors.taw"]',
        r"key 'without': 'priors\.taw' is not in the spec",
    ),
    "what is left out is no list": ("primary", 'without = "priors.tau"', r"key 'without': .* must be a list of keys"),
    "a site without a value": (
        "moderators",
        "WITHOUT moderators.caseload.values.WMCA",
        r"key 'moderators\.caseload\.values': no value for site 'WMCA'.*method 'normal' or 'interval'",
    ),
    "one value where there are two sites": (
        "moderators",
        "WITHOUT moderators.employer_time.values.SCR",
        r"moderators\.employer_time\.values",
    ),
    "an interval that ends before it begins": (
        "moderators",
        '[moderators.caseload.values.SCR]\nmethod = "interval"\nlower = 26.0\nupper = 18.0\n'
        'unit = "u"\nwhy = "w"\nsource = "s"',
        r"lower 26 is not below upper 18; use 'printed' for a single value",
    ),
    "a step of nothing": (
        "moderators",
        "[moderators.caseload]\nper = 0.0",
        r"'moderators\.caseload\.per': 0\.0 given; must be above 0",
    ),
    "no distribution": (
        "primary",
        '[priors.mu.health]\nfamily = "cauchy-ish"',
        r"'priors\.mu\.health\.family': 'cauchy-ish' is unknown; allowed: 'normal', 'half-normal', 'student-t'",
    ),
    "parts of a mixture that do not match": (
        "primary",
        '[priors.mu.health]\nfamily = "normal-mixture"\nweights = [1.0]\nmeans = [0.0, 1.0]\nsds = [1.0]\n'
        'unit = "SD of EQ-5D-5L"\nwhy = "w"\nsource = "s"',
        r"1 weights, 2 means and 1 sds given",
    ),
    "an outcome correlated with itself": (
        "joint",
        '[[joint.errors]]\noutcomes = ["health", "health"]\nvalue = 0.5\nunit = "correlation"\nwhy = "w"\nsource = "s"',
        r"'joint\.errors\[1\]\.outcomes': an outcome is paired with itself",
    ),
    "no correlation matrix": ("joint", ERRORS_THAT_CANNOT_BE, r"'joint\.errors': not a correlation matrix"),
    "an engine that is none": ("primary", '[sampling]\nengine = "exat"', r"'exat' is unknown.*did you mean 'exact'"),
}


@pytest.mark.parametrize("case", WRONG_STRUCTURE)
def test_a_spec_that_cannot_be_fitted_is_refused_at_reading(tmp_path, case):
    base, text, message = WRONG_STRUCTURE[case]
    path = tmp_path / "mine.toml"
    without = f'without = ["{text.removeprefix("WITHOUT ")}"]' if text.startswith("WITHOUT") else ""
    body = without or text
    head = f'based_on = "{base}"\nname = "mine"\ntitle = "Mine"\n'
    path.write_text(f"{head}{body}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=message) as caught:
        load_impact_spec(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())


@pytest.mark.parametrize("name", shipped_specs("impact"))
def test_every_shipped_spec_reads_and_bears_its_name(name):
    spec = load_impact_spec(name)
    assert spec.name == name
    for key, figure in stated_figures(spec):
        assert figure.why, key
        assert figure.source, key


def test_no_pooling_gives_a_group_the_prior_that_it_has_when_pooled(primary):
    spec = load_impact_spec("no-pooling")
    assert spec.priors.tau is None
    for outcome, prior in spec.priors.mu.items():
        mu, tau = primary.priors.mu[outcome].sd, primary.priors.tau[outcome].sd
        assert prior.sd == pytest.approx(math.hypot(mu, tau), rel=0.005)
        assert f"{mu:g}² + {tau:g}²" in prior.why


def test_moderators_state_what_the_ledger_prints(evidence):
    """Each printed number of the moderators is a row of the ledger."""
    spec = load_impact_spec("moderators")
    ledger = evidence.ledger
    printed = ledger[ledger["place"].isin(["Section 3.3.1", "Section 3.3.2", "Section 3.3.3", "Section 3.4.2"])]
    values = set(printed["value"])
    caseload = spec.moderators["caseload"].values
    assert {caseload["WMCA"].lower, caseload["SCR"].upper} == {10, 26} <= values
    assert caseload["WMCA"].upper == caseload["SCR"].lower == (10 + 26) / 2
    assert {14, 8, 10, 31, 30, 73, 68} <= values
    short = spec.moderators["short_meetings"].values["WMCA"]
    ends = [1 - (8 + shift) / (14 + other) for shift in (-0.5, 0.5) for other in (-0.5, 0.5)]
    assert short.lower == pytest.approx(min(ends), abs=0.005)
    table = ledger[ledger["place"] == "Table 6.6"]
    assert short.upper > max(ends)
    assert not table.empty


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[perspectives.financial]", "[perspectives.fiscal]", r"'fiscal' is unknown; allowed: 'financial', 'economic'"),
        ('outcome = "health"', 'outcome = "helth"', r"'helth'.*did you mean 'health'\?"),
        ('"All OOW"]', '"All OWO"]', r"'All OWO'.*did you mean 'All OOW'\?"),
        ('returns_are = "gross"', 'returns_are = "net"', r"'net' is unknown; allowed: 'gross'"),
    ],
)
def test_a_wrong_economic_spec_is_refused(tmp_path, old, new, message):
    path = write(tmp_path, "economic", "published")
    edit(path, old, new)
    with pytest.raises(SpecError, match=message):
        load_economic_spec(path)


def test_all_errors_of_a_file_come_at_once(tmp_path):
    path = write(tmp_path, "impact", "primary")
    edit(path, "sd = 0.05", "sd = -0.05")
    edit(path, "draws = 2000", "draws = 0")
    with pytest.raises(SpecError) as caught:
        load_impact_spec(path)
    assert len(str(caught.value).splitlines()) == 2


def test_unknown_and_missing_specs_are_named(tmp_path):
    with pytest.raises(
        SpecError, match=r"impact spec 'primry' is unknown; allowed: .*'primary', 'sites'; did you mean 'primary'\?"
    ):
        load_impact_spec("primry")
    with pytest.raises(SpecError, match=r"none\.toml: cannot be read \(No such file"):
        load_economic_spec(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    with pytest.raises(SpecError, match="byte 0 is not UTF-8"):
        load_impact_spec(tmp_path / "binary.toml")


def test_shipped_specs_are_found_in_a_wheel_before_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "hlt_bayes"
    shutil.copytree(spec_path("primary", "impact").parents[1], package / "_models")
    monkeypatch.setattr(hlt_bayes.specs.load, "__file__", str(package / "specs/load.py"))
    assert spec_path("primary", "impact").is_relative_to(package / "_models")
    (package / "_models").rename(tmp_path / "models")
    assert spec_path("primary", "impact") == tmp_path / "models/impact/primary.toml"
    (tmp_path / "models").rename(tmp_path / "gone")
    with pytest.raises(SpecError, match="shipped specs are missing"):
        spec_path("primary", "impact")


def test_a_spec_is_frozen_and_its_fingerprint_follows_its_content(tmp_path, primary):
    path = write(tmp_path, "impact", "primary")
    edit(path, "# mu:", "# Another remark.\n# mu:")
    assert load_impact_spec(path).fingerprint == primary.fingerprint
    edit(path, "sd = 0.05", "sd = 0.06")
    assert load_impact_spec(path).fingerprint != primary.fingerprint
    with pytest.raises(pydantic.ValidationError):
        primary.name = "other"


def test_the_primary_priors_are_those_that_were_agreed(primary):
    for outcome, (mu, tau) in PRIORS.items():
        assert (str(primary.priors.mu[outcome]), str(primary.priors.tau[outcome])) == (mu, tau)
    assert str(primary.standard_error.log_ratio) == "Normal(0.05, 0.2)"
    assert {group: sd.value for group, sd in primary.standard_error.design["earnings"].sd.items()} == {
        "SCR IW": 9000,
        "SCR OOW": 6000,
        "WMCA": 5200,
    }


def test_the_assumed_employment_rate_matters_as_little_as_its_reason_says(primary):
    stated = primary.standard_error.design["employment"].rates["SCR IW"]
    assert "under a tenth" in stated.why

    def se(control):
        treatment = control + (stated.treatment - stated.control)
        return math.sqrt(treatment * (1 - treatment) + control * (1 - control))

    assert all(abs(se(control) / se(stated.control) - 1) < 0.1 for control in (0.70, 0.80))


def test_reasons_of_priors_say_the_numbers_of_the_priors(primary):
    mu, tau = primary.priors.mu, primary.priors.tau
    for why, twice in (
        (mu["employment"].why, f"{200 * mu['employment'].sd:g} ppt (two prior SDs)"),
        (mu["earnings"].why, f"GBP {2 * mu['earnings'].sd:,.0f} a head (two prior SDs)"),
        (mu["health"].why, f"{2 * mu['health'].sd:g} SD (two prior SDs)"),
        (mu["wellbeing"].why, f"{2 * mu['wellbeing'].sd:g} SD"),
        (tau["employment"].why, f"{200 * tau['employment'].sd:g} ppt (two prior SDs)"),
    ):
        assert twice in why
    assert "10 ppt more people each earning GBP 12,000 more" in mu["earnings"].why
    assert pytest.approx(2 * mu["earnings"].sd) == 0.10 * 12_000


def test_every_stated_figure_has_unit_reason_and_source(primary, published):
    found = [figure for spec in (primary, published) for _, figure in stated_figures(spec)]
    assert len(found) == 8 + 1 + 1 + 3 + 2 + 2
    assert all(figure.why and figure.source for figure in found)
    assert sum(isinstance(figure, Sourced) and bool(figure.unit) for figure in found) == 15


def test_specs_name_the_outcomes_and_groups_of_the_vocabulary():
    assert typing.get_args(hlt_bayes.specs.impact.OutcomeName) == tuple(OUTCOMES)
    assert typing.get_args(hlt_bayes.specs.economic.ReportedGroupName) == REPORTED_GROUPS


def test_every_structure_that_a_spec_may_name_is_registered():
    allowed = typing.get_args(hlt_bayes.specs.impact.ImpactSpec.model_fields["structure"].annotation)
    assert set(STRUCTURES) == set(allowed) == set(KEYS_OF_STRUCTURES)


def test_a_spec_may_say_only_how_it_differs_from_another(tmp_path, primary):
    path = tmp_path / "mine.toml"
    path.write_text(
        'based_on = "primary"\nname = "mine"\ntitle = "Mine"\n[priors.mu.employment]\nsd = 0.06\n', encoding="utf-8"
    )
    with pytest.raises(SpecError, match=r"'priors\.mu\.employment\.why' is missing"):
        load_impact_spec(path)
    path.write_text(path.read_text(encoding="utf-8") + 'why = "Wider."\nsource = "assumption"\n', encoding="utf-8")
    mine = load_impact_spec(path)
    assert (mine.name, mine.priors.mu["employment"].sd) == ("mine", 0.06)
    assert mine.priors.mu["employment"].unit == primary.priors.mu["employment"].unit
    assert mine.priors.tau == primary.priors.tau
    assert mine.fingerprint != primary.fingerprint
    other = tmp_path / "other.toml"
    other.write_text('based_on = "mine.toml"\nname = "other"\n', encoding="utf-8")
    assert load_impact_spec(other).priors == mine.priors


def test_a_table_of_another_family_replaces_the_one_below(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'based_on = "primary"\n[priors.mu.employment]\nfamily = "half-normal"\nsd = 1.0\n', encoding="utf-8"
    )
    with pytest.raises(SpecError, match=r"'priors\.mu\.employment\.unit' is missing"):
        load_impact_spec(path)


def test_a_file_is_based_on_a_few_others_at_most(tmp_path):
    for number in range(30):
        (tmp_path / f"{number}.toml").write_text(f'based_on = "{number + 1}.toml"\n', encoding="utf-8")
    with pytest.raises(SpecError, match=r"key 'based_on': based on more than 20 files, one on the other: merge them"):
        load_impact_spec(tmp_path / "0.toml")


@pytest.mark.parametrize("key", [".".join("a" * 100_000), '"a" . ' * 50_000 + "a", "[" + ".".join("a" * 100_000) + "]"])
def test_a_key_of_very_many_parts_is_refused_before_it_is_read(tmp_path, key):
    path = tmp_path / "mine.toml"
    path.write_text(f"{key}\n" if key.startswith("[") else f"{key} = 1\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"tables or lists nested more than 30 deep"):
        load_impact_spec(path)
    path.write_text(f'title = "{key[:2000].replace(chr(34), chr(39)).lstrip("[")}"\n', encoding="utf-8")
    with pytest.raises(SpecError, match=r"key 'name' is missing"):
        load_impact_spec(path)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ('"primry"', r"impact spec 'primry' is unknown.*did you mean 'primary'"),
        ('"mine.toml"', r"key 'based_on': circular: "),
        ("3", r"key 'based_on': 3 given; it must be the name of a spec"),
    ],
)
def test_a_base_that_cannot_be_is_refused(tmp_path, base, message):
    path = tmp_path / "mine.toml"
    path.write_text(f"based_on = {base}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=message):
        load_impact_spec(path)


def test_pooled_rows_differs_from_primary_in_nothing_else(primary):
    spec = load_impact_spec("pooled-rows")
    assert spec.model_copy(update={"name": primary.name, "title": primary.title, "pooled_rows": None}) == primary
    assert primary.pooled_rows is None


def test_the_reasons_of_pooled_rows_state_true_numbers(evidence):
    weight = load_impact_spec("pooled-rows").pooled_rows.weight
    impacts = evidence.impacts.set_index(["outcome", "group"])["estimate"]

    def implied(outcome, pooled, first, second, shift=0.0):
        a, b = impacts[outcome, first], impacts[outcome, second]
        return (impacts[outcome, pooled] + shift - b) / (a - b)

    ses = [implied("earnings", "All SCR", "SCR IW", "SCR OOW"), implied("earnings", "All OOW", "SCR OOW", "WMCA")]
    assert f"{ses[0]:.2f} and {ses[1]:.2f} (earnings)" in weight.why
    ends = [implied("employment", "All SCR", "SCR IW", "SCR OOW", shift) for shift in (-0.005, 0.005)]
    assert f"{ends[0]:.1f} to {ends[1]:.1f} (employment)" in weight.why
    people = evidence.arm_sizes("recruits").sum(axis=1)
    shares = [people[first] / (people[first] + people[second]) for first, second in POOLED_GROUPS.values()]
    assert f"shares of recruits are {shares[0]:.2f} and {shares[1]:.2f}" in weight.why
    ends = [1 / (1 + math.exp(-(weight.mean + sign * 1.96 * weight.sd))) for sign in (-1, 1)]
    assert f"between {ends[0]:.2f} and {ends[1]:.2f}" in weight.why


def test_the_reasons_of_the_trials_model_state_true_numbers():
    spec = load_meta_spec("ips")
    priors = spec.priors
    assert f"beyond {math.exp(2 * priors.mu.sd):.1f}" in priors.mu.why
    assert f"half of the prior lies below {0.6745 * priors.tau.sd:.2f}" in priors.tau.why
    assert f"beyond {2 * priors.tau.sd:g} (two prior SDs)" in priors.tau.why
    assert math.exp(2 * 1.96 * 2 * priors.tau.sd) == pytest.approx(50, rel=0.01)
    control = priors.control_logit
    ends = [1 / (1 + math.exp(-(control.mean + sign * 1.96 * control.sd))) for sign in (-1, 1)]
    assert f"between {ends[0]:.0%} and {ends[1]:.0%}" in control.why
    assert 2 * spec.wide.sd == 0.5
    assert spec.wide.weight == 0.2
    wide = NormalDist(spec.wide.mean, spec.wide.sd)
    assert f"({wide.cdf(-0.18) + 1 - wide.cdf(0.82):.0%} at a control rate of 18%)" in spec.wide.why


def mean_and_variance(value):
    if value.method == "interval":
        return (value.lower + value.upper) / 2, (value.upper - value.lower) ** 2 / 12
    return (value.value, 0.0) if value.method == "printed" else (value.mean, value.sd**2)


def test_the_reasons_of_the_family_state_true_numbers():
    slope = load_impact_spec("moderators").priors.slope
    for outcome, prior in slope.items():
        scale = OUTCOMES[outcome].display_scale
        said = f"{2 * prior.sd * scale:g} {OUTCOMES[outcome].display_unit}".replace("400 £", "GBP 400")
        assert f"less than {said} (twice this SD)" in prior.why
    # A slope is the product of two normals, with a density of K0 / pi.
    share = 2 / math.pi * integrate.quad(special.k0, 0, 2)[0]
    assert all(f"probability of {share:.0%}".replace("%", " %") in prior.why for prior in slope.values())
    joint = load_impact_spec("joint").joint
    total = 0.0
    for moderator in load_impact_spec("moderators").moderators.values():
        (first, spread), (second, other) = (mean_and_variance(one) for one in moderator.values.values())
        total += ((first - second) ** 2 + spread + other) / moderator.per**2
    assert round(math.sqrt(total)) == 3
    assert all("about three times as much" in prior.why for prior in slope.values())
    unknown = joint.errors_unknown
    reach = unknown.value * (2 * stats.beta(2, 2).ppf(0.975) - 1)
    assert f"within {reach:.2f} of {1 - unknown.value:g} times it" in unknown.why
    sites = load_impact_spec("sites")
    assert {name: prior.sd for name, prior in sites.priors.site.items()} == {
        name: prior.sd for name, prior in sites.priors.tau.items()
    }


def test_a_spec_knows_the_files_that_it_was_read_from_as_they_were(tmp_path):
    own, below = tmp_path / "mine.toml", tmp_path / "below.toml"
    below.write_text('based_on = "primary"\nname = "below"\ntitle = "Below"\n', encoding="utf-8")
    own.write_text('based_on = "below.toml"\nname = "mine"\ntitle = "Mine"\n', encoding="utf-8")
    files = [own, below, spec_path("primary", "impact")]
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    spec = load_impact_spec(own)
    own.write_text("changed since", encoding="utf-8")
    assert spec.files == expected
    made = type(spec).model_validate(spec.model_dump())
    assert made.files == {}
    assert made == spec
    assert hash(made) == hash(spec)
    assert made != spec.model_copy(update={"title": "Other"})
