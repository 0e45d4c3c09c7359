"""One run at a time writes to a place; what a killed one leaves is cleared, and what it put aside comes back."""

import multiprocessing
import shutil
from pathlib import Path

import pytest

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.results.locking import put, sole_writer, working_folder


def tries_to_write(place, told):
    try:
        with sole_writer(place):
            told.put("allowed")
    except ResultFolderError as error:
        told.put(str(error))


def of_another_process(place):
    """What another process is told that wants to write there."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    process = context.Process(target=tries_to_write, args=(place, told))
    process.start()
    answer = told.get(timeout=60)
    process.join()
    return answer


def test_a_second_writer_is_told_so_until_the_first_has_ended(tmp_path):
    place = tmp_path / "mine"
    with sole_writer(place):
        assert "another run is writing to it; wait for that run to finish, or give another path" in of_another_process(
            place
        )
        assert of_another_process(tmp_path / "other") == "allowed"
        with sole_writer(place):
            pass
        assert "another run" in of_another_process(place)
    assert of_another_process(place) == "allowed"
    assert list(tmp_path.iterdir()) == []


def test_folders_made_for_nothing_are_gone_again(tmp_path):
    with sole_writer(tmp_path / "a" / "b" / "mine"):
        pass
    assert list(tmp_path.iterdir()) == []
    with sole_writer(tmp_path / "a" / "b" / "mine"):
        (tmp_path / "a" / "mine.txt").write_text("kept", encoding="utf-8")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["mine", "my [result] *?", "результат 結果"])
def test_what_a_killed_run_left_is_cleared(tmp_path, name):
    place = tmp_path / name
    with sole_writer(place), working_folder(place) as work:
        (work / "half").write_text("written", encoding="utf-8")
        left = shutil.copytree(work, tmp_path / f"{work.name}x")
    (tmp_path / f".{name}.hlt-bayes.lock").touch()
    (tmp_path / f".{name}-thesis").mkdir()
    with sole_writer(place):
        assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == [f".{name}-thesis"]


@pytest.mark.parametrize("killed", ["before the new one is there", "after"])
def test_what_a_killed_run_put_aside_is_never_lost(tmp_path, killed):
    place = tmp_path / "mine"
    place.mkdir()
    (place / "impacts.csv").write_text("old", encoding="utf-8")
    left = tmp_path / ".mine.hlt-bayes-abc"
    left.mkdir()
    place.rename(left / "mine.old")
    if killed == "after":
        place.mkdir()
        (place / "impacts.csv").write_text("new", encoding="utf-8")
    with sole_writer(place):
        text = (place / "impacts.csv").read_text(encoding="utf-8")
    assert text == ("new" if killed == "after" else "old")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_place_whose_folder_vanishes_is_said(tmp_path):
    place = tmp_path / "deep" / "mine"
    place.parent.mkdir()
    with sole_writer(place), working_folder(place) as work:
        (work / "mine").mkdir()
        shutil.rmtree(place.parent)
        with pytest.raises(OSError, match="No such file"):
            put(work / "mine", place)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ResultFolderError, match=r"cannot be written to; give another"),
        sole_writer(tmp_path / "file" / "mine"),
    ):
        pass
    with pytest.raises(ResultFolderError, match="cannot be written"), sole_writer(Path("/proc/nowhere/mine")):
        pass
    with sole_writer(None):
        pass
