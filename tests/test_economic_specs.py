"""Economic specs are read strictly; a wrong one is refused in one message with key, value and what is allowed."""

import numpy as np
import pytest
from helpers import edited_spec

from hlt_bayes.core.errors import SpecError
from hlt_bayes.specs import load_economic_spec, shipped_specs, spec_path, stated_figures
from hlt_bayes.specs.priors import FixedQuantity
from hlt_bayes.specs.priors.reasoned import ASSUMPTION

ADDITIONAL = "[benefits.wellbeing.additional]"
FACTOR = 'family = "log-normal"\nmedian = 1.0\nlog_sd = 0.05'

WRONG = {
    "no price": (
        'benefits = ["output"',
        'benefits = ["outputs"',
        r"'outputs' is unknown: there is no table \[ben",
    ),
    "transfer as a gain": ('benefits = ["output"', 'benefits = ["tax"', r"'tax' accrues to 'exchequer': a transfer"),
    "gain as money": (
        'benefits = ["tax"',
        'benefits = ["output"',
        r"'output' accrues to 'society': not exchequer income",
    ),
    "twice": ('benefits = ["tax"', 'benefits = ["tax", "tax"', r"financial\.benefits': a benefit is listed twice"),
    "rate in per cent": (
        "value = 0.035",
        "value = 3.5",
        r"'discounting\.standard\.value': 3\.5 given; an annual rate must lie",
    ),
    "rate of 35": (
        "value = 0.035",
        "value = 35.0",
        r"35\.0 given; an annual rate must lie between 0 and 0\.2: 3\.5 % is 0\.035",
    ),
    "horizon without end": (
        "[persistence.health.horizon]\nvalue = 5.0",
        "[persistence.health.horizon]\nvalue = 1e8",
        r"1e\+08 given; impacts cover 1 year, so must be 1 to 60",
    ),
    "name with a dot": ("[benefits.tax]", '[benefits."ta.x"]', r"ta\.x"),
    "one gain twice": (
        'benefits = ["output", "earnings", "health", "wellbeing"',
        'benefits = ["output", "earnings", "health", "again", "wellbeing"',
        r"health and again value the same gain in health; state 'additional' for all but one",
    ),
    "horizon below the data": (
        "[persistence.health.horizon]\nvalue = 5.0",
        "[persistence.health.horizon]\nvalue = 0.5",
        r"'persistence\.health\.horizon\.value': 0\.5 given; impacts cover 1 year, so must be 1 to 60",
    ),
    "horizon below what was followed": (
        "[persistence.work.horizon]\nvalue = 5.0",
        "[persistence.work.horizon]\nvalue = 1.5",
        r"1\.5 given; the impact was still present in month 21, so must be 1\.75 or more",
    ),
    "year without index": (
        'price_year = "2019"',
        'price_year = "2018"',
        r"price_year': '2018' is unknown; allowed: '2014'",
    ),
    "variant without index": (
        'price_year = "2014"',
        'price_year = "2013"',
        r"variants\[1\]\.price_year': '2013' is unknown",
    ),
    "base without index": ('year = "2020/21"', 'year = "2021/22"', r"'prices\.base\.year': '2021/22' is unknown"),
    "share above 1": (
        'upper = 1.0\nunit = "share of respondents',
        'upper = 1.5\nunit = "share of respondents',
        r"'nonresponse\.share': Uniform\(0, 1\.5\) given; a share must lie between 0 and 1",
    ),
    "share below 0": (
        'lower = 0.0\nupper = 1.0\nunit = "share of respondents',
        'lower = -0.5\nupper = 1.0\nunit = "share of respondents',
        r"Uniform\(-0\.5, 1\) given; a share must lie between 0 and 1",
    ),
    "negative price": (
        "value = 70000.0",
        "value = -1.0",
        r"'benefits\.health\.price': -1 given; must not be below 0",
    ),
    "cost of nothing": (
        FACTOR,
        'family = "fixed"\nvalue = 0.0',
        r"must be above 0, because a cost of 0 leaves returns undefined",
    ),
    "unknown perspective": (
        "[perspectives.financial]",
        "[perspectives.fiscal]",
        r"'fiscal' is unknown; allowed: 'financial'",
    ),
    "unknown persistence": (
        'persistence = "health"',
        'persistence = "helth"',
        r"'helth' is unknown.*did you mean 'health'",
    ),
    "unknown conversion": ('conversion = "qalys"', 'conversion = "qaly"', r"'qaly' is unknown.*did you mean 'qalys'"),
    "no persistence": (
        'persistence = "health"\n',
        "",
        r"'benefits\.health\.persistence' is missing; name one of the tables",
    ),
    "unknown family": ('family = "beta"', 'family = "bta"', r"'bta' is unknown; allowed: 'fixed', 'uniform', 'beta'"),
    "wrong shape": ("alpha = 2.0", "alpha = -2.0", r"'persistence\.work\.decay\.alpha': -2\.0 given"),
    "bounds the wrong way": (
        "lower = 0.4",
        "lower = 0.95",
        r"lower 0\.95 is not below upper 0\.9; use 'fixed' for a single value",
    ),
    "unknown key": ('settled_by = "the', 'setled_by = "the', r"did you mean 'settled_by'"),
}


def mine(tmp_path, name, *edits):
    return edited_spec(tmp_path, name, "economic", *edits)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_component_spec_is_refused(tmp_path, case):
    old, new, message = WRONG[case]
    path = mine(tmp_path, "green-book", (old, new))
    if "again" in new:
        text = path.read_text(encoding="utf-8")
        start = text.index("[benefits.health]")
        again = text[start : text.index("[[benefits.health.price.variants]]")].replace(
            "benefits.health", "benefits.again"
        )
        path.write_text(f"{text}\n{again}", encoding="utf-8")
    with pytest.raises(SpecError, match=message) as caught:
        load_economic_spec(path)
    assert all(line.startswith(str(tmp_path)) for line in str(caught.value).splitlines())


def test_two_measures_of_one_gain_need_a_share_that_is_additional(tmp_path):
    path = mine(tmp_path, "green-book")
    text = path.read_text(encoding="utf-8")
    start = text.index(ADDITIONAL)
    path.write_text(text[:start] + text[text.index("[benefits.health-service]") :], encoding="utf-8")
    with pytest.raises(
        SpecError, match=r"value health and wellbeing, which measure much the same gain; for one of them state"
    ):
        load_economic_spec(path)
    start = text.index("[benefits.earnings.additional]")
    path.write_text(text[:start] + text[text.index("[benefits.health]\n") :], encoding="utf-8")
    with pytest.raises(SpecError, match="value employment and earnings, which measure much the same gain"):
        load_economic_spec(path)


def test_an_implied_price_holds_all_and_needs_its_reading(tmp_path):
    path = mine(tmp_path, "published", ('accrues_to = "society"', 'accrues_to = "society"\npersistence = "health"'))
    with pytest.raises(SpecError, match=r"health\.persistence': a price of family 'implied' already includes this"):
        load_economic_spec(path)
    text = spec_path("published", "economic").read_text(encoding="utf-8")
    start, end = text.index("[gross_or_net]"), text.index("[perspectives.financial]")
    path.write_text(text[:start] + text[end:], encoding="utf-8")
    with pytest.raises(SpecError, match="'gross_or_net' is missing; a price of family 'implied' depends on it"):
        load_economic_spec(path)


def test_a_stated_price_needs_year_rates_and_costs(tmp_path):
    path = mine(
        tmp_path,
        "published",
        (
            'family = "implied"\ngroups = ["SCR IW", "SCR OOW", "All OOW"]',
            'family = "fixed"\nvalue = 3.0\nprice_year = "2019"',
        ),
    )
    with pytest.raises(SpecError) as caught:
        load_economic_spec(path)
    assert [line.split("key ")[1].split()[0] for line in str(caught.value).splitlines()] == [
        "'benefits.health.persistence'",
        "'prices'",
        "'discounting'",
        "'costs'",
    ]


@pytest.mark.parametrize("name", shipped_specs("economic"))
def test_every_figure_has_unit_reason_and_source(name):
    spec = load_economic_spec(name)
    for key, figure in stated_figures(spec):
        assert figure.why, key
        assert figure.source, key
        assert getattr(figure, "unit", "as stated"), key
    for key, quantity in spec.quantities().items():
        if not isinstance(quantity, FixedQuantity):
            assert quantity.source == ASSUMPTION, key
        low, high = quantity.quantile(0.055), quantity.quantile(0.945)
        assert low <= quantity.expectation <= high, key


def test_the_numbers_in_the_reasons_are_true(evidence):
    spec = load_economic_spec("green-book")
    wage = 25 * 52 * 8.21
    output, tax, saved = (spec.benefits[name].price for name in ("output", "tax", "benefits-saved"))
    assert f"GBP {wage:,.0f}" in output.why
    assert f"GBP {wage:,.0f}" in tax.why
    employee, employer = 0.12 * (wage - 8632), 0.138 * (wage - 8632)
    assert f"GBP {employee + employer:,.0f} together" in tax.why
    net = wage - employee
    assert f"GBP {net:,.0f} a year less GBP {12 * 287:,.0f}" in saved.why
    assert f"GBP {round(0.63 * (net - 12 * 287), -1):,.0f};" in saved.why
    assert saved.median == pytest.approx(0.63 * (net - 12 * 287), abs=10)
    pension = 0.03 * (wage - 6136)
    assert (employer + pension) / wage == pytest.approx(0.04, abs=0.002)
    assert spec.benefits["earnings"].price.value == 1.04
    assert output.median == pytest.approx(wage * 1.04, rel=0.01)
    index = spec.prices.deflator.index
    assert f"GBP {60_000 * index['2020/21'] / index['2014']:,.0f}" in spec.benefits["health"].price.variants[0].why
    quarters = {
        "2018/19": (88.1, 88.6, 89.3, 89.3),
        "2019/20": (90.2, 90.6, 91.1, 91.9),
        "2020/21": (98.8, 94.9, 94.3, 95.3),
    }
    for year, values in quarters.items():
        assert index[year] == pytest.approx(np.mean(values))
    decay = spec.persistence["work"].decay
    assert decay.expectation == pytest.approx(1 / 3)
    assert spec.persistence["health"].decay.expectation == pytest.approx(2 / 5)
    assert spec.benefits["earnings"].additional.expectation == 1 / 4
    assert spec.benefits["wellbeing"].additional.expectation == 1 / 5
    ledger = evidence.ledger.query("measure == 'fieldwork start' or measure == 'fieldwork end'")
    assert len(ledger)


def test_scenarios_say_only_how_they_differ():
    reference = load_economic_spec("green-book")
    for name in ("optimistic", "pessimistic", "cautious"):
        spec = load_economic_spec(name)
        assert spec.prices == reference.prices
        assert spec.costs == reference.costs
        assert spec.discounting == reference.discounting
        assert spec.fingerprint != reference.fingerprint
    assert "wellbeing" not in load_economic_spec("pessimistic").perspectives["economic"].benefits
    assert load_economic_spec("cautious").persistence["health"].horizon.value == 1


def test_another_deflator_takes_the_place_of_the_one_below_whole(tmp_path):
    path = tmp_path / "mine.toml"
    head = 'based_on = "green-book"\nname = "mine"\ntitle = "Mine"\n[prices.deflator]\n'
    reason = 'unit = "2019/20 = 100"\nwhy = "Mine."\nsource = "mine"\n'
    path.write_text(f'{head}index = {{ "2019/20" = 100.0, "2020/21" = 106.0 }}\n{reason}', encoding="utf-8")
    with pytest.raises(
        SpecError, match=r"'benefits\.wellbeing\.price\.price_year': '2019' is unknown; allowed: '2019/20', '2020/21'"
    ):
        load_economic_spec(path)
    years = '"2014" = 91.0, "2019" = 99.0, "2019/20" = 100.0, "2020/21" = 106.0'
    path.write_text(f"{head}index = {{ {years} }}\n{reason}", encoding="utf-8")
    assert list(load_economic_spec(path).prices.deflator.index) == ["2014", "2019", "2019/20", "2020/21"]
