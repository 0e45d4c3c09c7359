"""Who reads, writes, samples and starts processes: as the source says it, and as a running test shows it.

The scanner knows names, not types: it finds what an honest developer would write, and ``Watch`` finds what gets past it
while a test runs. Neither sees what a thread does that runs no code of the package; of what C libraries open by
themselves (HDF5, Arrow) the source alone speaks.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers import table_of_contributing

READ, WRITE, SAMPLE, START = "reads", "writes", "samples", "starts processes"

IN_MEMORY = ("io.BytesIO", "io.StringIO", "pyarrow.BufferOutputStream", "pyarrow.BufferReader")
"""What stands for a file but is none."""

FUNCTIONS = {
    READ: (
        *(f"os.{name}" for name in ("listdir", "scandir", "walk", "fwalk", "stat", "lstat", "access", "readlink")),
        *(f"os.path.{name}" for name in ("exists", "lexists", "is*", "get*", "realpath", "samefile", "ismount")),
        *("numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.from*file", "numpy.fromregex", "numpy.memmap"),
        *("numpy.lib.format.*", "xarray.open_*", "xarray.load_*", "xarray.tutorial.*", "xarray.backends.*"),
        *("pandas.read_*", "pandas.HDFStore", "pandas.ExcelFile", "pandas.io.*", "polars.read_*", "polars.scan_*"),
        *("arviz.from_*netcdf*", "arviz.from_zarr", "arviz.load_*", "arviz_base.from_*", "arviz_base.load_*"),
        *("pyarrow.parquet.*", "pyarrow.csv.*", "pyarrow.feather.*", "pyarrow.dataset.*", "pyarrow.orc.*"),
        *("pyarrow.ipc.open_file", "pyarrow.memory_map", "pyarrow.input_stream", "pyarrow.fs.*", "netCDF4.*"),
        *("scipy.io.*", "scipy.sparse.load_npz", "joblib.load", "pyreadstat.*", "linecache.*", "glob.*"),
        *("json.load", "pickle.load", "tomllib.load", "yaml.load", "importlib.resources.*", "pkgutil.get_data"),
        *("hlt_bayes.core.files.open_regular", "hlt_bayes.core.files.read_bytes", "fileinput.*"),
        *("configparser.*", "xml.etree.ElementTree.parse", "jinja2.PackageLoader"),
        *("jinja2.FileSystemLoader", "zipfile.*", "tarfile.*", "matplotlib.pyplot.imread", "PIL.*"),
    ),
    WRITE: (
        *(f"os.{name}" for name in ("open", "remove*", "unlink", "rename*", "replace", "mkdir", "makedirs", "rmdir")),
        *(f"os.{name}" for name in ("symlink", "link", "*truncate", "*chmod", "*chown", "utime", "mkfifo", "write")),
        *(f"os.{name}" for name in ("fdopen", "setxattr", "chdir", "mknod")),
        *(f"shutil.{name}" for name in ("copy*", "move", "rmtree", "make_archive", "unpack_archive", "chown")),
        *("tempfile.*", "numpy.save*", "numpy.memmap", "numpy.lib.format.*", "xarray.save_mfdataset"),
        *("pandas.to_pickle", "pandas.ExcelWriter", "pandas.HDFStore", "pyarrow.parquet.*", "pyarrow.feather.*"),
        *("pyarrow.csv.write_csv", "pyarrow.csv.CSVWriter", "pyarrow.dataset.*", "pyarrow.orc.*", "pyarrow.fs.*"),
        *("pyarrow.ipc.new_file", "pyarrow.OSFile", "pyarrow.output_stream", "pyarrow.memory_map", "netCDF4.*"),
        *("scipy.io.*", "scipy.sparse.save_npz", "joblib.dump", "pyreadstat.*", "json.dump", "pickle.dump"),
        *("yaml.dump", "zarr.*", "shelve.*", "dbm.*", "sqlite3.*", "zipfile.*", "tarfile.*", "filelock.*", "io.FileIO"),
        *("gzip.GzipFile", "bz2.BZ2File", "lzma.LZMAFile", "logging.FileHandler", "logging.basicConfig"),
        *("logging.handlers.*", "matplotlib.pyplot.imsave", "matplotlib.backends.*", "PIL.*"),
    ),
    SAMPLE: (
        *("pymc.sample*", "pymc.draw", "pymc.fit", "pymc.find_MAP", "pymc.smc.*", "pymc.sampling.*", "pymc_extras.*"),
        *("nutpie.sample", "numpyro.infer.*", "blackjax.*"),
    ),
    START: (
        *(
            "subprocess.*",
            "multiprocessing.*",
            "concurrent.futures.ProcessPoolExecutor",
            "concurrent.futures.process.*",
        ),
        *(f"os.{name}" for name in ("system", "popen", "posix_spawn*", "spawn*", "exec*", "fork*")),
        *(
            "asyncio.create_subprocess*",
            "socket.*",
            "urllib.request.*",
            "http.*",
            "requests.*",
            "ftplib.*",
            "smtplib.*",
        ),
    ),
}
"""Names that reach files, a sampler, other processes or the network, as the source imports them."""

REACHING = {
    kind: re.compile("|".join(re.escape(one).replace(r"\*", ".*") for one in patterns))
    for kind, patterns in FUNCTIONS.items()
}

HARMLESS = ("subprocess.CalledProcessError", "subprocess.TimeoutExpired", "socket.gethostname", "glob.escape")

OPENERS = ("open", "builtins.open", "io.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open")
OPENERS += ("h5py.File", "h5netcdf.File", "os.fdopen", "scipy.io.netcdf_file")
"""Names that read or write by the mode that they are called with; both, where they are not called at once."""

METHODS = {
    READ: {
        *("read_text", "read_bytes", "iterdir", "glob", "rglob", "exists", "is_file", "is_dir", "is_symlink"),
        *("stat", "lstat", "readlink", "samefile", "read_parquet", "read_csv", "read_stata"),
    },
    WRITE: {
        *("write_text", "write_bytes", "mkdir", "rmdir", "unlink", "touch", "symlink_to", "hardlink_to", "chmod"),
        *("savefig", "print_figure", "tofile", "rmtree", "mkdtemp", "mkstemp"),
    },
    SAMPLE: {"sample_prior_predictive", "sample_posterior_predictive"},
}
"""Methods that reach files or a sampler, whatever they belong to and whether or not they are called at once."""

WRITERS = {"to_csv", "to_parquet", "to_stata", "to_json", "to_excel", "to_pickle", "to_feather", "to_hdf", "to_orc"}
WRITERS |= {"to_netcdf", "to_zarr", "to_sql", "to_xml", "write_csv", "write_parquet", "dump"}
"""Methods that write where they are given a place first, and else give what they would write."""

PLACES = {"path", "path_or_buf", "path_or_buffer", "store", "filepath", "buf", "excel_writer", "fname", "filename"}
TO_PLACES = WRITERS | {"to_html", "to_string", "to_latex", "to_markdown"}
"""Keywords that name a place, and the methods that take one."""

PATHS = re.compile(r"path|file|folder|place|target|draft|staging|\bold\b|\bnew\b", re.IGNORECASE)
"""What a path is called: ``rename`` and ``replace`` of text, frames and arrays are namesakes of a path's."""


class Access(NamedTuple):
    """One place that reaches files, a sampler or other processes."""

    kind: str
    line: int
    what: str


def accesses(source: str) -> Iterator[Access]:
    """Find what reads, writes, samples or starts processes."""
    tree = ast.parse(source)
    names = _imported(tree)
    called = {node.func: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    inside = {inner: scope for scope in scopes for inner in ast.walk(scope)}
    seen = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        call = called.get(node)
        kinds = list(_kinds(node, call, names))
        if kinds and call is not None and _goes_to_memory(call, names, inside.get(call, tree)):
            continue
        for kind in kinds:
            if (kind, node.lineno) not in seen:
                seen.add((kind, node.lineno))
                yield Access(kind, node.lineno, ast.unparse(node))


def _imported(tree: ast.AST) -> dict[str, str]:
    found = {"open": "open"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Full name of what stands there, where its root was imported; else empty."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([names[node.id], *reversed(parts)]) if isinstance(node, ast.Name) and node.id in names else ""


def _kinds(node: ast.Name | ast.Attribute, call: ast.Call | None, names: dict[str, str]) -> Iterator[str]:
    name = _dotted(node, names)
    if name == "os.open" and call is not None and "os.O_RDONLY" in ast.unparse(call):
        yield READ
    elif name in OPENERS:
        yield from _by_mode(call, position=1)
    elif name and name not in HARMLESS:
        yield from (kind for kind, pattern in REACHING.items() if pattern.fullmatch(name))
    if not isinstance(node, ast.Attribute):
        return
    method = node.attr
    yield from (kind for kind, methods in METHODS.items() if method in methods and not name.startswith("os.path."))
    if call is None:
        if method in WRITERS and PATHS.search(ast.unparse(node.value)) is None and method != "dump":
            yield WRITE
        return
    if method == "open" and not name:
        yield from _by_mode(call, position=0)
    given = {one.arg for one in call.keywords}
    place = bool(call.args) and not (isinstance(call.args[0], ast.Constant) and call.args[0].value is None)
    if (method in WRITERS and place) or (method in TO_PLACES and (given & PLACES or None in given)):
        yield WRITE
    if method in ("rename", "replace", "move", "copy") and _moves_a_path(node, call):
        yield WRITE


def _moves_a_path(node: ast.Attribute, call: ast.Call) -> bool:
    of_path = PATHS.search(ast.unparse(node.value)) is not None
    if node.attr in ("move", "copy"):
        return of_path and len(call.args) == 1
    return (of_path and len(call.args) < 2) or {one.arg for one in call.keywords} == {"target"}


def _goes_to_memory(call: ast.Call, names: dict[str, str], scope: ast.AST) -> bool:
    """Whether what a call reads or writes is no file: made in the call, or bound in the same function."""
    places = [*call.args[:1], *(one.value for one in call.keywords if one.arg in PLACES | {"filepath_or_buffer"})]
    bound: set[str] = set()
    for node in ast.walk(scope):
        pairs: list[tuple[ast.expr | None, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(node.value, target) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            pairs = [(node.value, node.target)]
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            pairs = [(node.context_expr, node.optional_vars)]
        bound |= {ast.unparse(target) for value, target in pairs if _is_memory(value, names)}
    return any(_is_memory(place, names) or ast.unparse(place) in bound for place in places)


def _is_memory(node: ast.expr | None, names: dict[str, str]) -> bool:
    return isinstance(node, ast.Call) and _dotted(node.func, names) in IN_MEMORY


def _by_mode(call: ast.Call | None, *, position: int) -> Iterator[str]:
    mode: ast.expr = ast.Constant("r")
    if call is None or any(one.arg is None for one in call.keywords):
        mode = ast.Constant("r+")
    elif given := [one.value for one in call.keywords if one.arg == "mode"] + call.args[position : position + 1]:
        mode = given[0]
    text = str(mode.value) if isinstance(mode, ast.Constant) else "r+"
    if set(text) & set("r+"):
        yield READ
    if set(text) & set("wax+"):
        yield WRITE


COMPILERS = ("numba", "pytensor", "llvmlite", "nutpie")
"""What keeps its compiled code in places of its own."""

FINDERS = ("importlib._bootstrap", "importlib.metadata", "importlib_metadata", "linecache")
"""What looks for modules, their versions and their source."""

STARTERS = ("subprocess", "os", "socket", "socketserver", "multiprocessing", "concurrent", "asyncio", "urllib", "http")
"""Modules through which code starts a process of its own; others start some to ask what machine this is, once each."""

OPENS_FOR_OTHERS = os.path.join("core", "files.py")  # noqa: PTH118
"""The module through which others read: they count, not it."""

HERE = str(Path(__file__).parent) + os.sep

_PLACES = [*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix]
INSTALLED = tuple(sorted({*_PLACES, *(str(Path(place).resolve()) for place in _PLACES)}))
SYSTEM = ("/proc/", "/sys/", "/dev/null", "/dev/urandom", "/usr/share/", "/usr/lib/", "/etc/")
"""Where Python and its libraries lie, and what the system says of itself: anybody may read there."""

EVENTS = {
    "open": None,
    **dict.fromkeys(("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"), WRITE),
    **dict.fromkeys(("os.utime", "os.chmod", "os.chown", "os.setxattr", "sqlite3.connect"), WRITE),
    **dict.fromkeys(("shutil.copyfile", "shutil.move", "shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp"), WRITE),
    **dict.fromkeys(("os.listdir", "os.scandir"), READ),
    **dict.fromkeys(("subprocess.Popen", "os.system", "os.posix_spawn", "os.spawn", "os.exec"), START),
    **dict.fromkeys(("socket.connect", "socket.sendto", "socket.bind"), START),
}
"""Audit events of the interpreter that reach files, other processes or the network; of ``open`` the mode tells."""


class Watch:
    """Refuses, while it is on, what the package may not read, write or start; the innermost of its files counts."""

    def __init__(self, package: Path, allowed: dict[str, set[str]]) -> None:
        self.package = str(package) + os.sep
        self.allowed = allowed
        self.on = False
        self.refused: list[str] = []

    def install(self) -> None:
        """Hook into the interpreter, for good; without being on it lets all pass."""
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on or event not in EVENTS:
            return
        kind = EVENTS[event] or _kind_of_opening(arguments)
        target = arguments[0] if arguments else ""
        if isinstance(target, int) or target == os.devnull or (kind == READ and self._anybody_may_read(target)):
            return
        place = self._place(kind)
        if place is not None and not may(kind, place, self.allowed):
            self.refused.append(f"hlt_bayes/{place} {kind} {target} ({event})")
            raise PermissionError(self.refused[-1])

    def _anybody_may_read(self, target: object) -> bool:
        path = os.path.abspath(os.fsdecode(target) if isinstance(target, bytes) else str(target))  # noqa: PTH100
        return path.startswith((*INSTALLED, *SYSTEM)) and not path.startswith(self.package)

    def _place(self, kind: str) -> str | None:
        """File of the package whose code is innermost; none where a test's is, or what finds modules, or a compiler."""
        frame = sys._getframe(2)
        while frame is not None:
            name, module = frame.f_code.co_filename, frame.f_globals.get("__name__", "")
            if name.startswith(("<frozen importlib", HERE)) or module.startswith(FINDERS):
                return None
            if name.startswith(self.package) and name != self.package + OPENS_FOR_OTHERS:
                return name.removeprefix(self.package)
            top = module.split(".")[0]
            if top in COMPILERS or (kind == START and top not in STARTERS):
                return None
            frame = frame.f_back
        return None


def _kind_of_opening(arguments: tuple[object, ...]) -> str:
    _, mode, flags = (*arguments, None, None)[:3]
    if isinstance(mode, str):
        return WRITE if set(mode) & set("wax+") else READ
    return WRITE if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else READ


def edges() -> dict[str, set[str]]:
    """Who may do what, as CONTRIBUTING.md lists it."""
    return {where: set(what.split(", ")) for where, what, _ in table_of_contributing("Who reads, writes and samples")}


def may(kind: str, place: str, allowed: dict[str, set[str]]) -> bool:
    """Whether a file of the package may: it, or a folder that it lies in, stands in ``allowed``."""
    return any(
        kind in kinds and (place == name or (name.endswith("/") and place.startswith(name)))
        for name, kinds in allowed.items()
    )
