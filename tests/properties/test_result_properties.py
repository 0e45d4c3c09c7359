"""Result folders from somebody else, whatever is in their JSON: read as they were written, or refused."""

import json
import shutil
from functools import partial

import pytest
from helpers import rehash
from hypothesis import given
from hypothesis import strategies as st
from mutations import damaged, junk, mutated
from properties import finds_out, folder, result_or_error, take

from hlt_bayes.core.text import text_findings
from hlt_bayes.evidence.kept import evidence_from_json
from hlt_bayes.results import read as reading
from hlt_bayes.results.manifest import Manifest
from hlt_bayes.results.read import SPEC_CLASSES, read_kept

pytestmark = pytest.mark.usefixtures("netcdf_read_here")


@pytest.fixture(scope="module")
def whole(written_with_components):
    """A result folder."""
    return written_with_components


def thrown(whole, place, name, content):
    """A copy of a result with another file of this name, whose hash stands in the manifest."""
    target = shutil.copytree(whole, place / "mine")
    (target / name).write_bytes(content)
    if name != "manifest.json":
        rehash(target, name)
    return target


def folder_holds(whole, name, content):
    with folder() as place:
        target = thrown(whole, place, name, content)
        kept = result_or_error(lambda: read_kept(target), names=[str(target)], inside=place)
        if kept is None:
            return
        manifest = kept.manifest
        assert all(path.parent == target for path in (target / one for one in manifest.outputs))
        assert {role: spec.fingerprint for role, spec in kept.specs.items()} == {
            one.removesuffix(" spec"): used.sha256 for one, used in manifest.inputs.items() if one.endswith(" spec")
        }
        assert kept.evidence.sha256 == manifest.inputs["evidence"].sha256
        assert isinstance(manifest.seed, int)
        assert not any(text_findings(text) for text in [manifest.created, *manifest.versions, *manifest.outputs])


def as_json(told):
    """JSON of values among which there may be dates."""
    return json.dumps(told, default=str).encode()


def changed(whole, name):
    """Contents of a JSON file of a result, with changes."""
    told = json.loads((whole / name).read_text(encoding="utf-8"))
    as_bytes = mutated([told]).map(as_json)
    return st.one_of(as_bytes, damaged([(whole / name).read_bytes()]), junk.map(as_json))


@take("manifest")
@given(data=st.data())
def test_a_manifest_is_read_or_refused(whole, data):
    folder_holds(whole, "manifest.json", data.draw(changed(whole, "manifest.json")))


@take("specs of a result")
@given(data=st.data())
def test_specs_are_those_of_the_manifest_or_refused(whole, data):
    folder_holds(whole, "specs.json", data.draw(changed(whole, "specs.json")))


@take("evidence of a result")
@given(data=st.data())
def test_evidence_is_that_of_the_manifest_or_refused(whole, data):
    folder_holds(whole, "evidence.json", data.draw(changed(whole, "evidence.json")))


def test_a_manifest_that_is_not_checked_is_found_out(whole, monkeypatch):
    def trusting(place):
        return Manifest.model_construct(**json.loads((place / "manifest.json").read_text(encoding="utf-8")))

    monkeypatch.setattr(reading, "read_manifest", trusting)
    finds_out(
        changed(whole, "manifest.json"), lambda content: folder_holds(whole, "manifest.json", content), "manifest"
    )


def test_specs_that_are_not_compared_are_found_out(whole, monkeypatch):
    def trusting(place, _manifest):
        told = json.loads((place / "specs.json").read_text(encoding="utf-8"))
        return {role: SPEC_CLASSES[role].model_validate_json(json.dumps(spec)) for role, spec in told.items()}

    monkeypatch.setattr(reading, "_specs", trusting)
    finds_out(changed(whole, "specs.json"), partial(folder_holds, whole, "specs.json"), "specs of a result")


def test_evidence_that_is_not_compared_is_found_out(whole, monkeypatch):
    def trusting(place, _manifest, _given):
        return evidence_from_json((place / "evidence.json").read_bytes(), place)

    kept = json.loads((whole / "evidence.json").read_text(encoding="utf-8")) | {"as_printed": True}
    monkeypatch.setattr(reading, "_evidence", trusting)
    holds = partial(folder_holds, whole, "evidence.json")
    finds_out(st.just(json.dumps(kept).encode()), holds, "evidence of a result", error=AssertionError)
