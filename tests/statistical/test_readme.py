"""The README's numbers are those of the model: written by --golden, and held to a fresh fit."""

import re
import shutil

import arviz_stats as azs
import numpy as np
import pytest
from helpers import README, REFERENCE, ROOT, markdown
from PIL import Image

from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES
from hlt_bayes.display.comparison import comparison_table
from hlt_bayes.display.impacts import impacts_table
from hlt_bayes.display.key_messages import LIMITS, significance_filter
from hlt_bayes.display.returns import returns_table
from hlt_bayes.economics import implied_price_interval
from hlt_bayes.impacts.comparison import SHRINKAGE_UNITS, likelihood_word
from hlt_bayes.impacts.draws import with_pooled_groups
from hlt_bayes.results.write import write_result

pytestmark = pytest.mark.ci

FIGURE = REFERENCE / "returns.png"


def blocks(analysis):
    return {
        "message": "\n\n".join(significance_filter(analysis.returns, analysis.comparison, analysis.prices)),
        "impacts": markdown(impacts_table(analysis.impacts)),
        "returns": markdown(returns_table(analysis.returns, analysis.prices)),
        "comparison": markdown(comparison_table(analysis.comparison)).replace(" * |", r" \* |"),
        "limits": "\n".join(f"- {limit}" for limit in LIMITS),
    }


def pattern(name):
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(<!-- end -->)", flags=re.DOTALL)


@pytest.fixture(scope="module")
def readme(request, reanalysis, tmp_path_factory):
    if request.config.getoption("--golden"):
        text = README.read_text(encoding="utf-8")
        for name, block in blocks(reanalysis).items():
            text = pattern(name).sub(lambda match, new=block: f"{match[1]}{new}\n{match[3]}", text)
        README.write_text(text, encoding="utf-8")
        folder = tmp_path_factory.mktemp("figure") / "result"
        shutil.copy(write_result(reanalysis, folder) / "returns.png", FIGURE)
    return README.read_text(encoding="utf-8")


def rows(readme, name):
    lines = [line for line in pattern(name).search(readme)[2].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def numbers(text):
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text.replace(",", "").replace("£", ""))]


def digit(text):
    """Half of the last digit shown."""
    decimals = re.search(r"\.(\d+)", text)
    return 0.5 * 10.0 ** -(len(decimals[1]) if decimals else 0)


def errors(draws, above):
    """Monte Carlo standard error of each number of a summary of draws {chain, draw}."""
    data = draws.drop_vars([name for name in draws.coords if name not in ("chain", "draw")]).to_dataset(name="value")
    found = {method: azs.mcse(data, method=method)["value"].item() for method in ("mean", "sd")}
    for name, probability in {"lower_89": 0.055, "upper_89": 0.945, "lower_95": 0.025, "upper_95": 0.975}.items():
        found[name] = azs.mcse(data, method="quantile", prob=probability)["value"].item()
    found["prob"] = azs.mcse((data > above).astype(float), method="mean")["value"].item()
    return found


def close(shown, value, error, scale=1.0):
    """Every number shown agrees with a fresh one, to its last digit and 5 errors of a difference of two runs."""
    margin = 5 * np.sqrt(2) * np.atleast_1d(error) * scale + 1.01 * digit(shown)
    return (np.abs(np.array(numbers(shown)) - np.atleast_1d(value) * scale) <= margin).all()


def probability_is_close(shown, value, error):
    if shown.startswith((">", "<")):
        return abs(value - (1.0 if shown[0] == ">" else 0.0)) <= 0.005 + 5 * np.sqrt(2) * error
    return close(shown, value, error, scale=100)


def test_impacts_are_those_of_a_fresh_fit(readme, reanalysis):
    impact = with_pooled_groups(reanalysis.draws["posterior"]["impact"], reanalysis.evidence.treated)
    shown = rows(readme, "impacts")
    assert len(shown) == len(reanalysis.impacts) == 20
    for cells, (_, row) in zip(shown, reanalysis.impacts.iterrows(), strict=True):
        assert (cells[0].split()[0].lower(), cells[1]) == (row["outcome"], row["group"])
        error = errors(impact.sel(outcome=row["outcome"], group=row["group"]), 0.0)
        scale = OUTCOMES[row["outcome"]].display_scale
        assert close(cells[2], row["mean"], error["mean"], scale), cells
        assert close(cells[3], row["sd"], error["sd"], scale), cells
        for cell, percent in ((cells[4], 89), (cells[5], 95)):
            names = [f"lower_{percent}", f"upper_{percent}"]
            assert close(cell, row[names].to_numpy(float), [error[name] for name in names], scale), cells
        assert probability_is_close(cells[6], row["prob_positive"], error["prob"]), cells


def test_returns_are_those_of_a_fresh_fit(readme, reanalysis):
    ratio = reanalysis.draws["economics"]["benefit_cost_ratio"]
    fresh = returns_table(reanalysis.returns, reanalysis.prices).rows
    ordered = reanalysis.returns.sort_values("perspective", kind="stable")
    for cells, exact, (_, row) in zip(rows(readme, "returns"), fresh, ordered.iterrows(), strict=True):
        assert tuple(cells[:5]) == exact[:5]
        scale = 100 if row["perspective"] == "financial" else 1
        error = errors(ratio.sel(perspective=row["perspective"], group=row["group"]), 1.0)
        assert close(cells[5], row["mean"], error["mean"], scale), cells
        names = ["lower_89", "upper_89"]
        assert close(cells[6], row[names].to_numpy(float), [error[name] for name in names], scale), cells
        assert probability_is_close(cells[7], row["prob_above_one"], error["prob"]), cells


def test_the_comparison_is_that_of_a_fresh_fit(readme, reanalysis):
    impact = with_pooled_groups(reanalysis.draws["posterior"]["impact"], reanalysis.evidence.treated)
    fresh = comparison_table(reanalysis.comparison).rows
    shown = rows(readme, "comparison")
    for cells, exact, (_, row) in zip(shown, fresh, reanalysis.comparison.iterrows(), strict=True):
        assert [cell.replace("\\", "") for cell in cells[:4]] == list(exact[:4])
        error = errors(impact.sel(outcome=row["outcome"], group=row["group"]), 0.0)
        assert close(cells[4], row["mean"], error["mean"], OUTCOMES[row["outcome"]].display_scale), cells
        reach = 5 * np.sqrt(2) * error["mean"]
        average = impact.sel(outcome=row["outcome"], group=list(GROUPS)).mean().item()
        distance = abs(row["published"] - average)
        if bool(cells[5]) == (not np.isnan(row["shrinkage"])):
            assert not cells[5] or close(cells[5], row["shrinkage"], error["mean"] / distance, 100), cells
        else:
            assert abs(distance - SHRINKAGE_UNITS * row["half_unit"]) <= reach, cells
        *size, word = cells[6].split("; ")
        assert bool(size) == (row["group"] in GROUPS)
        near = (row["prob_positive"] + shift * 5 * np.sqrt(2) * error["prob"] for shift in (-1, 0, 1))
        assert word.removesuffix(" positive") in {likelihood_word(min(max(p, 0.0), 1.0)) for p in near}
        if size and numbers(size[0]):
            change = abs(row["mean"] / row["published"] - 1)
            assert abs(numbers(size[0])[0] / 100 - change) <= reach / abs(row["published"]) + 0.006, cells


def test_the_words_and_limits_are_the_current_ones(readme, reanalysis):
    current = blocks(reanalysis)
    assert pattern("limits").search(readme)[2].strip() == current["limits"]
    for name in ("impacts", "returns", "comparison"):
        shown, fresh = pattern(name).search(readme)[2], current[name]
        notes = [line for line in fresh.splitlines() if line and not line.startswith("|")]
        assert len(notes) > 2
        assert all(note in shown.splitlines() for note in notes)
    # The message with its numbers taken out: they are those of the tables above.
    without = [re.sub(r"\d+(\.\d+)?", "#", text) for text in (pattern("message").search(readme)[2], current["message"])]
    assert without[0].strip() == without[1].strip()
    wmca = next(cells for cells in rows(readme, "returns") if cells[:2] == ["economic", "WMCA"])
    assert all(number in numbers(pattern("message").search(readme)[2]) for cell in wmca[3:] for number in numbers(cell))


def test_the_figure_was_drawn_from_these_specs_and_this_evidence(readme, reanalysis):
    assert FIGURE.relative_to(ROOT).as_posix() in readme
    with Image.open(FIGURE) as picture:
        source = picture.info["Source"]
    for part in (reanalysis.impact_spec.fingerprint, reanalysis.economic_spec.fingerprint, reanalysis.evidence.sha256):
        assert part in source


def test_the_trial_is_as_large_as_the_readme_says(readme, evidence):
    assert f"{evidence.arm_sizes('recruits').to_numpy().sum():,} people" in readme


def test_the_traced_number_is_what_the_readme_says(readme, evidence, primary, published):
    price = np.mean(implied_price_interval(evidence, "economic", published.benefits["health"]))
    impact = evidence.impacts.set_index(["outcome", "group"]).loc[("health", "WMCA"), "estimate"]
    cost = evidence.costs.set_index("group").loc["WMCA", "cost_per_head_gbp"]
    sentence = f"WMCA's £{impact * price / cost:.2f} is {impact} SD (Table 2.1) x £{price:,.0f}"
    assert sentence in " ".join(readme.split())
    assert f"/ £{cost:,.0f} (Table 2.2)" in readme
    sd = primary.standard_error.design["earnings"].sd["WMCA"].value
    assert f"near £{sd:,.0f} (assumed" in " ".join(readme.split())
    assert evidence.sources["synthesis"].series in " ".join(readme.split())
    treated, control = evidence.arm_sizes("recruits").loc["WMCA", ["treatment", "control"]]
    assert f"√(1/{treated:,} + 1/{control:,})" in readme


def test_the_python_of_the_readme_runs(readme, fitted, monkeypatch):
    import hlt_bayes

    codes = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    asked = []
    monkeypatch.setattr(hlt_bayes, "fit", lambda *arguments: asked.append(arguments) or fitted, raising=False)
    names = {}
    for code in codes:
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - the README's own example
    assert len(asked) == 1
    assert len(names["analysis"].returns) == 10
    assert names["model"].named_vars_to_dims["impact"] == ("outcome", "group")
