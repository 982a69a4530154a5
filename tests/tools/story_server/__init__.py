"""A server for clients of any language: the world of one story at a time behind the real gRPC server, and a lab.

    PYTHONPATH=tests python -m tools.story_server

`control.py` says what can be asked of it over HTTP.
"""
