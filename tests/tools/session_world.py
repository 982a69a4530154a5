"""Replicas that share a database of sessions, each with its own keys in memory, its own list, server and pages.

async with opened_database(...) as database, replica(database) as here:
    made = await here.call("CreateSession", token=here.world.token())
    here.reason(made.token, route="/key/info")      what a question with it is answered
    await here.feed.told()                          it hears what happened elsewhere
    await here.get("/sso/session/validate", f"authorization: Bearer {made.token}")
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from keyring import StaticKeys, key_pair
from tools.directory_world import Client
from tools.log_feed import LogFeed
from tools.rpc_world import calling, running
from usher.v1 import session_service_pb2
from usherd.authenticate.own_keys import KeysWithOwn
from usherd.authenticate.verifier import Verifier
from usherd.authorizer import Authorizer
from usherd.domain import Decision, Question
from usherd.facts import Rows, User
from usherd.http.server import serving as http_serving
from usherd.http.session_pages import session_pages
from usherd.policy import OwnSessionRules, Policy
from usherd.ports import Hook, Revocations
from usherd.rpc.admission import Admission, Terms
from usherd.session_desk import SessionDesk
from usherd.stores.budgets import Budget
from usherd.stores.kept_sessions import KeptSessions, kept_sessions
from usherd.stores.memory_directory import MemoryDirectory
from usherd.stores.sql.database import Database
from usherd.stores.sql.session_keys import SqlSessionKeys
from usherd.stores.sql.sessions import SqlSessions
from worlds import AUDIENCE, issuer, policy

SERVICE = session_service_pb2.DESCRIPTOR.services_by_name["SessionService"]
METHODS = tuple(f"/{SERVICE.full_name}/{method.name}" for method in SERVICE.methods)
"""All of the contract, by full name."""
SECRET, OTHER_SECRET = b"0123456789abcdef0123456789abcdef", b"fedcba9876543210fedcba9876543210"
RULES = OwnSessionRules(digest="digest-of-sessions")
UI_ROUTE, ADMIN_ROUTE = "/key/info", "/team/new"
DAY = 86_400.0
PAIR = key_pair("Ed25519", "of-idp")


def user(user_id: str, role: str = "internal_user", **more: Any) -> User:
    return User(id=user_id, identities=(("idp", user_id),), email=f"{user_id}@example.com", role=role, **more)


USERS = (
    user("alice"),
    user("root", "proxy_admin"),
    user("looker", "proxy_admin_viewer"),
    user("watcher", "internal_user_viewer"),
    user("nobody", ""),
    user("blocked", blocked=True),
)


def session_policy(**changes: Any) -> Policy:
    """As `worlds.policy`, with sessions."""
    values: dict[str, Any] = {
        "issuers": (issuer(), issuer("weak", may_grant=issuer().may_grant.__class__())),
        "own_sessions": RULES,
        "session_routes": (UI_ROUTE, "/organization/list"),
        "session_admin_routes": (UI_ROUTE, ADMIN_ROUTE),
    }
    return policy(**(values | changes))


@dataclass
class Replica:
    """One replica."""

    database: Database
    kept: KeptSessions
    feed: LogFeed
    authorizer: Authorizer
    directory: MemoryDirectory
    desk: SessionDesk
    clock: Any
    call: Client = field(init=False)
    http: int = field(init=False)
    channel: grpc.aio.Channel = field(init=False)

    def token(self, by: str = "idp", **claims: Any) -> str:
        """A provider's token."""
        now = int(self.clock())
        valid = {"iss": f"https://{by}.example", "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600}
        return PAIR.token(valid | claims)

    async def made(self, user_id: str, **more: Any) -> Any:
        """A session for that user."""
        answer = await self.call("CreateSessionForUser", user_id=user_id, **more)
        assert not answer.HasField("denial"), answer.denial.reason
        return answer

    async def ask(self, token: str, route: str = UI_ROUTE, method: str = "GET", **more: Any) -> Decision:
        question = Question(token=token, route=route, method=method, **more)
        at_hand = self.authorizer.at_hand(repr(tuple(question)).encode(), lambda: question)
        answer = await self.authorizer.authorize(question)
        assert at_hand is None or at_hand.verdict == answer.verdict
        return answer

    async def reason(self, token: str, route: str = UI_ROUTE, method: str = "GET", **more: Any) -> str:
        """The name of the reason."""
        return (await self.ask(token, route, method, **more)).verdict.reason.name

    def users(self, *users: User) -> None:
        """Makes these the users."""
        self.directory.adopt(self.directory.prepared(Rows(users=users), None, Budget(None)))

    async def get(self, path: str, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of a page."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http)
        lines = [f"{method} {path} HTTP/1.1", "host: usherd", *headers, "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        return int(first.split()[1]), {k.lower(): v for k, _, v in (line.partition(": ") for line in rest)}, body

    async def jwks(self) -> dict[str, Any]:
        status, _, body = await self.get("/.well-known/jwks.json")
        assert status == 200
        return json.loads(body)


@asynccontextmanager
async def replica(
    database: Database,
    *,
    made: Policy | None = None,
    users: Sequence[User] = USERS,
    secrets: Sequence[bytes] = (SECRET,),
    rotate_every: float = 30 * DAY,
    hook: Hook | None = None,
    revocations: Revocations | None = None,
    begins: Any = None,
) -> AsyncIterator[Replica]:
    chosen = made or session_policy()
    clock = database.clock
    feed = LogFeed(database)
    directory = MemoryDirectory("store", Rows(users=tuple(users)), clock=clock)
    async with AsyncExitStack() as stack:
        kept = await stack.enter_async_context(
            kept_sessions(
                SqlSessions(database),
                SqlSessionKeys(database),
                feed.listen,
                lambda: feed.current,
                secrets=secrets,
                rotate_every=rotate_every,
                lifetime=RULES.lifetime,
                clock=clock,
                stopwatch=asyncio.get_running_loop().time,
            )
        )
        keys = KeysWithOwn(StaticKeys.of(**{each.name: [PAIR] for each in chosen.issuers}), kept.keys)
        ids = iter(f"{number:026d}" for number in range(1_000_000))
        authorizer = Authorizer(
            policy=chosen,
            verifier=Verifier(chosen, keys, clock, 1000, store_key=database.token_key),
            keys=keys,
            directory=directory,
            clock=clock,
            stopwatch=asyncio.get_running_loop().time,
            new_id=lambda: next(ids),
            hook=hook,
            revocations=revocations,
            sessions=kept.live,
        )
        desk = SessionDesk(authorizer.logins, clock, kept.store, kept.keys)
        here = Replica(database, kept, feed, authorizer, directory, desk, clock)
        server = await stack.enter_async_context(
            running(authorizer, sessions=desk, begins=begins or Admission(Terms(may_manage=True)).begins)
        )
        here.channel = await stack.enter_async_context(calling(server))
        here.call = Client(here.channel, service=SERVICE)
        pages = session_pages(desk.published, lambda token: desk.validate(token, 2.0))
        here.http = await stack.enter_async_context(http_serving(pages, "127.0.0.1", 0))
        yield here
