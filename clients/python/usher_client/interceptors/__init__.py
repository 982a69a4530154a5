"""Server interceptors that ask usherd about every call of a gRPC service in Python.

    async with AsyncClient("localhost:50051") as usherd:
        server = grpc.aio.server(interceptors=[AsyncAuthorization(usherd)])

The credential comes with the call's metadata, and the route is the method's full name ("/chat.v1.Chat/Complete"). What
may not pass ends with UNAUTHENTICATED, PERMISSION_DENIED or RESOURCE_EXHAUSTED, and with UNAVAILABLE where there is no
decision; `usherd-reason` in the trailers says which. What may pass finds its decision by `current_decision()`. Streamed
responses are watched, and cut in the same way.
"""

from usher_client.interceptors.aio import AsyncAuthorization
from usher_client.interceptors.current import current_decision
from usher_client.interceptors.threads import Authorization

__all__ = ["AsyncAuthorization", "Authorization", "current_decision"]
