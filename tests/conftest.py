"""What all tests share: properties are judged by what holds, never by how fast a busy machine finds out."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from examples import THOROUGH

# No process that a test starts goes on with this one's gRPC, whose handlers crash now and then where one is forked.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
settings.register_profile("usherd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(THOROUGH, settings.get_profile("usherd"))
settings.load_profile("usherd")
