"""netCDF files of draws that are whole, unusual or hostile, written with h5py."""

import h5py
import numpy as np

from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES

DIMS = ("chain", "draw", "outcome", "group")
LABELS = {"chain": [0, 1], "draw": range(5), "outcome": list(OUTCOMES), "group": list(GROUPS)}
SHAPE = (2, 5, 4, 3)


def values():
    return np.random.default_rng(1).normal(size=SHAPE) * 0.01


def draws_file(path, *, impact=None, more=None, labels=LABELS):
    """Write a file of draws: ``impact(group)`` makes the array, ``more(file, group)`` adds what else there is."""
    with h5py.File(path, "w") as file:
        group = file.create_group("posterior")
        array = group.create_dataset("impact", data=values()) if impact is None else impact(group)
        for place, (dim, names) in enumerate(labels.items()):
            group[dim] = list(names)
            group[dim].make_scale(dim)
            array.dims[place].attach_scale(group[dim])
        if more is not None:
            more(file, group)
    return path


def cycle(file, group):
    for number in range(5):
        file.create_group(f"a{number}")
    for one in range(5):
        for other in range(5):
            file[f"a{one}/to{other}"] = file[f"a{other}"]
    file["root"] = file
    group["self"], group["up"] = group, file


def many_groups(file, _group):
    for number in range(20_000):
        file.create_group(f"g{number}")


def many_arrays(_file, group):
    for number in range(1_100):
        group[f"a{number}"] = 1.0


def nested(file, _group):
    for _ in range(3_000):
        file = file.create_group("n")


def reserved(group):
    return group.create_dataset("impact", shape=SHAPE, dtype="f8")


def reserved_in_chunks(group):
    array = group.create_dataset("impact", shape=SHAPE, dtype="f8", chunks=(1, 5, 4, 3), fillvalue=0.01)
    array[0] = 0.02
    return array


def raw_bytes(path):
    """An array whose values are the bytes of another file."""
    return lambda group: group.create_dataset("impact", shape=SHAPE, dtype="f8", external=[(str(path), 0, 960)])


def virtual(path):
    """An array made of an array of another file."""

    def make(group):
        layout = h5py.VirtualLayout(shape=SHAPE, dtype="f8")
        layout[:] = h5py.VirtualSource(str(path), "posterior/impact", shape=SHAPE)
        return group.create_virtual_dataset("impact", layout)

    return make


def linked(**links):
    """Links of the root, or of the group of draws, in place of what they stand for."""

    def more(file, group):
        for name, link in links.items():
            where, key = (file, name) if name in ("posterior", "root") else (group, name)
            del where[key]
            where[key] = link

    return more


def as_r_writes(path):
    """A netCDF-4 file as R's ncdf4 writes it: no groups, labels as arrays of characters that are dims themselves."""
    with h5py.File(path, "w") as file:
        scales = {}
        numbers = {dim: number for number, dim in enumerate((*reversed(DIMS), "nchar"))}
        for dim, labels in LABELS.items():
            if isinstance(labels, list) and isinstance(labels[0], str):
                data = np.array([list(name.ljust(12, "\0")) for name in labels], dtype="S1")
                ids = [numbers[dim], numbers["nchar"]]
            else:
                data, ids = np.array(labels, dtype="i4") + 1, [numbers[dim]]
            scales[dim] = file.create_dataset(dim, data=data)
            scales[dim].attrs["_Netcdf4Coordinates"] = np.array(ids, dtype="i4")
        scales["nchar"] = file.create_dataset("nchar", shape=(12,), dtype=">f4")
        for dim, scale in scales.items():
            only = f"This is a netCDF dimension but not a netCDF variable. {12:9d}"
            h5py.h5ds.set_scale(scale.id, (only if dim == "nchar" else dim).encode())
            scale.attrs["_Netcdf4Dimid"] = np.int32(numbers[dim])
        array = file.create_dataset("impact", data=values())
        for place, dim in enumerate(DIMS):
            array.dims[place].attach_scale(scales[dim])
    return path
