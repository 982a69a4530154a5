"""What the house that answers learns of keys while the next one is made ready is known in that one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from oracle.daemon import ALWAYS, DEADLINE, until
from oracle.judge import ALLOWED
from oracle.provider import Provider
from oracle.timeline import Rules
from oracle.watch import watching
from tools.faults import Fault


@pytest.mark.slow
async def test_a_withdrawal_during_a_reload_is_obeyed_after_it(tmp_path: Path) -> None:
    rules = Rules(every=600, stale_for=3600, removed_grace=3600, cooldown=1)
    main = Provider("main", rules, deadline=DEADLINE)
    mute = Provider("mute", Rules(timeout=6), deadline=DEADLINE)
    async with main, mute:
        main.rotate()
        withdrawn, kept = (token for token in main.tokens if token.kind == "good")
        if withdrawn.kid == main.of_kind("good").kid:
            withdrawn, kept = kept, withdrawn
        async with watching(tmp_path, [main, mute]) as watch:
            before = await watch.callers.once([(withdrawn, ALWAYS), (kept, ALWAYS)])
            # A reload waits for the first loads of all issuers together: this one takes its whole time.
            await mute.fail(Fault.HANG)
            # It asks to be left alone, so that the next house does not ask again by itself.
            await main.fail(Fault.STATUS_429)
            count, started = len(main.server.requests), time.monotonic()
            reload = asyncio.create_task(watch.daemon.reload())
            await until(lambda: len(main.server.requests) > count)
            # The next house is refused; the one that answers asks because of a key that nobody has.
            await main.fail(None)
            main.withdraw_oldest()
            await watch.callers.once([(main.of_kind("key never published"), ALWAYS)])
            meanwhile = await watch.callers.once([(withdrawn, ALWAYS), (kept, ALWAYS)])
            await main.fail(Fault.STATUS_429)
            learnt = time.monotonic()
            await reload
            after = await watch.callers.once([(withdrawn, ALWAYS), (kept, ALWAYS)])

    assert watch.tally.examples == []
    assert learnt - started < 5, "the machine was too busy to tell"
    assert [call.outcome for call in before] == [ALLOWED, ALLOWED]
    assert [call.outcome for call in (*meanwhile, *after)] == ["UNKNOWN_KEY", ALLOWED] * 2
