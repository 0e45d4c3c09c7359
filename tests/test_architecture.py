"""Data flows one way: no module imports one to its right; the edges alone read, write and sample.

Rooms, their order and the edges are those that CONTRIBUTING.md lists: it is what is read here.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from file_access import READ, SAMPLE, START, WRITE, accesses, edges, may
from helpers import ROOT, table_of_contributing

import hlt_bayes

PACKAGE = Path(hlt_bayes.__file__).parent
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE}
FILES |= {path.name: path for path in PACKAGE.glob("*.py") if path.name != "__init__.py"}


ORDER = [[name.strip("` /") for name in row[0].split(",")] for row in table_of_contributing("Package layout")]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
EDGES = edges()


def room_of(file):
    return file.split("/")[0].removesuffix(".py")


def imported(source):
    """Names of the modules of this package that a source imports, wherever in it; relative ones as they stand."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{'.' * node.level}{node.module or ''}"
        elif isinstance(node, ast.ImportFrom) and node.module == "hlt_bayes":
            yield from (f"hlt_bayes.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))


def against_the_order(room, source):
    """Imports of rooms that are not to the left; relative ones, and of the package as a whole, are never needed."""
    found = [name for name in imported(source) if name.startswith((".", "hlt_bayes"))]
    others = {name: name.split(".")[1] if name.startswith("hlt_bayes.") else name for name in found}
    return sorted(
        name for name, other in others.items() if other != room and not RANK.get(other, len(ORDER)) < RANK[room]
    )


def not_allowed(file, source):
    return [one for one in accesses(source) if not may(one.kind, file, EDGES)]


@pytest.mark.parametrize("file", FILES)
def test_imports_run_to_the_left(file):
    assert not against_the_order(room_of(file), FILES[file].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("economics", "from hlt_bayes.cli.run import run"),
        ("economics", "import hlt_bayes.results.write"),
        ("evidence", "from hlt_bayes import specs"),
        ("evidence", "def late():\n    from hlt_bayes.specs.load import read_spec"),
        ("economics", "from hlt_bayes.meta import ips_prior"),
        ("core", "from hlt_bayes.no_such_room import anything"),
        ("economics", "from ..cli.run import run"),
        ("economics", "from .. import cli"),
        ("economics", "import hlt_bayes as hb"),
        ("economics", "from hlt_bayes import fit"),
        ("economics", 'import importlib\nimportlib.import_module("hlt_bayes.cli.run")'),
        ("economics", "if TYPE_CHECKING:\n    from hlt_bayes.analysis import Analysis"),
    ],
)
def test_an_import_against_the_order_is_found_out(room, line):
    assert against_the_order(room, line)


def test_the_map_names_every_room_once():
    named = [name for names in ORDER for name in names]
    assert sorted(named) == sorted({room_of(file) for file in FILES})


@pytest.mark.parametrize("file", FILES)
def test_only_the_edges_read_write_and_sample(file):
    assert not not_allowed(file, FILES[file].read_text(encoding="utf-8"))


def test_every_edge_is_one():
    found = {(name, kind) for name, kinds in EDGES.items() for kind in kinds}
    used = {
        (name, one.kind)
        for file, path in FILES.items()
        for one in accesses(path.read_text(encoding="utf-8"))
        for name in EDGES
        if may(one.kind, file, {name: {one.kind}})
    }
    assert found == found & used, f"listed without need: {sorted(found - used)}"


PLANTED = {
    WRITE: [
        'open("x", "w")',
        'open("x", mode="ab")',
        "open(name, mode)",
        "open(name, **kinds)",
        "from functools import partial\npartial(open, mode='w')(path)",
        'import io\nio.open("x", "r+")',
        'path.open("w")',
        'from pathlib import Path\nPath("x").write_text("")',
        "path.unlink()",
        "stack.callback(path.unlink)",
        "path.replace(other)",
        'path.rename("b")',
        "path.rename(target=other)",
        "folder.mkdir(parents=True)",
        'import h5py\nh5py.File("x", "w")',
        'import numpy as np\nnp.save("x", a)',
        "from numpy import savez\nsavez(path, a=a)",
        'import numpy as np\nnp.memmap(path, mode="w+")',
        "array.dump(path)",
        'import os\nos.remove("x")',
        "import os as o\no.replace(a, b)",
        "from os import makedirs as m\nm(x)",
        "import shutil\nshutil.rmtree(x)",
        "from shutil import copytree\ncopytree(a, b)",
        "import tempfile\ntempfile.NamedTemporaryFile()",
        'frame.to_csv("x.csv")',
        "save = frame.to_csv\nsave(path)",
        "import pandas as pd\npd.DataFrame.to_csv(frame, path)",
        "import pandas as pd\npd.ExcelWriter(path)",
        "table.to_parquet(path=place)",
        'tree.to_netcdf("x.nc")',
        'tree.to_netcdf(filepath="x.nc")',
        "from hlt_bayes.impacts import draws\ndef f(draws):\n    draws.to_netcdf('x.nc')",
        "frame.to_html(buf=place)",
        "frame.to_csv(**where)",
        "tree.to_zarr(store)",
        "figure.savefig(path)",
        'import matplotlib.pyplot as plt\nplt.savefig("x.png")',
        "import pyarrow.parquet as pq\npq.write_table(t, path)",
        "import pyarrow.feather as feather\nfeather.write_feather(t, path)",
        "import json\njson.dump(x, handle)",
        "import io, numpy as np\ndef f():\n    file = io.BytesIO()\ndef g(file):\n    np.save(file, a)",
        "import joblib\njoblib.dump(x, path)",
        "import sqlite3\nsqlite3.connect(path)",
    ],
    READ: [
        'open("x")',
        'path.open(mode="rb")',
        'from pathlib import Path as P\nP("x").read_bytes()',
        "sorted(folder.iterdir())",
        "folder.glob('*')",
        "from hlt_bayes.evidence.load import EMBEDDED\nEMBEDDED.iterdir()",
        "import h5py\nh5py.File(path)",
        "import xarray as xr\nxr.open_dataset(path)",
        "from xarray import load_datatree\nload_datatree(path)",
        "def late():\n    import pandas as pd\n    return pd.read_csv(path)",
        "import pandas as pd\nlist(map(pd.read_csv, paths))",
        "import pandas as pd\n{'csv': pd.read_csv}[kind](path)",
        "import numpy as np\nnp.loadtxt(path)",
        "import arviz as az\naz.from_netcdf(path)",
        "import os\nos.listdir(x)",
        "from os.path import exists\nexists(x)",
        "import importlib.resources\nimportlib.resources.read_text('a', 'b')",
    ],
    SAMPLE: [
        "import pymc as pm\npm.sample()",
        "from pymc import draw\ndraw(x)",
        "import pymc as pm\npm.find_MAP()",
        "from pymc.sampling import sample\nsample()",
        "import nutpie\nnutpie.sample(model)",
        "import pymc\npymc.sample_prior_predictive()",
        "model.sample_posterior_predictive()",
    ],
    START: [
        "import subprocess\nsubprocess.run(['rm', 'x'])",
        "import os\nos.system('rm x')",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor()",
        "import multiprocessing as mp\nmp.Pool()",
        "import urllib.request\nurllib.request.urlopen(x)",
        "import socket\nsocket.create_connection(x)",
    ],
}


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, codes in PLANTED.items() for code in codes])
def test_a_planted_access_is_found_out(kind, code):
    found = not_allowed("economics/valuation.py", code)
    assert kind in {one.kind for one in found}
    assert all(1 <= one.line <= len(code.splitlines()) for one in found)


@pytest.mark.parametrize(
    "code",
    [
        'text.replace("a", "b")',
        "text.replace(*pair)",
        "series.replace(mapping)",
        'array.rename({"a": "b"})',
        'series.rename("probability")',
        "dataset.rename(mapping)",
        "array.copy(order)",
        "frame.to_csv(index=False)",
        "frame.to_csv(None)",
        "frame.to_string(columns)",
        'bytes(tree.to_netcdf(engine="h5netcdf"))',
        "import io, numpy as np\nfile = io.BytesIO()\nnp.save(file, a)",
        "import io, numpy as np\nwith io.BytesIO() as file:\n    np.save(file, a)",
        "import io\nfigure.savefig(fname=io.BytesIO())",
        "import io, xarray as xr\nxr.load_datatree(io.BytesIO(content))",
        "rng.normal(size=3)",
        "frame.sample(3)",
        "market.open",
        "import os\nos.cpu_count()\nos.path.join(a, b)",
        "import subprocess\nraise subprocess.CalledProcessError(1, 'x')",
    ],
)
def test_what_reaches_no_file_is_let_pass(code):
    assert not not_allowed("economics/valuation.py", code)


def test_every_kind_of_edge_has_planted_violations():
    assert set(PLANTED) == {READ, WRITE, SAMPLE, START} == {kind for kinds in EDGES.values() for kind in kinds}


def planted(place, code, **given):
    """Run code as if it stood in a file of the package."""
    names = dict(given)
    exec(compile(code, str(PACKAGE / place), "exec"), names)  # noqa: S102 - planted on purpose
    return names


@pytest.mark.parametrize(
    "code",
    [
        "open(path)",
        "open(path, 'w')",
        "getattr(path, 'write' + '_text')('')",
        "path.unlink()",
        "__import__('os').rename(path, str(path) + '.old')",
        "__import__('shutil').copy(path, str(path) + '.copy')",
        "__import__('numpy').save(path, [1])",
        "__import__('pandas').DataFrame({'a': [1]}).to_csv(path)",
        "__import__('os').listdir(path.parent)",
        "__import__('subprocess').run(['true'])",
        "__import__('tempfile').mkdtemp()",
        "__import__('os').utime(path)",
        "__import__('sqlite3').connect(str(path) + '.db')",
        "__import__('os').posix_spawn('/bin/true', ['true'], {})",
        "open(package / 'evidence/tables.toml')",
    ],
)
def test_a_pure_room_is_refused_files_when_it_runs(code, file_watch, tmp_path):
    path = tmp_path / "there"
    path.write_text("x", encoding="utf-8")
    with pytest.raises(PermissionError, match=r"hlt_bayes/economics/planted.py (reads|writes|starts)"):
        planted("economics/planted.py", code, path=path, package=PACKAGE)
    assert len(file_watch.refused) == 1
    file_watch.refused.clear()
    assert [one.name for one in tmp_path.iterdir()] == ["there"]
    assert path.read_text(encoding="utf-8") == "x"


def test_a_refusal_that_is_caught_is_still_told(file_watch, tmp_path):
    code = "try:\n    path.write_text('')\nexcept OSError:\n    pass"
    planted("economics/planted.py", code, path=tmp_path / "there")
    assert [one.split(" (")[0] for one in file_watch.refused] == [
        f"hlt_bayes/economics/planted.py writes {tmp_path / 'there'}"
    ]
    file_watch.refused.clear()


def test_an_edge_may_and_imports_are_no_access(file_watch, tmp_path):
    path = tmp_path / "there"
    path.write_text("x", encoding="utf-8")
    assert planted("results/planted.py", "text = path.read_text()", path=path)["text"] == "x"
    planted("economics/planted.py", "import wave")
    planted("economics/planted.py", "import traceback\nsaid = traceback.format_list(traceback.extract_stack())")
    planted("economics/planted.py", "import zoneinfo\nzoneinfo.ZoneInfo('Europe/London')\nopen('/dev/null').close()")
    # What libraries ask of the machine once a process would make a test depend on those before it.
    planted(
        "economics/planted.py",
        "import platform\nplatform._uname_cache = None\nplatform._platform_cache.clear()\nplatform.platform()",
    )
    # Code of a pure room that calls an edge is not what reads.
    reader = planted("specs/planted.py", "def read(path):\n    return path.read_text()")["read"]
    assert planted("economics/planted.py", "text = read(path)", path=path, read=reader)["text"] == "x"
    assert not file_watch.refused


def test_importing_the_package_loads_no_heavy_library():
    code = "import sys, hlt_bayes; print(sorted({'pymc', 'pandas', 'numpy', 'arviz'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_no_module_hides_a_public_name():
    # Importing hlt_bayes.x anywhere binds hlt_bayes.x to the module, whatever the package offers by that name.
    assert not set(hlt_bayes.__all__) & set(RANK)


def test_every_public_name_is_there_and_says_what_it_is():
    for name in hlt_bayes.__all__:
        assert getattr(hlt_bayes, name).__doc__, name
    with pytest.raises(AttributeError, match="sumary"):
        _ = hlt_bayes.sumary


def defined(source):
    """Functions, classes and constants that a module defines, those that a decorator registers apart."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if not (isinstance(node, ast.FunctionDef) and node.decorator_list):
                yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def used(source):
    """Names that a module reads, its own or another's; a name that is only imported, or stands in a text, is not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            # Types of annotations and casts may be written as text.
            yield node.value


def unused(sources, elsewhere=frozenset()):
    """Names of a package that nothing in it uses, and that are not public ones in use ``elsewhere``."""
    read = set().union(*(used(source) for source in sources.values()))
    return {
        f"{file}: {name}"
        for file, source in sources.items()
        for name in defined(source)
        if name not in read and not name.startswith("__") and (name.startswith("_") or name not in elsewhere)
    }


def test_no_name_is_unused():
    sources = {file: path.read_text(encoding="utf-8") for file, path in FILES.items()}
    shown = [PACKAGE / "__init__.pyi", *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("tests/**/*.py")]
    elsewhere = set(re.findall(r"\w+", "\n".join(path.read_text(encoding="utf-8") for path in shown)))
    assert not unused(sources, elsewhere)


@pytest.mark.parametrize(
    "code",
    ["def _helper():\n    pass", "_LIMIT = 3", "class Unused:\n    pass", 'def stale():\n    """As ``stale``."""'],
)
def test_a_name_that_nothing_uses_is_found_out(code):
    assert len(unused({"a.py": code, "b.py": "from a import _helper, _LIMIT, Unused, stale"}, {"Other"})) == 1
    assert not unused({"a.py": code, "b.py": "print(_helper, _LIMIT, Unused, stale)"})
