"""Specs of others, whatever they hold: impact, economic and individual, and what they are based on."""

import shutil

import numpy as np
import pymc  # noqa: F401 - it raises the recursion limit, which must not happen within an example
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import damaged, junk, moved, mutated, toml
from properties import finds_out, folder, refuse_nan, result_or_error, take

import hlt_bayes as hb
from hlt_bayes.core import toml as strict_toml
from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.toml import tomllib
from hlt_bayes.economics.appraisal import appraise
from hlt_bayes.inference.exact import exact_posterior, is_exact
from hlt_bayes.inference.structures import check_spec_suits_evidence, response_rates
from hlt_bayes.likelihood import reported_results
from hlt_bayes.specs import shipped_specs, spec_path

LOADERS = {"impact": hb.load_impact_spec, "economic": hb.load_economic_spec, "individual": hb.load_individual_spec}
SHIPPED = {kind: [tomllib.loads(path.read_text("utf-8")) for path in shipped_specs(kind).values()] for kind in LOADERS}
ENTIRE = [one for one in SHIPPED["impact"] if "based_on" not in one]
EVIDENCE = hb.load_evidence()


def specs(kind):
    """Give the bytes of shipped specs: damaged, or changed in one place at most, of which many are still specs."""
    return st.one_of(
        damaged(mutated(SHIPPED[kind]).map(lambda table: toml(table).encode())),
        mutated(SHIPPED[kind], most=1).map(lambda table: toml(table).encode()),
        moved(SHIPPED[kind]).map(lambda table: toml(table).encode()),
    )


def finite(node):
    match node:
        case dict():
            return all(map(finite, node.values()))
        case list() | tuple():
            return all(map(finite, node))
        case float():
            return np.isfinite(node)
    return True


def read(kind, content):
    """Read a spec of those bytes, in a folder of its own; None where it is refused by name."""
    with folder() as place:
        path = place / "thrown.toml"
        path.write_bytes(content)
        spec = result_or_error(lambda: LOADERS[kind](path), names=["thrown.toml"], inside=place)
    if spec is not None:
        assert finite(spec.model_dump())
        assert len(spec.fingerprint) == 64
    return spec


def build(spec):
    """Carry a spec to what a sampler would be given, and by the exact engine to draws."""
    cells = reported_results(EVIDENCE, spec)
    refuse_nan(cells, missing=("z_upper", "se_upper"))
    check_spec_suits_evidence(spec, EVIDENCE, cells)
    rates = response_rates(EVIDENCE, spec, cells)
    if is_exact(spec):
        posterior, statistics = exact_posterior(cells, spec, chains=2, draws=20, seed=1, rates=rates, least_effective=1)
        refuse_nan(posterior)
        refuse_nan(statistics)
    elif spec.fingerprint < "4":
        # A model takes a second to build.
        assert hb.build_model(spec, EVIDENCE).free_RVs


def impact_spec_holds(content):
    spec = read("impact", content)
    if spec is not None:
        result_or_error(lambda: build(spec), names=["spec", "outcome"])


@take("impact spec")
@given(specs("impact"))
@example(b"mean = " + b"9" * 5000)
@example(b"mean = 0x" + b"F" * 5000)
@example(b"a = " + b"[" * 5000)
@example(b".".join([b"a"] * 3000) + b" = 1")
@example(b'based_on = "primary"\nwithout = ["a"]\n' + b".".join([b"a"] * 3000) + b" = 1")
@example(b'based_on = "a\\u0000.toml"')
def test_an_impact_spec_is_read_and_carried_through_or_refused(content):
    impact_spec_holds(content)


def test_a_spec_whose_numbers_may_be_anything_is_found_out(monkeypatch):
    monkeypatch.setattr(
        strict_toml, "_validated", lambda content, _path, table, _error: table.model_construct(**content)
    )
    finds_out(specs("impact"), impact_spec_holds, "impact spec")


def economic_spec_holds(content, impact):
    spec = read("economic", content)
    if spec is not None:
        economics = result_or_error(lambda: appraise(impact, spec, EVIDENCE, seed=1), names=["spec", "price", "key"])
        if economics is not None:
            refuse_nan(economics, missing=("published", "unfiltered"))


@pytest.fixture(scope="module")
def few(drawn):
    return drawn["posterior"]["impact"].isel(draw=slice(10))


@take("economic spec")
@given(content=specs("economic"))
def test_an_economic_spec_is_read_and_carried_through_or_refused(content, few):
    economic_spec_holds(content, few)


def test_an_economic_spec_that_is_not_checked_is_found_out(monkeypatch, few):
    monkeypatch.setattr(
        strict_toml, "_validated", lambda content, _path, table, _error: table.model_construct(**content)
    )
    finds_out(specs("economic"), lambda content: economic_spec_holds(content, few), "economic spec")


def individual_spec_holds(content):
    read("individual", content)


@take("individual spec")
@given(specs("individual"))
def test_an_individual_spec_is_read_or_refused(content):
    individual_spec_holds(content)


def test_an_individual_spec_that_is_not_checked_is_found_out(monkeypatch):
    monkeypatch.setattr(
        strict_toml, "_validated", lambda content, _path, table, _error: table.model_construct(**content)
    )
    finds_out(specs("individual"), individual_spec_holds, "individual spec")


FILES = ("mine.toml", "other.toml", "sub/below.toml")
names = st.one_of(
    st.sampled_from([*FILES, "below.toml", "../mine.toml", "../secret.toml", "/etc/passwd.toml", "../../secret.toml"]),
    st.sampled_from(["primary", "sites", "no-pooling", "", ".toml", "sub", "sub/.toml", "linked.toml", "round.toml"]),
    st.sampled_from(["a\x00.toml", "x" * 3000 + ".toml", "sub/../../secret.toml", "./mine.toml", "~/secret.toml"]),
    junk,
)
families = st.tuples(
    *[st.fixed_dictionaries({"based_on": names}, optional={"title": junk, "without": junk})] * len(FILES)
)


def based_on_holds(tables):
    with folder() as outer:
        place = outer / "given"
        (place / "sub").mkdir(parents=True)
        secret = toml(ENTIRE[0] | {"title": "SECRET"})
        (outer / "secret.toml").write_text(secret, encoding="utf-8")
        (place / "linked.toml").symlink_to(outer / "secret.toml")
        (place / "round.toml").symlink_to("round.toml")
        for name, table in zip(FILES, tables, strict=True):
            (place / name).write_bytes(toml(table).encode())
        spec = result_or_error(lambda: hb.load_impact_spec(place / "mine.toml"), names=[str(place)], inside=outer)
        assert spec is None or spec.title != "SECRET"


@take("based on")
@given(families)
@example(({"based_on": "../secret.toml"}, {"based_on": "primary"}, {"based_on": "primary"}))
@example(({"based_on": "linked.toml"}, {"based_on": "primary"}, {"based_on": "primary"}))
@example(({"based_on": "sub/below.toml"}, {"based_on": "primary"}, {"based_on": "../other.toml"}))
def test_a_spec_is_based_on_nothing_outside_its_folder(tables):
    based_on_holds(tables)


def test_a_spec_that_may_be_based_on_any_file_is_found_out(monkeypatch):
    from hlt_bayes.specs import load

    monkeypatch.setattr(load, "_below", lambda below, name, _said: below / name)
    finds_out(families, based_on_holds, "based on")


def test_a_path_is_taken_from_the_folder_of_the_file_that_says_it(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "mine.toml").write_text('based_on = "sub/one.toml"\n', encoding="utf-8")
    (tmp_path / "sub/one.toml").write_text('based_on = "two.toml"\n', encoding="utf-8")
    (tmp_path / "sub/two.toml").write_text('based_on = "primary"\nname = "two"\n', encoding="utf-8")
    assert hb.load_impact_spec(tmp_path / "mine.toml").name == "two"


def test_what_lies_outside_the_folder_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "sub").mkdir()
    shutil.copy(spec_path("primary", "impact"), tmp_path / "other.toml")
    (tmp_path / "sub/mine.toml").write_text('based_on = "../other.toml"\n', encoding="utf-8")
    with pytest.raises(
        SpecError, match=r"mine\.toml: key 'based_on': '\.\./other\.toml' lies outside .* copy the other"
    ):
        hb.load_impact_spec(tmp_path / "sub/mine.toml")


def test_code_in_a_spec_is_text(tmp_path):
    mark = tmp_path / "mark"
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    path = tmp_path / "mine.toml"
    path.write_text(toml({"based_on": "primary", "name": code, "title": f"{{{code}}}"}), encoding="utf-8")
    assert hb.load_impact_spec(path).name == code
    assert not mark.exists()


def test_a_missing_file_is_named_with_the_file_that_names_it(tmp_path):
    (tmp_path / "mine.toml").write_text('based_on = "other.toml"\n', encoding="utf-8")
    with pytest.raises(
        SpecError, match=r"other\.toml: cannot be read .*; it is named by key 'based_on' of .*mine\.toml"
    ):
        hb.load_impact_spec(tmp_path / "mine.toml")
