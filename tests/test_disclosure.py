"""Rules of disclosure control, one by one; what an intruder can do with the whole is in test_disclosure_attacks.py."""

import stat

import numpy as np
import pandas as pd
import pytest
from attacker import counted
from helpers import invoked

import hlt_bayes as hb
from hlt_bayes.core.errors import RecordsError
from hlt_bayes.display.records import description_table
from hlt_bayes.ipd.data import load_records, records_of_frame
from hlt_bayes.ipd.data.key import key_path
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.disclosure import Rules, describe_records, output_check, rules_table, some_left_out
from hlt_bayes.ipd.disclosure.contributions import rests_on_few
from hlt_bayes.ipd.disclosure.rounding import (
    LARGEST_ERROR,
    rounded_count,
    rounded_counts,
    rounded_value,
    step_of,
)
from hlt_bayes.ipd.models import aggregate, fit_records
from hlt_bayes.ipd.models.subgroups import Levels, shown_levels
from hlt_bayes.specs import load_individual_spec

CHANCES = (np.arange(200) + 0.5) / 200
KEY = "".join(f"{byte:02x}" for byte in range(32))

# Rounding


def shares(total, places):
    """All ways of sharing ``total`` people among so many places."""
    if places == 1:
        yield (total,)
        return
    for first in range(total + 1):
        yield from ((first, *rest) for rest in shares(total - first, places - 1))


def possible(counts, rounded):
    """What counts may be rounded to."""
    return {tuple(rounded(np.array(counts), 5, chance).tolist()) for chance in CHANCES[::8]}


def nearest(counts, base, _):
    """Sabotage: each count to the nearest multiple, and nothing left to chance."""
    return base * np.round(counts / base).astype(int)


def one_by_one(counts, base, chance):
    """Sabotage: each count up or down with a chance of its own, so that all have been drawn anew."""
    own = (chance * 7919 * np.arange(1, len(counts) + 1)) % 1
    return (base * np.floor(counts / base + own)).astype(int)


@pytest.mark.parametrize(("total", "places"), [(15, 2), (17, 2), (19, 2), (23, 2), (16, 3), (18, 3)])
def test_whatever_is_shown_each_count_keeps_five_values_and_the_person_removed_any_place(total, places):
    left, removed = what_is_left(total, places, rounded_counts)
    assert left == 5
    assert removed == places


@pytest.mark.parametrize("broken", [nearest, one_by_one])
def test_other_rounding_leaves_less(broken):
    """Whoever knows the total and the rule finds counts exactly, and the place of the person removed."""
    left, removed = what_is_left(18, 3, broken)
    assert left < 5
    assert removed == 1


def what_is_left(total, places, rounded):
    """Fewest values that any count may have, and fewest places of a person removed, to one who knows total and rule."""
    outputs = {counts: possible(counts, rounded) for counts in shares(total, places)}
    without = {counts: possible(counts, rounded) for counts in shares(total - 1, places)}
    values, place_of = {}, {}
    for counts, shown in outputs.items():
        for output in shown:
            for place, count in enumerate(counts):
                values.setdefault((output, place), set()).add(count)
        for place in np.flatnonzero(counts):
            fewer = tuple(count - (position == place) for position, count in enumerate(counts))
            for before in shown:
                for after in without[fewer]:
                    place_of.setdefault((before, after), set()).add(place)
    return min(map(len, values.values())), min(map(len, place_of.values()))


def values_left(total, *, apart):
    """Fewest values left of how many answered, told by a column that counts them and by one that counts the others."""
    first, second, both = {}, {}, {}
    for answered in range(total + 1):
        silent = total - answered
        for chance in CHANCES[::8]:
            others, told = rounded_counts(np.array([silent, answered]), 5, chance).tolist()
            if apart:
                told = rounded_counts(np.array([answered, silent]), 5, chance).tolist()[0]
            for table, key in ((first, told), (second, others), (both, (told, others))):
                table.setdefault(key, set()).add(answered)
    if not apart:
        return min(map(len, both.values()))
    return min(len(one & other) for one in first.values() for other in second.values() if one & other)


def test_the_same_people_in_two_columns_must_be_rounded_alike():
    assert values_left(23, apart=True) == 1
    assert values_left(23, apart=False) == 5


@pytest.mark.parametrize("base", [5, 10])
@pytest.mark.parametrize("counts", [(0, 3, 42, 57), (13, 0, 8), (1259, 1), (100,)])
def test_rounded_counts_add_up_are_near_and_right_on_average(counts, base):
    given = np.array(counts)
    drawn = np.array([rounded_counts(given, base, chance) for chance in CHANCES])
    total = base * (given.sum() // base)
    assert (drawn.sum(axis=1) == total).all()
    assert (drawn % base == 0).all()
    assert (drawn >= 0).all()
    lost = given.sum() - total
    assert (np.abs(drawn - given)[:, :-1] < base).all()
    assert (np.abs(drawn[:, -1] - given[-1]) < base + lost).all()
    assert (drawn[:, :-1][:, given[:-1] == 0] == 0).all()
    # Where the total is no multiple, what is near its end cannot be rounded up beyond it.
    assert np.abs(drawn.mean(axis=0) - given)[:-1].max(initial=0) <= (lost or 0.05)


@pytest.mark.parametrize("influence", [0.0013, 0.7, 25.0, 47.6, 1.0])
def test_a_step_is_of_1_2_or_5_and_at_least_twice_what_one_person_can_do(influence):
    step = step_of(influence)
    assert 2 * influence <= step * (1 + 1e-9) < 5.001 * influence
    digits = step / 10 ** np.floor(np.log10(step) + 1e-9)
    assert min(abs(digits - one) for one in (1, 2, 5)) < 1e-6


def test_a_mean_that_one_person_moves_by_half_a_step_may_be_rounded_alike_before_and_after():
    for value in np.linspace(3, 7, 401):
        drawn = {rounded_value(value, 2.0, chance) for chance in CHANCES}
        assert all(abs(one - value) <= LARGEST_ERROR * 2.0 for one in drawn)
        assert all(one % 2.0 == 0 for one in drawn)
        other = {rounded_value(value + 1.0, 2.0, chance) for chance in CHANCES}
        assert drawn & other
    assert np.mean([rounded_count(13, 5, chance) for chance in CHANCES]) == pytest.approx(13, abs=0.05)
    # Sabotage: steps of half the size tell the two apart.
    far = [{rounded_value(5.0 + more, 1.0, chance) for chance in CHANCES} for more in (0.0, 1.0)]
    assert not far[0] & far[1]


# A description


def of_age(counts, **columns):
    """People of one group and arm, so many of each age, and 60 of each other group and arm."""
    ages = [age for age, count in counts.items() for _ in range(count)]
    others = [("SCR OOW", "SCR", "treatment"), ("WMCA", "WMCA", "treatment")]
    others += [("SCR IW", "SCR", "control"), ("SCR OOW", "SCR", "control"), ("WMCA", "WMCA", "control")]
    rows = [("SCR IW", "SCR", "treatment", age) for age in ages]
    rows += [(*other, "50+") for other in others for _ in range(60)]
    frame = pd.DataFrame(rows, columns=["group", "site", "arm", "age"])
    frame["age"] = frame["age"].where(frame["age"] != "unknown")
    made = {"person": [f"P{row}" for row in range(len(frame))], "randomised": pd.Timestamp("2018-05-11")}
    return records_of_frame(frame.assign(**made, **columns))


def described(records, column, rules=Rules(), **cell):  # noqa: B008 - it is frozen
    table = describe_records(records, rules=rules, leave_out=0)
    cell = {"group": "SCR IW", "arm": "treatment"} | cell
    chosen = (table["column"] == column) & (table["group"] == cell["group"]) & (table["arm"] == cell["arm"])
    return table[chosen].set_index("value")


def test_small_counts_and_none_at_all_look_alike_and_per_cent_are_of_rounded_counts():
    ages = described(of_age({"<30": 9, "30-39": 41, "40-49": 73, "50+": 0, "unknown": 1}), "age")
    assert ages["status"].to_dict() == {
        "<30": "few",
        "30-39": "shown",
        "40-49": "shown",
        "50+": "few",
        "missing": "few",
    }
    assert ages[["count", "percent"]].isna().all(axis=1).sum() == 3
    shown = ages[ages["status"] == "shown"]
    assert (shown["count"] % 5 == 0).all()
    assert shown["percent"].to_numpy() == pytest.approx(100 * shown["count"].to_numpy(float) / 120)


@pytest.mark.parametrize("fewest", [10, 30])
@pytest.mark.parametrize("base", [5, 10])
def test_behind_each_count_that_is_shown_there_are_enough_people(fewest, base):
    rules, shown = Rules(fewest=fewest, base=base), set()
    for few in (*range(5, 46, 4), 9, 10, 11, 14, 29, 30, 31, 59):
        table = described(of_age({"<30": few, "50+": 200}), "age", rules)
        if table.loc["<30", "status"] == "shown":
            assert few >= fewest
            shown.add(few)
            assert table.loc["<30", "count"] >= rules.least_shown
    assert max(shown) == 59
    assert min(shown) < fewest + 2 * base


def test_nothing_is_told_of_a_cell_of_few_people():
    records = of_age({"<30": 4, "50+": 5}, earnings=np.arange(309.0), condition_pain=True)
    for column in ("people", "age", "earnings", "condition_pain", "randomised"):
        found = described(records, column)
        assert len(found) > 0
        assert found[["count", "percent", "mean", "sd"]].isna().all(axis=None), column


def test_a_column_in_which_nearly_all_are_alike_is_withheld_whole():
    for alike in (0, 1, 60 - 5, 59, 60):
        records = of_age({"50+": 60}, condition_pain=np.arange(360) < alike)
        found = described(records, "condition_pain")
        assert set(found["status"]) == {"withheld"}, alike
    # Half and half is told; and so is a date that all have.
    half = described(of_age({"50+": 60}, condition_pain=np.arange(360) < 30), "condition_pain")["count"]
    assert half["yes"] + half["no"] == 60
    assert set(described(of_age({"50+": 60}), "age")["status"]) == {"withheld"}
    assert described(of_age({"50+": 60}), "randomised").loc["present", "count"] == 60


def money(amounts):
    """600 people, of whom so many earn anything."""
    values = np.zeros(900)
    values[: len(amounts)] = amounts
    return of_age({"50+": 600}, earnings=values)


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        ([30000.0], False),
        ([100.0] * 6, False),
        ([20000.0, *([10.0] * 40)], False),
        ([1000.0] * 20, False),
        ([8000.0, 12000.0] * 30, True),
    ],
    ids=["one", "six", "one and crumbs", "less than two highest", "many"],
)
def test_a_mean_of_which_one_person_might_have_most_is_withheld(amounts, shown):
    row = described(money(amounts), "earnings").loc["present"]
    assert row["status"] == "shown"
    assert pd.notna(row["mean"]) == shown
    if shown:
        assert abs(row["mean"] - sum(amounts) / 600) <= row["within"]
    exact = described(money(amounts), "earnings", None).loc["present"]
    assert exact["mean"] == pytest.approx(sum(amounts) / 600)
    assert exact["within"] == 0


def test_values_above_the_top_code_count_as_it():
    amounts = [8000.0, 12000.0] * 30
    plain, topped = (described(money([one, *amounts]), "earnings").loc["present"] for one in (60000.0, 900000.0))
    assert abs(topped["mean"] - (sum(amounts) + 60000) / 600) <= topped["within"]
    assert abs(plain["mean"] - topped["mean"]) <= plain["within"] + topped["within"]


@pytest.mark.parametrize("alike", [True, False])
def test_a_score_that_nearly_all_share_has_no_mean(alike):
    rng = np.random.default_rng(4)
    score = np.full(360, 20.0) if alike else rng.integers(9, 46, 360).astype(float)
    score[0] = 45.0
    row = described(of_age({"50+": 60}, baseline_jsse=score), "baseline_jsse").loc["present"]
    assert pd.isna(row["mean"]) == alike


def test_what_does_not_apply_is_told_apart_from_what_is_withheld():
    records = of_age(
        {"50+": 60},
        provider=np.where(np.arange(360) // 60 % 3 == 2, "D&W", np.resize(["Sheffield", "Doncaster"], 360)),
        caseload=np.where(np.arange(360) < 60, 20.0, np.nan),
    )
    assert set(described(records, "caseload", arm="control")["status"]) == {"does not apply"}
    assert described(records, "provider").loc["D&W", "status"] == "does not apply"
    assert described(records, "provider").loc["Rotherham", "status"] == "few"


def test_where_nobody_has_a_value_there_is_no_mean_nor_a_warning():
    records = of_age({"50+": 60}, eq5d=np.nan, answered=False)
    for rules in (Rules(), None):
        row = described(records, "eq5d", rules).loc["present"]
        assert row[["mean", "sd"]].isna().all()


def test_identifiers_are_not_described():
    records = of_age({"50+": 60}, specialist="S")
    assert not set(describe_records(records)["column"]) & {"person", "specialist", "site", "group", "arm"}


def test_columns_that_hold_the_same_people_are_rounded_alike(twin):
    table = describe_records(some_left_out(twin.records, share=0.11)).set_index(["group", "arm", "column", "value"])
    counts = table["count"].unstack(["column", "value"])
    for column in ("eq5d", "gad7", "weeks_working"):
        assert (counts[column, "present"] == counts["answered", "yes"]).all()
    months = [f"earnings_month_{month}" for month in range(1, 13)]
    first, *others = (counts[month, "present"] for month in months)
    assert all((other == first).all() for other in others)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fewest": 9}, "fewest 9 given; allowed: a whole number, 10 or more"),
        ({"base": 3}, "base 3 given; allowed: 5 or 10"),
        ({"two_largest": 0.95}, "two_largest 0.95 given; allowed: above 0, 0.9 or less"),
        ({"p": 0.0}, "p 0.0 given; allowed: 0.1 or more"),
        ({"fewest": 10.5}, "fewest 10.5 given"),
    ],
)
def test_rules_weaker_than_the_guides_are_refused(given, message):
    with pytest.raises(RecordsError, match=message):
        Rules(**given)


def test_the_table_shows_what_is_withheld_and_why_is_not_told():
    records = of_age({"<30": 9, "30-39": 30, "50+": 60}, earnings=0.0, condition_pain=True)
    table = description_table(describe_records(records), Rules())
    place = table.columns.index("SCR IW, treatment")
    cells = {row[:2]: row[place] for row in table.rows}
    assert cells["age", "<30"] == cells["age", "missing"] == "<15"
    assert cells["condition_pain", "yes"] == "*"
    assert cells["earnings", "present"].endswith("mean *")
    assert "multiples of 5" in table.notes[1]
    exact = description_table(describe_records(records, rules=None), None)
    assert "not for release" in exact.title
    assert {row[:2]: row[place] for row in exact.rows}["age", "<30"] == "9 (9.1%)"


def test_the_output_check_names_rules_and_numbers_withheld_for_each_table():
    records = of_age({"<30": 9, "50+": 60}, earnings=0.0, condition_pain=True)
    description = describe_records(records)
    sheet = output_check(description, Rules(fewest=12, base=10), left_out=0.03).set_index("output")
    assert list(sheet.index) == list(dict.fromkeys(description["column"]))
    assert "base 10" in sheet.loc["age", "rules"]
    assert "threshold 12" in sheet.loc["age", "rules"]
    assert sheet["rules"].str.startswith("3% of people left out at random").all()
    assert "no 0 % or 100 %" in sheet.loc["age", "rules"]
    assert "no 0 % or 100 %" not in sheet.loc["earnings", "rules"]
    assert sheet.loc["condition_pain", "withheld"] == "0 counts too small, 18 others"
    assert "6 of 6 means" in sheet.loc["earnings", "withheld"]
    assert (sheet["not_checked"] != "").all()


def test_every_rule_has_its_parameters_and_a_guide():
    table = rules_table(Rules(fewest=30, base=10), left_out=0.05)
    assert table["link"].str.startswith("https://").all()
    assert "fewer than 30 people" in table["parameter"][0]
    assert "from 40" in table["parameter"][0]
    assert "5%" in table.set_index("rule").loc["Sampling", "parameter"]


# The key


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "people.csv"
    frame = hb.make_twin(n=300, seed=2).records.frame.drop(columns="synthetic")
    frame.to_csv(path, index=False, date_format="%Y-%m-%d")
    return path


def test_a_key_is_made_beside_the_records_for_its_owner_and_never_replaced(file):
    result = invoked("records", "key", file)
    assert result.exit_code == 0, result.stderr
    path = key_path(file)
    assert path.name == "people.csv.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_text()
    assert len(content) == 65
    assert content.strip() not in result.stdout + result.stderr
    again = invoked("records", "key", file)
    assert again.exit_code == 2
    assert "exists and was left as it is" in again.stderr
    assert path.read_text() == content
    missing = invoked("records", "key", file.with_name("nobody.csv"))
    assert missing.exit_code == 2
    assert not key_path(file.with_name("nobody.csv")).exists()


def test_rounding_is_fixed_by_records_and_key_alone(file, tmp_path):
    plain = load_records(file)
    assert not plain.keyed
    assert plain.fingerprint is None
    keep(tmp_path / "other", KEY[::-1])
    keep(key_path(file), KEY + "\n")
    keyed = load_records(file)
    other = load_records(file, key=tmp_path / "other")
    assert len({one.chance("x") for one in (plain, keyed, other)}) == 3
    assert keyed.fingerprint != other.fingerprint
    # Neither the order nor the format nor the names of people matter; one person less does.
    shuffled = keyed.frame.sample(frac=1, random_state=1).assign(person=[f"Q{row}" for row in range(300)])
    shuffled.to_parquet(tmp_path / "people.parquet")
    again = load_records(tmp_path / "people.parquet", key=key_path(file))
    pd.testing.assert_frame_equal(describe_records(again), describe_records(keyed))
    assert again.fingerprint == keyed.fingerprint
    fewer = records_of_frame(keyed.frame[1:], key=bytes.fromhex(KEY))
    assert fewer.fingerprint != keyed.fingerprint
    assert fewer.chance("x") != keyed.chance("x")


def keep(path, text):
    """Write a key as its owner keeps it."""
    path.write_text(text)
    path.chmod(0o600)


def test_a_key_of_others_or_behind_a_link_is_refused(file, tmp_path):
    beside = key_path(file)
    keep(beside, KEY)
    for mode in (0o644, 0o660, 0o602):
        beside.chmod(mode)
        with pytest.raises(RecordsError, match="others can read or write it"):
            load_records(file)
    beside.unlink()
    keep(tmp_path / "planted", KEY)
    for target in (tmp_path / "planted", tmp_path / "nothing"):
        beside.symlink_to(target)
        with pytest.raises(RecordsError, match=r"people\.csv\.key"):
            load_records(file)
        beside.unlink()


@pytest.mark.parametrize("content", ["", "ab" * 31, "zz" * 32, "ab" * 2000, "0" * 64, "0123" * 16])
def test_what_is_not_a_key_is_refused_and_not_quoted(file, tmp_path, content):
    keep(tmp_path / "mine.key", content)
    with pytest.raises(RecordsError, match=r"mine\.key") as caught:
        load_records(file, key=tmp_path / "mine.key")
    assert not content or content not in str(caught.value)
    with pytest.raises(RecordsError, match=r"no\.key: cannot be read"):
        load_records(file, key=tmp_path / "no.key")


def test_in_every_arm_three_people_are_left_out_at_least_and_five_on_average():
    numbers, frame = [], of_age({"50+": 40}).frame
    left = counted(keyed(0, frame))
    for number in range(32):
        kept = counted(some_left_out(keyed(number, frame), share=0.02))
        numbers += [left[cell] - kept[cell] for cell in left]
    assert min(numbers) == 3
    assert len(set(numbers)) > 4
    assert np.mean(numbers) == pytest.approx(5, abs=5 * np.std(numbers) / np.sqrt(len(numbers)))
    few = of_age({"50+": 4})
    assert counted(some_left_out(few, share=0.02))["SCR IW", "treatment"] == 2


def test_another_share_leaves_out_others_and_not_one_more():
    people = of_age({"50+": 400})
    samples = [set(some_left_out(people, share=share).frame["person"]) for share in (0.02, 0.021)]
    assert len(samples[0] ^ samples[1]) > 20


def test_what_is_random_in_one_arm_does_not_depend_on_the_others(twin):
    frame = twin.records.frame
    table = describe_records(Records(synthetic=False, _frame=frame))
    where = (frame["group"] == "WMCA") & (frame["arm"] == "control")
    other = describe_records(Records(synthetic=False, _frame=frame.drop(index=frame.index[where][0])))
    same = table["group"].ne("WMCA") | table["arm"].ne("control")
    pd.testing.assert_frame_equal(table[same], other[same])
    assert not table[~same].equals(other[~same])


def test_chances_are_even_and_of_one_purpose_each():
    records = of_age({"50+": 60})
    drawn = np.array([records.chance(f"purpose {number}") for number in range(2000)])
    assert ((drawn >= 0) & (drawn < 1)).all()
    assert len(set(drawn)) == 2000
    assert np.histogram(drawn, bins=10, range=(0, 1))[0] == pytest.approx(200, abs=5 * np.sqrt(180))


def keyed(number, frame):
    return Records(synthetic=True, _frame=frame, _key=bytes(np.roll(np.arange(32), number)))


def test_means_and_sds_are_rounded_at_random_by_the_key_and_what_is_withheld_is_too():
    """Means stand on a grid around the exact one, right on average; near its limit a decision may go either way."""
    score = np.random.default_rng(8).uniform(12, 42, 600)
    # Halfway between two steps of a half.
    score += 27.75 - score[:300].mean()
    frame = of_age({"50+": 300}, baseline_jsse=score).frame
    frame["baseline_eq5d"] = np.where(np.arange(600) < 12, 0.2, 1.0)
    exact = described(keyed(0, frame), "baseline_jsse", None).loc["present"]
    rows = [described(keyed(number, frame), "baseline_jsse").loc["present"] for number in range(60)]
    means, sds = (np.array([row[of] for row in rows]) for of in ("mean", "sd"))
    step = rows[0]["within"] / LARGEST_ERROR
    assert np.allclose((means - 9) / step, np.round((means - 9) / step))
    assert min(means) < exact["mean"] < max(means)
    assert len(set(sds)) > 1
    assert means.mean() == pytest.approx(exact["mean"], abs=step / 4 + 3 * step / np.sqrt(60))
    shown = [pd.notna(described(keyed(number, frame), "baseline_eq5d").loc["present", "mean"]) for number in range(60)]
    assert 0 < sum(shown) < 60


def test_no_mean_lies_outside_its_scale():
    frame = of_age({"50+": 40}, baseline_swemwbs=np.where(np.arange(340) % 3, 35.0, 33.0)).frame
    means = [described(keyed(number, frame), "baseline_swemwbs").loc["present", "mean"] for number in range(30)]
    assert np.nanmax(means) <= 35


# Estimates and fits


def test_the_same_people_are_left_out_whatever_the_order_and_others_if_one_is_missing(file):
    records = load_records(file)
    kept = some_left_out(records, share=0.2)
    assert 0.7 * 300 < len(kept) < 0.9 * 300
    assert len(some_left_out(records)) < 300
    shuffled = records_of_frame(records.frame.sample(frac=1, random_state=3))
    assert set(some_left_out(shuffled, share=0.2).frame["person"]) == set(kept.frame["person"])
    fewer = records_of_frame(records.frame[1:])
    differ = set(some_left_out(fewer, share=0.2).frame["person"]) ^ set(kept.frame["person"])
    assert len(differ) > 5
    cell = records.frame.loc[0, ["group", "arm"]].tolist()
    assert all(row[["group", "arm"]].tolist() == cell for _, row in records.frame.iterrows() if row["person"] in differ)
    assert len(some_left_out(records_of_frame(records.frame.assign(synthetic=True)))) == 300
    for wrong in (-0.1, 0.3, 1e-9, float("nan")):
        with pytest.raises(RecordsError, match=r"allowed: 0, or 0\.01 to 0\.2"):
            some_left_out(records, share=wrong)


def test_people_are_left_out_of_real_records_and_what_is_left_says_so(twin):
    real = Records(synthetic=False, _frame=twin.records.frame.drop(columns="synthetic"), _key=bytes.fromhex(KEY))
    spec = load_individual_spec("records").model_copy(update={"outcomes": ["employment"]})
    attrs = fit_records(spec, real, engine="laplace")["posterior"]["impact"].attrs
    assert attrs["left_out"] == "0.02"
    assert attrs["records_hmac_sha256"] == real.fingerprint
    assert "records_sha256" not in attrs
    assert attrs["records"] != repr(real)
    everyone = fit_records(spec, real, engine="laplace", leave_out=0)["posterior"]["impact"].attrs
    assert everyone["left_out"] == "0"
    assert everyone["records"] == repr(real)
    rows = [aggregate(real, spec, leave_out=share) for share in (None, 0.02, 0)]
    pd.testing.assert_frame_equal(rows[0], rows[1])
    assert (rows[0]["estimate"] != rows[2]["estimate"]).all()
    numbers = rows[2][["n_treatment", "n_control"]].astype(int)
    assert (numbers % 5 == 0).all(axis=None)
    frame = real.frame.dropna(subset="employed_13_weeks")
    seen = frame.groupby(["group", "arm"], observed=True).size().unstack().loc[rows[2]["group"]]
    assert (np.abs(numbers.to_numpy() - seen[["treatment", "control"]].to_numpy()) < 5).all()
    assert rows[2]["se"].map(lambda text: len(text.replace(".", "").lstrip("0"))).le(3).all()


@pytest.mark.parametrize("engine", ["laplace", pytest.param("nuts", marks=pytest.mark.ci)])
def test_no_log_density_is_kept(twin, engine):
    """Its change when a person is removed is the log density of that person's outcome."""
    spec = load_individual_spec("records").model_copy(update={"outcomes": ["employment"]})
    tree = fit_records(spec, twin.records, engine=engine)
    group = tree["importance" if engine == "laplace" else "sample_stats"]
    allowed = {"pareto_k", "effective_draws"} if engine == "laplace" else {"energy", "diverging"}
    names = set(group.data_vars)
    assert allowed <= names
    assert not names & {"lp", "logp", "log_marginal_likelihood", "initial_energy", "potential_energy"}
    if engine == "nuts":
        assert abs(float(group["energy"].mean())) < 1e-6


@pytest.mark.parametrize(
    ("values", "of_money", "problem"),
    [
        ([0.0] * 50 + [1.0] * 9, False, "fewer than 10 values differ"),
        ([0.0] * 50 + [1.0] * 10, False, ""),
        ([0.0] * 50 + [10.0] * 9 + [1e6], True, "one or two people"),
        ([0.0] * 50 + [1.0] * 9 + [5e5, 5e5], True, "one or two people"),
        ([0.0] * 50 + [9000.0, 11000.0] * 10, True, ""),
        ([], False, "fewer than 10 values differ"),
    ],
)
def test_what_rests_on_few(values, of_money, problem):
    assert rests_on_few(np.array(values), Rules(), of_money=of_money).startswith(problem)
    assert bool(rests_on_few(np.array(values), Rules(), of_money=of_money)) == bool(problem)


def test_an_outcome_that_rests_on_few_is_not_estimated(twin):
    frame = twin.records.frame
    here = (frame["group"] == "WMCA") & (frame["arm"] == "control")
    earnings = frame["earnings"].where(~here, 1.0)
    earnings[frame.index[here][0]] = 900_000.0
    earnings[frame.index[here][1:20]] = 2.0
    few = Records(synthetic=True, _frame=frame.assign(earnings=earnings))
    for work in (lambda: aggregate(few), lambda: fit_records(load_individual_spec("records"), few, engine="laplace")):
        with pytest.raises(RecordsError, match="earnings of WMCA in control: one or two people have most of the total"):
            work()


@pytest.mark.parametrize(
    ("people", "shown"),
    [
        ([[40, 30, 9], [40, 30, 20]], [[True, False, False], [True, True, True]]),
        ([[40, 9, 9]], [[True, False, False]]),
        ([[9, 9, 9]], [[False, False, False]]),
        ([[40, 30, 0]], [[True, False, False]]),
    ],
    ids=["next smallest", "two", "all", "nobody"],
)
def test_a_level_is_never_withheld_alone(people, shown):
    levels = Levels(["gender"], ["gender: a", "gender: b", "gender: c"], np.zeros(3, int), np.empty((0, 1), int))
    assert shown_levels(np.array(people), levels, fewest=10).tolist() == shown


def test_levels_of_other_variables_stay():
    labels = ["gender: a", "gender: b", "age: a", "age: b"]
    levels = Levels(["gender", "age"], labels, np.array([0, 0, 1, 1]), np.empty((0, 2), int))
    assert shown_levels(np.array([[5, 50, 25, 30]]), levels, fewest=10).tolist() == [[False, False, True, True]]


# The command line


def test_describe_writes_the_description_and_its_output_check(file, tmp_path):
    out = tmp_path / "out"
    result = invoked("records", "describe", file, "--out", out, "--fewest", "12", "--base", "10")
    assert result.exit_code == 0, result.stderr
    assert "no key" in result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["description.csv", "disclosure.csv", "manifest.json"]
    expected = describe_records(load_records(file), rules=Rules(fewest=12, base=10))
    assert (out / "description.csv").read_text() == expected.to_csv(index=False)
    assert pd.read_csv(out / "disclosure.csv")["rules"].str.contains("base 10").all()
    assert invoked("verify", out).exit_code == 0
    again = invoked("records", "describe", file, "--out", out)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    keep(tmp_path / "key", KEY)
    keyed = invoked("records", "describe", file, "--key", tmp_path / "key", "--csv")
    assert keyed.exit_code == 0
    assert "no key" not in keyed.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--exact", "--out", "out"], "exact numbers are shown, not written for release"),
        (["--fewest", "3"], "fewest 3 given; allowed: a whole number, 10 or more"),
        (["--base", "7"], "base 7 given; allowed: 5 or 10"),
        (["--key", "none.key"], "none.key: cannot be read"),
    ],
)
def test_options_that_would_show_more_are_refused(file, options, message):
    result = invoked("records", "describe", file, *options, cwd=file.parent)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not (file.parent / "out").exists()


def test_exact_numbers_say_that_they_are_not_for_release(file):
    result = invoked("records", "describe", file, "--exact")
    assert result.exit_code == 0
    assert "not for release" in result.stdout


def test_the_rules_are_listed():
    result = invoked("records", "rules")
    assert result.exit_code == 0
    assert "Threshold" in result.stdout
    assert "Not checked" in result.stdout
    assert invoked("records", "rules", "--csv").stdout.startswith("rule,parameter,applies_to,guide,link")
