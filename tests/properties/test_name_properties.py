"""Names of trials, whatever they are: refused, or read back from every file as they were."""

import unicodedata

import pandas as pd
from hypothesis import example, given
from mutations import texts
from properties import finds_out, folder, result_or_error, take

from hlt_bayes.evidence import evidence_of_rows, own_trials
from hlt_bayes.results.export.content import element_name, index_labels
from hlt_bayes.results.export.csv_tables import write_csv


def name_holds(name):
    """A name that is taken comes back from a CSV file and from the name of an element."""
    row = {"outcome": "health", "group": name, "estimate": "0.10", "unit": "SD", "se": "0.05"}
    evidence = result_or_error(lambda: evidence_of_rows([row], name="mine.csv"), names=["mine.csv"])
    if evidence is None:
        return
    (group,) = evidence.groups
    assert not {unicodedata.category(one) for one in group} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    index = index_labels([group])[group]
    assert element_name("impact", "health", index).removesuffix("]").partition("[")[2].split(",") == ["health", index]
    with folder() as place:
        write_csv(pd.DataFrame({"study": [group, "other"], "yi": [0.1, 0.2]}), place / "a.csv", {"title": "a"})
        table = pd.read_csv(place / "a.csv", comment="#")
    assert table["yi"].tolist() == [0.1, 0.2]
    assert str(table["study"][0]) in (group, f"'{group}")


@take("names")
@given(texts)
@example("NA")
@example("01")
@example("Smith, 2001")
@example("'")
def test_a_name_that_is_taken_comes_back(name):
    name_holds(name)


def test_names_that_are_not_checked_are_found_out(monkeypatch):
    monkeypatch.setattr(own_trials, "label_findings", lambda _: [])
    monkeypatch.setattr(own_trials, "text_findings", lambda _: [])
    finds_out(texts, name_holds, "names", error=AssertionError)


def test_names_are_unique_in_an_index_whatever_they_are():
    names = ["a, b", "a; b", "a,  b", "a; b;", "a, b;"]
    found = index_labels(names)
    assert len(set(found.values())) == len(names)
    assert not any("," in text for text in found.values())
    assert found["a; b"] == "a; b"
