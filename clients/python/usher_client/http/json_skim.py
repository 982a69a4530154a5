"""Reads a few members of a large JSON object and checks all the rest without building it.

Whoever asks may send 32 MiB before anybody knows who they are. Ten million empty objects would be a gigabyte of Python
objects; here they are none. It is slower than Python's own reader on what people send: that reads what is small.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection
from typing import Final

from usher_client.http.names import meant
from usher_client.http.not_json import NotJson

MAX_DEPTH: Final = 200
MAX_STEPS: Final = 100_000
"""Values, besides those of plain lists: no request of a person has as many."""

_STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_SCALAR = rb"(?:" + _STRING + rb"|" + _NUMBER + rb"|true|false|null)"
_WS = rb"[ \t\n\r]*+"

_BLANK = re.compile(_WS)
_KEY = re.compile(_WS + rb"(" + _STRING + rb")" + _WS + rb":" + _WS)
_BEGIN = re.compile(_WS + rb"(?:" + _SCALAR + rb"|([\[{]))" + _WS)
_NEXT = re.compile(rb"([,\]}])" + _WS)
# Runs of plain values go by in one step.
_PLAIN_ITEMS = re.compile(rb"(?:" + _WS + _SCALAR + _WS + rb",)*+")
_PLAIN_MEMBERS = re.compile(rb"(?:" + _WS + _STRING + _WS + rb":" + _WS + _SCALAR + _WS + rb",)*+")


def skimmed_members(text: bytes, names: Collection[str]) -> dict[str, list[str]]:
    """As `members`, for a text of any size."""
    _check_utf8(text)
    found: dict[str, list[str]] = {}
    at = _skip_blank(text, 0)
    if text[at : at + 1] != b"{":
        raise NotJson
    at = _skip_blank(text, at + 1)
    reader = _Reader(text)
    if text[at : at + 1] == b"}":
        at += 1
    else:
        while True:
            key = _KEY.match(text, at)
            if key is None:
                raise NotJson
            begin = key.end()
            at = reader.end_of_value(begin)
            name = _name(key[1])
            if (known := meant(name, names)) is not None:
                value = text[begin:at].decode().rstrip(" \t\n\r")
                found.setdefault(known, []).extend([value] * (1 if known == name else 2))
            closer = text[at : at + 1]
            at += 1
            if closer == b"}":
                break
            if closer != b",":
                raise NotJson
    if _skip_blank(text, at) != len(text):
        raise NotJson
    return found


class _Reader:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._steps = 0

    def end_of_value(self, at: int) -> int:
        """Where the value that begins here ends, with the white space behind it."""
        text, closers = self._text, bytearray()
        while True:
            self._steps += 1
            begun = _BEGIN.match(text, at)
            if begun is None or len(closers) > MAX_DEPTH or self._steps > MAX_STEPS:
                raise NotJson
            at = begun.end()
            if begun[1] is not None:
                closers += b"]" if begun[1] == b"[" else b"}"
                if text[at : at + 1] != closers[-1:]:
                    at = self._first(at, closers[-1:])
                    continue
            while closers:
                following = _NEXT.match(text, at)
                if following is None:
                    raise NotJson
                at = following.end()
                if following[1] == b",":
                    at = self._first(at, closers[-1:])
                    break
                if following[1] != closers[-1:]:
                    raise NotJson
                closers.pop()
            else:
                return at

    def _first(self, at: int, closer: bytes | bytearray) -> int:
        """Where the next value begins that needs a look, in a list or object that goes on here."""
        if closer == b"]":
            plain = _PLAIN_ITEMS.match(self._text, at)
            return plain.end() if plain else at
        plain = _PLAIN_MEMBERS.match(self._text, at)
        key = _KEY.match(self._text, plain.end() if plain else at)
        if key is None:
            raise NotJson
        return key.end()


def _name(quoted: bytes) -> str:
    return str(json.loads(quoted)) if b"\\" in quoted else quoted[1:-1].decode()


def _skip_blank(text: bytes, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _check_utf8(text: bytes) -> None:
    if text.isascii():
        return
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(text)
    try:
        for begin in range(0, len(text), 65536):
            decoder.decode(view[begin : begin + 65536])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        pass  # raised below, without what stood there
    else:
        return
    raise NotJson
