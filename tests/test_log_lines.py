"""What tests read of a log is whole."""

from pathlib import Path

from tools.log_lines import log_events, whole_lines


def test_a_line_that_is_being_written_is_none_yet(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text('{"event": "one"}\n{"event": "tw')
    before = log_events(log)
    with log.open("a") as writing:
        writing.write('o"}\n')

    assert [each["event"] for each in before] == ["one"]
    assert [each["event"] for each in log_events(log)] == ["one", "two"]
    log.write_text("half")
    assert whole_lines(log) == []
