"""Notebooks as a reader runs them: each ends, quietly, and says what it said when it was kept."""

import sys
import tempfile

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from kept_notebooks import NOTEBOOKS, differences, outputs, read
from nbclient import NotebookClient

pytestmark = pytest.mark.ci

HANGS = 900
"""Seconds after which a cell is taken to hang."""


class ThisPython(AsyncKernelManager):
    """Starts the kernel with the interpreter of the tests, whichever kernels are installed."""

    def format_kernel_cmd(self, extra_arguments=None):
        where = ["-f", self.connection_file]
        return [sys.executable, "-m", "ipykernel_launcher", *where, *(extra_arguments or [])]


def run(path, folder):
    """Run a notebook with ``folder`` as where it stands, metadata as they are kept."""
    notebook = read(path)
    metadata = notebook.metadata.copy()
    where = {"metadata": {"path": str(folder)}}
    # Local sockets in place of ports, so that nobody else can listen; their paths must be short.
    with tempfile.TemporaryDirectory(prefix="k") as sockets:
        manager = ThisPython(kernel_name="python3", transport="ipc", ip=f"{sockets}/k")
        client = NotebookClient(notebook, km=manager, timeout=HANGS, record_timing=False, resources=where)
        client.execute(cleanup_kc=True)
    notebook.metadata = metadata
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_what_it_said(path, request, tmp_path):
    fresh = run(path, tmp_path)
    loud = [cell for cell, output in outputs(fresh) if output.get("name") == "stderr"]
    assert not loud
    assert not list(tmp_path.iterdir())
    if request.config.getoption("--golden"):
        nbformat.write(fresh, path)
    assert not differences(read(path), fresh)
