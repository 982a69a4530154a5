"""`usherd shadow` adds up what a server's log says of a candidate policy."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from commands import PATIENCE, company, server, usherd, usherd_here
from usherd.cli.dev_people import PEOPLE, token_of

CHAT = "/v1/chat/completions"


def line(event: str, **fields: Any) -> str:
    return json.dumps({"event": event, "level": "info", **fields})


def kind(life: str, count: int, live: str = "ALLOWED", candidate: str = "NOT_ENTITLED", differs: bool = True) -> str:
    return line("shadow_kind", life=life, count=count, live=live, candidate=candidate, effect_differs=differs)


def test_the_newest_counts_of_each_life_are_added_up() -> None:
    log = [
        line("shadow_summary", life="a", questions=10, agreed=9),
        kind("a", 1),
        "cut off {",
        line("serving", address="x"),
        line("shadow_summary", life="a", questions=20, agreed=15),
        kind("a", 5),
        line("shadow_summary", life="b", questions=5, agreed=1),
        kind("b", 3),
        kind("b", 1, "ROUTE_AMBIGUOUS", "NOT_ENTITLED", False),
    ]

    done = usherd_here("shadow", "--json", typed="\n".join(log))

    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "questions": 25,
        "agreed": 16,
        "differences": [
            {"live": "ALLOWED", "candidate": "NOT_ENTITLED", "effect_differs": True, "count": 8},
            {"live": "ROUTE_AMBIGUOUS", "candidate": "NOT_ENTITLED", "effect_differs": False, "count": 1},
        ],
    }


def test_a_candidate_that_agrees_on_every_effect_is_exit_code_0(tmp_path: Path) -> None:
    log = tmp_path / "usherd.log"
    log.write_text("\n".join([line("shadow_summary", life="a", questions=4, agreed=3), kind("a", 1, differs=False)]))

    done = usherd_here("shadow", log)

    assert done.returncode == 0
    assert done.stdout.startswith("4 questions, 3 answered alike (75.0 %)\n")
    assert "NOT_ENTITLED" in done.stdout


def test_a_log_without_a_shadow_is_no_answer(tmp_path: Path) -> None:
    for done in (usherd_here("shadow", typed=line("serving")), usherd_here("shadow", tmp_path / "none.log")):
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("usherd: ")


def test_a_server_tells_in_its_log_what_the_candidate_would_have_answered(tmp_path: Path) -> None:
    with company(tmp_path) as (signer, config):
        stricter = config.read_text().replace(
            "routes: {public: [/health/liveliness]}", "routes: {allowed: [/v1/models]}"
        )
        assert stricter != config.read_text()
        (tmp_path / "candidate.yaml").write_text(stricter)
        config.write_text(config.read_text() + "\naccess: {shadow: candidate.yaml}\ntelemetry: {log: json}\n")
        token = token_of(PEOPLE["alice"], signer)
        with server(config) as (process, address):
            plain = usherd("ask", "-", CHAT, "gpt-4o", "--server", address, typed=token)
            explained = usherd("ask", "-", CHAT, "gpt-4o", "--server", address, "--explain", typed=token)
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)

    report = usherd("shadow", tmp_path / "server.log", "--json")

    assert plain.stdout.startswith("ALLOW")
    assert "ROUTE_DENIED" in explained.stdout
    assert json.loads(report.stdout) == {
        "questions": 2,
        "agreed": 0,
        "differences": [{"live": "ALLOWED", "candidate": "ROUTE_DENIED", "effect_differs": True, "count": 2}],
    }
    assert token.split(".")[1] not in (tmp_path / "server.log").read_text()
