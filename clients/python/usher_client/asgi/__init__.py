"""ASGI middleware that asks usherd about every request and every websocket, for Starlette, FastAPI and any other app.

    app = FastAPI()
    app.add_middleware(UsherMiddleware, usherd="localhost:50051")

What may not pass is answered here, with errors as OpenAI's clients expect them, and never reaches the app; where there
is no decision that is a 503. What may pass finds its decision by `decision_of(request)`. An answer that is streamed is
watched, and cut once it is allowed no longer.
"""

from usher_client.asgi.cutting import AnswerCut
from usher_client.asgi.middleware import UsherMiddleware, decision_of

__all__ = ["AnswerCut", "UsherMiddleware", "decision_of"]
