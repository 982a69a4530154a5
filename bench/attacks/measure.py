"""Measures one attack: a daemon, a caller who means well, and the attackers, each in processes of their own."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from bench.attacks.catalogue import Attack
from bench.company import company
from bench.processes import memory, process
from tools.certificates import Authority
from tools.ports import free_port

RATE = 100.0
"""Calls a second of the caller who means well: few, so that the daemon has nothing to do but the attack."""
DEADLINE = 2.0
"""Seconds that such a call may take."""
BEFORE, AFTER = 3.0, 5.0
"""Seconds of calls without the attack."""
_SETTLE = 1.0
"""Seconds in which the processes get ready."""
_WINDOW = 0.5
"""Seconds of calls that are looked at together, to find when all is as before."""


@dataclass(frozen=True)
class Phase:
    """What the caller noticed in one part of the time. Latencies are those of served calls, in ms."""

    calls: int
    failed: int
    p50: float
    p99: float
    codes: dict[str, int]


@dataclass(frozen=True)
class Outcome:
    """What an attack did."""

    attack: str
    what: str
    threats: str
    seconds: float
    before: Phase
    during: Phase
    after: Phase
    memory: tuple[float, float, float]
    """MiB before, at the most, and at the end."""
    recovery: float | None
    """Seconds from the end of the attack until half a second of calls was served as before. None: never seen."""
    counted: list[dict[str, int]]
    """What each attacker counted."""
    living: dict[str, float] | None
    """What became of living decisions; None: there were none."""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def measure(attack: Attack, folder: Path, seconds: float, *, living: bool = False) -> Outcome:
    """Starts everything, attacks for that long, and ends everything. `living`: a thousand decisions live meanwhile."""
    port = free_port()
    made = company(folder, port)
    (folder / "messages.pickle").write_bytes(pickle.dumps(list(made.check[:1000])))
    (folder / "request.bin").write_bytes(made.check[0])
    trust = _serve_tls(made.config, folder) if attack.tls else ""
    with process(["-m", "usherd", "serve", "--config", str(made.config)]) as daemon:
        whole = BEFORE + seconds + AFTER
        (folder / "asked.pickle").write_bytes(pickle.dumps(list(made.authorize[:1000])))
        caller = _python(
            "caller", port, RATE, _SETTLE + whole, DEADLINE, folder / "messages.pickle", folder / "calls.json", trust
        )
        assert caller.stdout is not None
        if caller.stdout.readline() != "ready\n":
            raise AssertionError("the daemon does not answer")
        holder = None
        if living:
            # Longer than all else: the end of its streams must not be its own.
            holder = _python("living", port, _SETTLE + whole, folder / "asked.pickle", folder / "living.json", trust)
            assert holder.stdout is not None
            if holder.stdout.readline() != "ready\n":
                raise AssertionError("decisions do not live")
        begin = time.monotonic() + _SETTLE
        rss = [_watch(daemon.pid, begin + BEFORE)]
        attackers = [
            _python("attacker", attack.name, port, seconds, folder / "request.bin") for _ in range(attack.processes)
        ]
        attacked = begin + BEFORE
        rss.append(_watch(daemon.pid, attacked + seconds))
        counted = [json.loads(each.communicate(timeout=60)[0]) for each in attackers]
        ended = time.monotonic()
        rss.append(_watch(daemon.pid, begin + whole))
        caller.wait(timeout=60)
        # By a file: more than a pipe holds may be cut off.
        calls = json.loads((folder / "calls.json").read_text())
        last = memory(daemon.pid)
        if holder is not None:
            holder.wait(timeout=60)
    before = _phase(calls, begin, attacked)
    return Outcome(
        attack=attack.name,
        what=attack.what,
        threats=attack.threats,
        seconds=seconds,
        before=before,
        during=_phase(calls, attacked, ended),
        after=_phase(calls, ended, begin + whole),
        memory=(rss[0], max(rss), last),
        recovery=_recovery(calls, ended, begin + whole, before.p99),
        counted=counted,
        living=json.loads((folder / "living.json").read_text()) if living else None,
    )


def _serve_tls(config: Path, folder: Path) -> Path:
    """Makes the daemon serve TLS; where the certificate of its authority is."""
    authority = Authority("attacked")
    cert, key = authority.issue("localhost")
    for name, content in (("cert.pem", cert), ("key.pem", key), ("ca.pem", authority.certificate)):
        (folder / name).write_bytes(content)
    settings = yaml.safe_load(config.read_text())
    settings["server"]["tls"] = {"cert": "cert.pem", "key": "key.pem"}
    config.write_text(yaml.safe_dump(settings))
    return folder / "ca.pem"


def _python(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"bench.attacks.{module}", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _watch(process: int, until: float) -> float:
    """The most memory that the process holds until then."""
    most = memory(process)
    while time.monotonic() < until:
        time.sleep(0.05)
        most = max(most, memory(process))
    return most


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed; NaN of none."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _phase(calls: list[tuple[float, float, str]], since: float, until: float) -> Phase:
    here = [call for call in calls if since <= call[0] < until]
    served = [call[1] * 1000 for call in here if call[2] == "OK"]
    return Phase(
        calls=len(here),
        failed=len(here) - len(served),
        p50=percentile(served, 0.5),
        p99=percentile(served, 0.99),
        codes=dict(Counter(call[2] for call in here)),
    )


def _recovery(calls: list[tuple[float, float, str]], ended: float, until: float, p99: float) -> float | None:
    """Seconds until there is half a second in which every call is served, none slower than twice the p99 of before.

    A single call may be slower: that one is beyond a p99.
    """
    since = ended
    while since + _WINDOW <= until:
        here = [call for call in calls if since <= call[0] < since + _WINDOW]
        slow = sum(1 for call in here if call[1] * 1000 > 2 * p99)
        if here and all(call[2] == "OK" for call in here) and slow <= 1:
            return since - ended
        since += 0.1
    return None
