"""Lets callers in: finds out whose a call is before it is served, and turns away whoever may not make it.

The rules may change while calls are served: each call is judged by those of the moment in which it begins, and streams
that are open are judged again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from usherd.authenticate.client_certificate import client_certificate
from usherd.bounded import Memo
from usherd.callers import HEALTH_CHECK, MANAGING, CallerRule, Callers
from usherd.calls import Call
from usherd.certificate_names import Certificate
from usherd.errors import CallerNotAllowed, CallerUnknown
from usherd.rpc.guard import Begin, Context
from usherd.rpc.names import CREDENTIAL
from usherd.rpc.server import all_alike
from usherd.seldom import Seldom

_REMEMBERED = 1024
"""Certificates of which it is remembered whose they are."""
_TOLD_EVERY = 60.0
"""Seconds between two lines of the log about the same kind of refusal."""

_log = logging.getLogger("usherd.rpc")


class Terms(NamedTuple):
    """On what terms calls are let in."""

    callers: Sequence[CallerRule] = ()
    """In the order in which they are tried; empty: callers are not told apart, and all are let in."""
    may_explain: bool = False
    """Whether callers that are not told apart may see explanations."""
    may_manage: bool = False
    """Whether callers that are not told apart may make calls that manage what is kept (`callers.MANAGING`)."""
    health_for_all: bool = True
    """Whether `HEALTH_CHECK` is answered to everybody, known or not."""


class Admission:
    """The terms in force, and each call's way through them."""

    def __init__(self, terms: Terms) -> None:
        self._rules: _Rules | None = None
        self._may_explain = self._may_manage = False
        self._seldom = Seldom(time.monotonic, _TOLD_EVERY)
        self.change(terms)

    def change(self, terms: Terms) -> None:
        """From now on calls begin on these terms."""
        self._may_explain, self._may_manage = terms.may_explain, terms.may_manage
        self._rules = _Rules(terms) if terms.callers else None

    def begins(self, method: str) -> Begin:
        """What is found out about calls of that method, by full name."""
        plain, explaining = all_alike(may_explain=False)(method), all_alike(may_explain=True)(method)
        managing = method in MANAGING

        def begin(context: Context) -> Call:
            rules = self._rules
            if rules is None:
                if managing and not self._may_manage:
                    self._tell("caller_not_allowed", method, "")
                    raise CallerNotAllowed
                return explaining(context) if self._may_explain else plain(context)
            try:
                return rules.call(method, context)
            except CallerUnknown:
                self._tell("caller_unknown", method, "")
                raise
            except _Refused as refused:
                self._tell("caller_not_allowed", method, refused.caller)
            raise CallerNotAllowed

        return begin

    def _tell(self, event: str, method: str, caller: str) -> None:
        # Methods and names are few; what a stranger sends is not in the line.
        if self._seldom.is_due((method, caller)):
            _log.warning(event, extra={"method": method, "caller": caller})


class _Refused(Exception):
    def __init__(self, caller: str) -> None:
        super().__init__()
        self.caller = caller


class _Known(NamedTuple):
    """What is remembered of a certificate."""

    certificate: Certificate
    owner: CallerRule | None
    """Whom it is enough for, without a credential."""


class _Rules:
    """The terms, where callers are told apart."""

    def __init__(self, terms: Terms) -> None:
        self._callers = Callers(terms.callers)
        self._open = frozenset({HEALTH_CHECK} if terms.health_for_all else ())
        self._certificates: Memo[bytes, _Known] = Memo(_REMEMBERED)
        # One object for each caller and method that it may use.
        self._calls = {
            (rule.name, rpc): Call(rpc, may_explain=rule.explain, caller=rule.name)
            for rule in terms.callers
            for rpc in rule.rpcs
        }

    def call(self, method: str, context: Context) -> Call:
        if method in self._open:
            return Call(method)
        name = self._caller(context).name
        call = self._calls.get((name, method))
        if call is None:
            raise _Refused(name)
        return call

    def _caller(self, context: Context) -> CallerRule:
        known = self._certificate(context) if self._callers.ask_certificate else None
        if self._callers.ask_credential:
            headers = [value for key, value in context.invocation_metadata() or () if key == CREDENTIAL]
            if headers:
                # Of several, each reader on the way may take another one.
                if len(headers) > 1 or not isinstance(headers[0], str):
                    raise CallerUnknown
                return self._callers.by_credential(headers[0], None if known is None else known.certificate)
        if known is None or known.owner is None:
            raise CallerUnknown
        return known.owner

    def _certificate(self, context: Context) -> _Known | None:
        """The verified certificate of the connection that the call came on; None: it came without a good one.

        The connection is asked for each call: no name of a connection that gRPC gives is one connection's alone for
        ever. What a certificate says is remembered by the whole of it.
        """
        found = context.auth_context()
        if b"ssl" not in found.get("transport_security_type", ()):
            return None
        for pem in found.get("x509_pem_cert", ()):
            known = self._certificates.get(pem)
            if known is None:
                certificate = client_certificate(pem)
                if certificate is None:
                    return None
                known = _Known(certificate, self._callers.by_certificate(certificate))
                self._certificates.put(pem, known)
            # It was good when the connection was made, which may have been a while ago.
            return known if time.time() < known.certificate.valid_until else None
        return None
