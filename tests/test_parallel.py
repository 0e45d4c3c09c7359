"""Tasks give the same results over any workers, whatever is killed, and a journal keeps what is finished."""

import contextlib
import hashlib
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hlt_bayes.core.errors import TaskError
from hlt_bayes.core.parallel import pool as module
from hlt_bayes.core.parallel import run_tasks
from hlt_bayes.core.parallel.journal import HEAD, HEADER, Journal, digest
from hlt_bayes.core.parallel.serialise import from_bytes
from hlt_bayes.core.threads import BLAS_THREADS

VARIABLES = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
"""Other processes find this module by it; spawned workers are given sys.path anyway."""


@dataclass(frozen=True)
class Task:
    """Draws, leaves a file for each time that it was run, and does what ``act`` says."""

    seed: int
    folder: str
    act: str = ""


def draw(task):
    ran = Path(task.folder, f"{task.seed}.ran")
    with ran.open("a") as file:
        file.write("x")
    if task.act == "raise":
        raise ZeroDivisionError(f"task {task.seed}")
    if task.act == "die" or (task.act == "die once" and len(ran.read_text()) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if task.act == "sleep":
        time.sleep(600)
    if task.act == "slow":
        time.sleep(0.3)
    if task.act == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
    generator = random.Random(task.seed)  # noqa: S311 -- NumPy would take each worker a while to import
    return [generator.gauss() for _ in range(3)]


def tasks_of(folder, count, **acts):
    return [Task(seed, str(folder), acts.get(f"task{seed}", "")) for seed in range(count)]


def runs(folder, count):
    """How often each task was run."""
    files = [Path(folder, f"{seed}.ran") for seed in range(count)]
    return [len(file.read_text()) if file.exists() else 0 for file in files]


def environment(_task):
    return dict(os.environ)


def process(_task):
    return os.getpid()


def meet(task):
    folder, number = task
    (folder / f"here{number}").touch()
    while not (folder / f"here{1 - number}").exists():
        time.sleep(0.01)
    return os.getpid()


def count_words(words):
    with Path("counted").open("a") as file:
        file.write("x")
    return len(words)


@pytest.fixture
def expected(tmp_path):
    (tmp_path / "alone").mkdir()
    return run_tasks(draw, tasks_of(tmp_path / "alone", 12), workers=1)


# ---- results ----


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_gives_the_same_results_in_the_order_of_tasks(tmp_path, expected, workers):
    assert len({tuple(result) for result in expected}) == 12
    assert run_tasks(draw, tasks_of(tmp_path, 12), workers=workers) == expected
    assert runs(tmp_path, 12) == [1] * 12


def test_work_is_shared(tmp_path):
    # Each waits for the other, so that one worker alone would never end.
    assert len(set(run_tasks(meet, [(tmp_path, 0), (tmp_path, 1)], workers=2)) - {os.getpid()}) == 2


@pytest.mark.parametrize(("chosen", "expected"), [({}, "1"), ({"OMP_NUM_THREADS": "7"}, "7")])
def test_workers_have_one_thread_unless_the_user_chose_a_number(monkeypatch, chosen, expected):
    for name in (*BLAS_THREADS, "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    (found,) = run_tasks(environment, [0], workers=2)
    assert found["OMP_NUM_THREADS"] == expected
    assert found.get("OPENBLAS_NUM_THREADS") == (None if chosen else "1")
    assert found["NUMBA_NUM_THREADS"] == "1"
    assert dict(os.environ) == before


def test_one_worker_is_this_process():
    assert run_tasks(process, [0], workers=1) == [os.getpid()]


def test_progress_counts_up_to_all_and_no_task_needs_no_worker():
    told = []
    run_tasks(abs, [-1, -2, -3], workers=1, progress=lambda *step: told.append(step), stage="Replicates")
    assert told == [("Replicates", done, 3) for done in range(4)]
    assert run_tasks(abs, []) == []


def test_few_tasks_are_in_flight(monkeypatch):
    most = 0

    def watched(futures, **options):
        nonlocal most
        most = max(most, len(futures))
        return module_wait(futures, **options)

    module_wait = module.wait
    monkeypatch.setattr(module, "wait", watched)
    assert run_tasks(abs, range(200), workers=2) == list(range(200))
    assert most == 2 * module.IN_FLIGHT


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda task: task, {}, "cannot be sent to workers .* use a module-level function"),
        (abs, {"workers": 0}, "give either at least one worker or a scheduler"),
        (abs, {"workers": 2, "scheduler": "tcp://127.0.0.1:1"}, "give either at least one worker or a scheduler"),
    ],
)
def test_what_cannot_be_run_is_refused(function, options, message):
    with pytest.raises(TaskError, match=message):
        run_tasks(function, [1], **options)


def test_dask_that_is_not_installed_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(TaskError, match=r"pip install 'hlt-bayes\[dask\]'"):
        run_tasks(abs, [1], scheduler="tcp://127.0.0.1:1")


# ---- what goes wrong in workers ----


def test_a_killed_worker_loses_nothing(tmp_path, expected):
    assert run_tasks(draw, tasks_of(tmp_path, 12, task5="die once"), workers=2) == expected
    assert runs(tmp_path, 12)[5] == 2


@pytest.mark.ci
def test_a_task_that_kills_every_worker_is_given_up_when_the_other_is_done(tmp_path):
    journal = tmp_path / "journal"
    # The other takes longer than the first needs to kill its worker, and with it the pool.
    both = tasks_of(tmp_path, 2, task0="die", task1="slow")
    with pytest.raises(TaskError, match="died 4 times without finishing a task; 1 tasks remain"):
        run_tasks(draw, both, workers=2, journal=journal)
    assert len(records(journal)) - 1 == 1
    # The count began anew when the other finished.
    assert runs(tmp_path, 2)[0] > module.RETRIES + 1


def test_an_interrupt_is_for_the_parent_alone(tmp_path, expected):
    try:
        assert run_tasks(draw, tasks_of(tmp_path, 12, task5="interrupt"), workers=2) == expected
    except KeyboardInterrupt:
        pytest.fail("the worker took it")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_raises_ends_the_run_and_leaves_the_journal(tmp_path, expected, workers):
    journal = tmp_path / "journal"
    # The last sleeps for ten minutes, were it not killed.
    broken = tasks_of(tmp_path, 12, task8="raise", task11="sleep")
    with pytest.raises(ZeroDivisionError, match="task 8"):
        run_tasks(draw, broken, workers=workers, journal=journal)
    assert runs(tmp_path, 12)[8] == 1
    finished, begun = len(records(journal)) - 1, sum(runs(tmp_path, 12))
    assert finished > 0
    assert run_tasks(draw, tasks_of(tmp_path, 12), workers=1, journal=journal) == expected
    assert sum(runs(tmp_path, 12)) - begun == 12 - finished


SCRIPT = """
import sys
from test_parallel import draw, tasks_of
from hlt_bayes.core.parallel import run_tasks

def show(stage, done, total):
    print(done, flush=True)

{guard}:
    tasks = tasks_of(sys.argv[1], 5, task4="sleep")
    run_tasks(draw, tasks, workers=2, journal=sys.argv[2], progress=show)
"""


@contextlib.contextmanager
def script(tmp_path, guard='if __name__ == "__main__"'):
    (tmp_path / "script.py").write_text(SCRIPT.format(guard=guard))
    with subprocess.Popen(
        [sys.executable, tmp_path / "script.py", tmp_path, tmp_path / "journal"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=VARIABLES,
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


def group_is_gone(pid):
    """Whether nothing of a process group is left within 5 seconds."""
    for _ in range(100):
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.ci
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_or_killed_run_leaves_no_process_and_a_journal(tmp_path, expected, number):
    with script(tmp_path) as running:
        # One worker sleeps then, the other is idle.
        while running.stdout.readline() != "4\n":
            pass
        if number == signal.SIGINT:
            os.killpg(running.pid, number)
        else:
            running.kill()
        _, errors = running.communicate(timeout=60)
        assert running.returncode == -number
        assert group_is_gone(running.pid)
    assert errors.endswith("KeyboardInterrupt\n") == (number == signal.SIGINT)
    before = runs(tmp_path, 4)
    results = run_tasks(draw, tasks_of(tmp_path, 4), workers=1, journal=tmp_path / "journal")
    assert (results, runs(tmp_path, 4)) == (expected[:4], before)


def test_a_script_without_a_guard_ends_and_is_told_so(tmp_path):
    with script(tmp_path, guard="if True") as running:
        _, errors = running.communicate(timeout=120)
    assert running.returncode == 1
    assert 'call run_tasks under `if __name__ == "__main__":`' in errors.splitlines()[-1]


# ---- the journal ----


def test_a_second_call_runs_only_what_is_missing(tmp_path, expected):
    journal = tmp_path / "journal"
    told = []
    run_tasks(draw, tasks_of(tmp_path, 7), workers=2, journal=journal)
    results = run_tasks(
        draw, tasks_of(tmp_path, 12), workers=1, journal=journal, progress=lambda *step: told.append(step[1])
    )
    assert results == expected
    assert run_tasks(draw, tasks_of(tmp_path, 12), workers=2, journal=journal) == expected
    assert runs(tmp_path, 12) == [1] * 12
    assert told == [7, 8, 9, 10, 11, 12]


def test_a_journal_tells_functions_apart(tmp_path):
    journal = tmp_path / "journal"
    assert run_tasks(abs, [-1.5], workers=1, journal=journal) == [1.5]
    assert run_tasks(round, [-1.5], workers=1, journal=journal) == [-2]
    assert run_tasks(abs, [-1.5], workers=1, journal=journal) == [1.5]


def test_equal_tasks_are_the_same_whether_or_not_their_parts_are_one_object():
    part = "".join(["mu", " of health"])
    equal = "".join(["mu", " of health"])
    assert part is not equal
    assert digest((part, part)) == digest((part, equal))
    assert digest((part, part)) != digest((part, part.upper()))


def test_a_task_with_a_set_is_known_again_in_another_process(tmp_path):
    task = "('outcomes', frozenset({'impact', 'mu', 'tau', 'theta'}))"
    code = f"""
import pickle, sys, test_parallel
sys.stdout.buffer.write(pickle.dumps({task}))
test_parallel.run_tasks(test_parallel.count_words, [{task}], workers=1, journal="journal")
"""
    pickles = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            cwd=tmp_path,
            env=VARIABLES | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "123"
    }
    assert len(pickles) > 1
    assert (tmp_path / "counted").read_text() == "x"


def records(journal):
    """Where each record begins, and where the last one ends."""
    data = journal.read_bytes()
    ends = [len(HEADER)]
    while ends[-1] < len(data):
        _, length, _, _ = HEAD.unpack_from(data, ends[-1])
        ends.append(ends[-1] + HEAD.size + length)
    return ends


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "journal"
    run_tasks(draw, tasks_of(tmp_path, 3), workers=1, journal=path)
    return path


def test_a_journal_cut_short_anywhere_is_mended(tmp_path, journal, expected):
    whole = journal.read_bytes()
    ends = records(journal)
    assert len(ends) == 4
    for cut in [0, 1, len(HEADER) - 1, *ends, ends[1] + 1, ends[1] + HEAD.size - 1, ends[1] + HEAD.size, ends[3] - 1]:
        journal.write_bytes(whole[:cut])
        before = sum(runs(tmp_path, 3))
        assert run_tasks(draw, tasks_of(tmp_path, 3), workers=1, journal=journal) == expected[:3], cut
        assert sum(runs(tmp_path, 3)) - before == 3 - sum(end <= cut for end in ends[1:]), cut
        assert journal.read_bytes() == whole, cut


def damaged(journal):
    """Change one digit in the middle result, as a disk might: it can still be read."""
    data = bytearray(journal.read_bytes())
    start = records(journal)[1] + HEAD.size
    data[data.index(b".", start) + 3] ^= 1
    journal.write_bytes(data)


def test_a_damaged_result_is_run_again(tmp_path, journal, expected):
    damaged(journal)
    assert run_tasks(draw, tasks_of(tmp_path, 3), workers=1, journal=journal) == expected[:3]
    assert runs(tmp_path, 3) == [1, 2, 1]
    assert run_tasks(draw, tasks_of(tmp_path, 3), workers=1, journal=journal) == expected[:3]
    assert runs(tmp_path, 3) == [1, 2, 1]


def test_it_is_the_checksum_that_finds_the_damage(tmp_path, journal, expected):
    damaged(journal)
    data = bytearray(journal.read_bytes())
    start, end = records(journal)[1:3]
    digest = hashlib.sha256(data[start + HEAD.size : end]).digest()
    head = data[start : start + 40] + digest
    data[start : start + HEAD.size] = head + hashlib.sha256(head).digest()
    journal.write_bytes(data)
    results = run_tasks(draw, tasks_of(tmp_path, 3), workers=1, journal=journal)
    assert results != expected[:3]
    assert runs(tmp_path, 3) == [1, 1, 1]


@pytest.mark.parametrize("offset", [0, 39, 40, 72, 103], ids=["key", "length", "result's", "own", "end"])
def test_a_damaged_head_is_refused_and_the_way_out_works(tmp_path, journal, expected, offset):
    start = records(journal)[1]
    data = bytearray(journal.read_bytes())
    data[start + offset] ^= 1
    journal.write_bytes(data)
    with pytest.raises(TaskError, match=f"damaged at byte {start} .* truncate --size {start}"):
        run_tasks(draw, tasks_of(tmp_path, 3), workers=1, journal=journal)
    assert journal.read_bytes() == data
    os.truncate(journal, start)
    assert run_tasks(draw, tasks_of(tmp_path, 3), workers=1, journal=journal) == expected[:3]


@pytest.mark.parametrize("content", [b"outcome,group\n", HEADER[:-2] + b"1\n", pickle.dumps([1])])
def test_a_file_of_somebody_else_is_left_alone(tmp_path, content):
    journal = tmp_path / "journal"
    journal.write_bytes(content)
    with pytest.raises(TaskError, match="not an hlt-bayes journal"):
        run_tasks(abs, [1], workers=1, journal=journal)
    assert journal.read_bytes() == content


def test_a_journal_that_cannot_be_written_or_is_in_use_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / "journal"):
        with pytest.raises(TaskError, match=r"cannot be written .* another path"):
            run_tasks(abs, [1], workers=1, journal=path)

    def again(_stage, _done, _total):
        run_tasks(abs, [1], workers=1, journal=tmp_path / "journal")

    with pytest.raises(TaskError, match="in use by another run"):
        run_tasks(abs, [1], workers=1, journal=tmp_path / "journal", progress=again)


def test_a_full_disk_is_said():
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    book = Journal(Path("/dev/full"))
    with contextlib.closing(book), pytest.raises(TaskError, match=r"cannot be written .*No space left"):
        book.append(b"k" * 32, b"result")


# ---- Dask ----


@contextlib.contextmanager
def cluster(folder, *, size=2, **settings):
    """A Dask scheduler and worker processes on loopback; gives its address, it and the workers."""
    file = folder / "scheduler.json"
    variables = VARIABLES | settings

    def start(name, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", "--host", "127.0.0.1", "--no-dashboard"]
        with (folder / "log").open("a") as log:
            return subprocess.Popen([*command, *arguments], env=variables, stdout=log, stderr=log, cwd=folder)

    started = [start("scheduler", "--port", "0", "--scheduler-file", file)]
    try:
        for _ in range(200):
            with contextlib.suppress(OSError, ValueError):
                address = json.loads(file.read_text())["address"]
                break
            time.sleep(0.1)
        worker = ("--no-nanny", "--nthreads", "1", "--local-directory", folder, "--scheduler-file", file)
        started += [start("worker", *worker) for _ in range(size)]
        yield address, started[0], started[1:]
    finally:
        for running in started:
            running.kill()
            running.wait()


@pytest.mark.deep
def test_dask_loses_nothing_where_a_worker_is_killed(tmp_path, expected):
    pytest.importorskip("distributed")
    journal = tmp_path / "journal"
    with cluster(tmp_path) as (address, _, workers):
        both = tasks_of(tmp_path, 12, task5="die once")
        assert run_tasks(draw, both, scheduler=address, journal=journal) == expected
        assert runs(tmp_path, 12)[5] == 2
        assert sorted(worker.poll() or 0 for worker in workers) == [-signal.SIGKILL, 0]
        with pytest.raises(ZeroDivisionError, match="task 3"):
            run_tasks(draw, tasks_of(tmp_path, 12, task3="raise"), scheduler=address)
    # All of it is in the journal: no scheduler is there any more to ask.
    assert run_tasks(draw, both, scheduler=address, journal=journal) == expected


@pytest.mark.deep
def test_a_task_that_kills_its_workers_is_given_up_by_dask(tmp_path):
    pytest.importorskip("distributed")
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with (
        cluster(tmp_path, **settings) as (address, _, _),
        pytest.raises(TaskError, match="a task repeatedly killed its worker"),
    ):
        run_tasks(draw, tasks_of(tmp_path, 4, task2="die"), scheduler=address)


@pytest.mark.deep
@pytest.mark.parametrize("delay", [0, 0.5], ids=["while tasks come back", "while all wait"])
def test_a_scheduler_that_is_killed_is_said(tmp_path, monkeypatch, delay):
    pytest.importorskip("distributed")
    monkeypatch.setattr(module, "CONNECT_SECONDS", 5.0)
    with cluster(tmp_path) as (address, scheduler, _):

        def kill(_stage, done, _total):
            if done == 4:
                threading.Timer(delay, scheduler.kill).start()

        with pytest.raises(TaskError, match="the tasks were lost; check that the scheduler is still running"):
            run_tasks(draw, tasks_of(tmp_path, 5, task4="sleep"), scheduler=address, progress=kill)


@pytest.mark.deep
def test_a_scheduler_that_is_not_there_or_has_no_worker_is_said(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1.0)
    with cluster(tmp_path, size=0) as (address, _, _), pytest.raises(TaskError, match="has no workers; start one"):
        run_tasks(abs, [1], scheduler=address)
    for nowhere in (address, "nonsense://here"):
        with pytest.raises(TaskError, match=f"{nowhere}: no answer"):
            run_tasks(abs, [1], scheduler=nowhere)


def test_a_journal_that_claims_terabytes_is_damaged(tmp_path):
    head = HEAD.pack(bytes(32), 2**40, bytes(32), bytes(32))[:-32]
    (tmp_path / "journal").write_bytes(HEADER + head + hashlib.sha256(head).digest())
    try:
        os.truncate(tmp_path / "journal", 2**41)
    except OSError:
        pytest.skip("this file system has no sparse files")
    with pytest.raises(TaskError, match=r"damaged at byte 20 of 2199023255552, so left unchanged"):
        run_tasks(abs, [1], journal=tmp_path / "journal")


def parts(*contents):
    """Bytes of a result in a journal: each part after its length."""
    return b"".join(len(one).to_bytes(8, "big") + one for one in contents)


HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117) + b"\n"
ABSURD = {
    "a part longer than all": b"\xff" * 8 + b"[]",
    "JSON of great depth": parts(b"[" * 200_000),
    "an array of a million million": parts(b'["array",0]', b"\x93NUMPY\x01\x00v\x00" + HUGE),
    "a part that is not there": parts(b'["array",7]'),
    "no part": b"",
    "an empty array": parts(b'["array",0]', b""),
    "an archive": parts(b'["array",0]', b"PK\x03\x04" + bytes(100)),
    "a pickle": pickle.dumps([1.0]),
}


@pytest.mark.parametrize("content", ABSURD.values(), ids=ABSURD)
def test_an_absurd_result_in_a_journal_is_an_error_of_ours(content):
    with pytest.raises(TaskError, match=r"a result in the journal cannot be read .*; choose another path"):
        from_bytes(content)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes of that kind")
def test_a_journal_that_is_no_file_does_not_keep_a_run_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(TaskError, match="cannot be written"):
            Journal(path)
