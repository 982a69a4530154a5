"""Says where what operators look at may be served."""

from __future__ import annotations

from usherd.config.settings import MetricsSettings
from usherd.rpc.address import AddressUnusable, host_and_port, is_local

SETTING = "telemetry.metrics"
SESSIONS = "sessions.http"
"""The setting of where sessions are told."""


def admin_address(metrics: MetricsSettings) -> tuple[str, int]:
    """The host and port. Raises AddressUnusable for what is none, and for one that others reach unless they may."""
    host, port = host_and_port(metrics.address, SETTING)
    if not is_local(metrics.address) and not metrics.remote_allowed:
        raise AddressUnusable(
            "only a loopback address may be served; others need insecure: {remote_metrics: true}", SETTING
        )
    return host, port
