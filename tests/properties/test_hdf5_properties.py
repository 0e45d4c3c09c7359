"""HDF5 files of any structure: the draws that are in them, or a line that says why not, within seconds."""

import resource

import h5py
import hdf5_files
import numpy as np
from helpers import answer_here
from hypothesis import given
from hypothesis import strategies as st
from mutations import texts
from properties import finds_out, folder, listing, result_or_error, take

import hlt_bayes as hb
from hlt_bayes.core.text import label_findings
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES
from hlt_bayes.impacts import external_files, netcdf_reader

UNITS = {"employment": "proportion", "earnings": "GBP", "health": "SD", "wellbeing": "SD"}
SECONDS = 10

IMPACTS = {
    "values": None,
    "reserved": hdf5_files.reserved,
    "in chunks": hdf5_files.reserved_in_chunks,
    "compressed": lambda group: group.create_dataset("impact", data=hdf5_files.values(), compression="gzip"),
    "lzf": lambda group: group.create_dataset("impact", data=hdf5_files.values(), compression="lzf"),
    "whole numbers": lambda group: group.create_dataset("impact", data=np.zeros(hdf5_files.SHAPE, dtype="i2")),
    "text": lambda group: group.create_dataset("impact", data=np.full(hdf5_files.SHAPE, b"a")),
    "empty": lambda group: group.create_dataset("impact", data=h5py.Empty("f8")),
    "resizable": lambda group: group.create_dataset(
        "impact", data=hdf5_files.values(), maxshape=(None,) * 4, chunks=(1, 2, 3, 3)
    ),
    "of another file": hdf5_files.raw_bytes("/etc/passwd"),
    "virtual": hdf5_files.virtual("other.nc"),
}
MORES = {
    "nothing": lambda _file, _group: None,
    "cycle": hdf5_files.cycle,
    "nested": hdf5_files.nested,
    "soft link": lambda _file, group: group.__setitem__("soft", h5py.SoftLink("/posterior/impact")),
    "link to itself": lambda _file, group: group.__setitem__("me", h5py.SoftLink("/posterior/me")),
    "link out": lambda file, _group: file.__setitem__("out", h5py.ExternalLink("/etc/passwd", "/")),
    "draws linked": hdf5_files.linked(posterior=h5py.SoftLink("/nowhere")),
    "impact linked": hdf5_files.linked(impact=h5py.ExternalLink("other.nc", "/posterior/impact")),
    "type": lambda _file, group: group.__setitem__("kind", np.dtype("f8")),
    "scalar": lambda _file, group: group.__setitem__("one", 3.0),
    "long attribute": lambda _file, group: group.attrs.update(text="x" * 60_000),
    "odd attributes": lambda file, group: (file.attrs.update(a=h5py.Empty("f4")), group.attrs.update(b=group.ref)),
    "no class": lambda _file, group: group["group"].attrs.__delitem__("CLASS"),
    "another name": lambda _file, group: group["group"].attrs.__setitem__("NAME", np.bytes_(b"\xff\xfe")),
    "dims of nothing": lambda _file, group: group["impact"].attrs.__delitem__("DIMENSION_LIST"),
}
labels = st.fixed_dictionaries(
    {
        "chain": st.sampled_from([[0, 1], [1.5, 2.5], ["a", "b"]]),
        "draw": st.just(range(5)),
        "outcome": st.one_of(st.just(list(OUTCOMES)), st.lists(texts, min_size=4, max_size=4)),
        "group": st.one_of(st.just(list(GROUPS)), st.lists(texts, min_size=3, max_size=3), st.just([1, 2, 3])),
    }
)
structures = st.tuples(st.sampled_from(sorted(IMPACTS)), st.lists(st.sampled_from(sorted(MORES)), max_size=2), labels)


def structure_holds(structure):
    impact, mores, named = structure
    with folder() as place:
        path = place / "thrown.nc"

        def more(file, group):
            for name in mores:
                MORES[name](file, group)

        try:
            hdf5_files.draws_file(path, impact=IMPACTS[impact], more=more, labels=named)
        except (ValueError, TypeError, LookupError, OSError, RuntimeError):
            return  # HDF5 does not write such a thing
        before = listing(place)
        began = _seconds_of_children()
        tree = result_or_error(lambda: hb.from_posterior(path, units=UNITS))
        if tree is not None:
            found = tree["posterior"]["impact"]
            expected = 0.0 if impact == "whole numbers" else hdf5_files.values()
            np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))
            assert not any(label_findings(str(name)) for name in found["group"].to_numpy())
        assert _seconds_of_children() - began < SECONDS
        assert listing(place) == before


def _seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@take("HDF5 structure")
@given(structures)
def test_a_structure_is_read_or_refused(structure):
    structure_holds(structure)


def test_values_of_other_files_would_be_found_out(monkeypatch):
    monkeypatch.setattr(external_files, "_answer", answer_here)
    monkeypatch.setattr(netcdf_reader, "_check_storage", lambda *_: None)
    found = st.tuples(st.sampled_from(["reserved", "in chunks", "of another file"]), st.just([]), labels)
    finds_out(found, structure_holds, "HDF5 structure", error=AssertionError)
