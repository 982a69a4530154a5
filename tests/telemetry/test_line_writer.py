"""Lines are written whole and in order behind the back of those who have them, or they are counted."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.stuck_file import Stuck
from tools.waiting import PATIENCE, until
from usherd.telemetry import line_writer
from usherd.telemetry.line_file import LineFile, LineFileUnusable, check_writable
from usherd.telemetry.line_writer import LineWriter


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_writer, "AGAIN_AFTER", 0.02)


@contextmanager
def _writing(file: LineFile, size: int = 1000) -> Iterator[LineWriter]:
    writer = LineWriter(file, size)
    try:
        yield writer
    finally:
        writer.close(PATIENCE)


def test_lines_come_in_their_order_and_all_of_them(tmp_path: Path) -> None:
    lines = [b"%d\n" % number for number in range(5000)]
    with _writing(LineFile(tmp_path / "a"), 10_000) as writer:
        for line in lines:
            writer.put(line)

    assert (tmp_path / "a").read_bytes() == b"".join(lines)
    assert (writer.written, writer.dropped) == (5000, 0)


def test_a_file_that_is_made_is_for_its_owner_and_one_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "there").touch(0o640)
    (tmp_path / "there").chmod(0o640)
    with _writing(LineFile(tmp_path / "made")), _writing(LineFile(tmp_path / "there")):
        pass

    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o640


def test_what_is_there_stays_and_a_line_that_somebody_left_unfinished_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntw")
    with _writing(LineFile(tmp_path / "a")) as writer:
        writer.put(b"three\n")

    assert (tmp_path / "a").read_bytes() == b"one\ntw\nthree\n"


@pytest.mark.parametrize("away", ["moved", "deleted"])
def test_a_file_that_was_moved_or_deleted_is_made_anew(tmp_path: Path, away: str) -> None:
    with _writing(LineFile(tmp_path / "a")) as writer:
        writer.put(b"one\n")
        until(lambda: writer.written == 1)
        if away == "moved":
            (tmp_path / "a").rename(tmp_path / "a.1")
        else:
            (tmp_path / "a").unlink()
        writer.put(b"two\n")

    assert (tmp_path / "a").read_bytes() == b"two\n"
    if away == "moved":
        assert (tmp_path / "a.1").read_bytes() == b"one\n"


def test_a_file_is_opened_anew_without_a_line_when_it_is_asked_for(tmp_path: Path) -> None:
    with _writing(LineFile(tmp_path / "a")) as writer:
        (tmp_path / "a").rename(tmp_path / "a.1")
        writer.open_anew()
        until((tmp_path / "a").exists)


def test_a_queue_is_bounded_and_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    file = Stuck(tmp_path / "a")
    with _writing(file, 10) as writer:
        file.free.clear()
        for number in range(10):
            assert not writer.full
            writer.put(b"%d\n" % number)
        assert writer.full
        writer.drop()
        time.sleep(line_writer.PACE * 3)
        assert writer.full  # what the thread has in its hands counts
        file.free.set()
        until(lambda: not writer.full)

    assert (writer.written, writer.dropped) == (10, 1)


def test_a_disk_that_fails_loses_no_line_that_was_taken(tmp_path: Path) -> None:
    file = Stuck(tmp_path / "a", at_once=7)
    with _writing(file) as writer:
        file.broken = True
        for number in range(100):
            writer.put(b"line %d\n" % number)
        until(lambda: not writer.healthy)
        assert writer.written == 0
        file.broken = False
        until(lambda: writer.healthy)

    assert (tmp_path / "a").read_bytes() == b"".join(b"line %d\n" % number for number in range(100))
    assert (writer.written, writer.dropped) == (100, 0)


def test_a_line_that_was_half_written_to_a_file_that_is_moved_away_is_whole_in_the_next(tmp_path: Path) -> None:
    file = Stuck(tmp_path / "a", at_once=6)
    with _writing(file) as writer:
        half = threading.Event()

        def once(data: bytes | memoryview) -> int:
            if half.is_set():
                raise LineFileUnusable("no space left on device")
            half.set()
            return LineFile.write(file, data[:6])

        file.write = once  # type: ignore[method-assign]
        writer.put(b"one\ntwo\n")
        until(lambda: not writer.healthy)
        (tmp_path / "a").rename(tmp_path / "a.1")
        del file.write  # type: ignore[attr-defined]

    assert (tmp_path / "a.1").read_bytes() == b"one\ntw"
    assert (tmp_path / "a").read_bytes() == b"two\n"


def test_trouble_is_told_in_the_log_once_and_so_is_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = Stuck(tmp_path / "a")
    with _writing(file, 5) as writer:
        file.broken = True
        for number in range(5):
            writer.put(b"%d\n" % number)
        for _ in range(50):
            writer.drop()
        until(lambda: not writer.healthy)
        time.sleep(0.2)
        file.broken = False
        until(lambda: writer.healthy)

    told = [(each.getMessage(), getattr(each, "dropped", None)) for each in caplog.records]
    assert sorted(told, key=str) == [
        ("decision_log_dropped", 1),
        ("decision_log_dropped", 49),
        ("decision_log_failed", None),
        ("decision_log_recovered", 50),
    ]


def test_the_end_waits_no_longer_than_it_was_told_and_counts_what_is_left(tmp_path: Path) -> None:
    file = Stuck(tmp_path / "a")
    writer = LineWriter(file, 10)
    file.free.clear()
    writer.put(b"one\n")
    begin = time.monotonic()
    writer.close(0.2)

    assert time.monotonic() - begin < 5
    assert writer.dropped == 1
    file.free.set()


@pytest.mark.parametrize("what", ["folder", "pipe", "no folder"])
def test_what_cannot_take_lines_is_refused_at_once(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path = tmp_path / "b" / "a"

    with pytest.raises(LineFileUnusable):
        check_writable(path)
    with pytest.raises(LineFileUnusable):
        LineWriter(LineFile(path), 10)


_FULL = """
import sys, time
from pathlib import Path
from usherd.telemetry import line_writer
from usherd.telemetry.line_file import LineFile
line_writer.AGAIN_AFTER = 0.02
writer = line_writer.LineWriter(LineFile(Path(sys.argv[1])), 1000)
for number in range(100):
    writer.put(b"a line of twenty by\\n")
end = time.monotonic() + 20
while writer.healthy and time.monotonic() < end:
    time.sleep(0.01)
print(writer.healthy, writer.written)
sys.stdout.flush()
sys.stdin.readline()
Path(sys.argv[1]).rename(sys.argv[1] + ".1")
writer.close(10)
print(writer.healthy, writer.dropped)
"""


def test_a_disk_that_is_really_full_is_no_end_of_it(tmp_path: Path) -> None:
    """The kernel's limit for a file's size stands in for the disk's: 1,010 bytes are 50 lines and a half."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1010, resource.RLIM_INFINITY))

    path = tmp_path / "a"
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path)],
        preexec_fn=limit,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        input="go on\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.splitlines() == ["False 0", "True 0"], done.stderr
    whole = b"a line of twenty by\n"
    assert (tmp_path / "a.1").read_bytes() == whole * 50 + whole[:10]
    assert path.read_bytes() == whole * 50
