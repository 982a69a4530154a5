"""Shows how stories went: to people as lines, to scripts as JSON, to build servers as JUnit's XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from usherd.stories.run import Failure, Result


def lines(result: Result) -> Iterator[str]:
    """What is wrong with a story, in lines; none when it passed."""
    if not result.passed:
        yield f"{result.book}:{result.line}: {result.name}"
    for problem in result.problems:
        yield f"  {problem}"
    for failure in result.failures:
        yield from _failure(failure)


def _failure(failure: Failure) -> Iterator[str]:
    if failure.step:
        yield f"  {failure.step}"
    for difference in failure.differences:
        yield f"  {difference}"
    for check in failure.checks:
        yield f"    {check}"


def as_json(result: Result) -> dict[str, Any]:
    """A result for scripts."""
    return {
        "file": result.book,
        "line": result.line,
        "name": result.name,
        "tags": list(result.tags),
        "outcome": result.outcome,
        "seconds": round(result.seconds, 6),
        "failures": [
            {
                "step": failure.step,
                "differences": [
                    {"what": each.what, "expected": each.expected, "got": each.got} for each in failure.differences
                ],
                "checks": list(failure.checks),
            }
            for failure in result.failures
        ],
        "problems": [
            {"file": each.file, "line": each.line, "key": each.key, "problem": each.text} for each in result.problems
        ],
    }


def junit(results: Sequence[Result]) -> bytes:
    """The results as JUnit's XML: a suite a file, a case a story; what is malformed is an error."""
    root = ElementTree.Element("testsuites", _counts(results))
    for book in dict.fromkeys(result.book for result in results):
        mine = [result for result in results if result.book == book]
        suite = ElementTree.SubElement(root, "testsuite", {"name": _xml(book), **_counts(mine)})
        for result in mine:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                {
                    "classname": _xml(book),
                    "name": _xml(result.name),
                    "file": _xml(book),
                    "line": str(result.line),
                    "time": f"{result.seconds:.6f}",
                },
            )
            if result.passed:
                continue
            text = [_xml(line.strip()) for line in lines(result)][1:]
            kind = "error" if result.problems else "failure"
            ElementTree.SubElement(case, kind, {"message": text[0], "type": result.outcome}).text = "\n".join(text)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _counts(results: Sequence[Result]) -> dict[str, str]:
    outcomes = [result.outcome for result in results]
    return {
        "tests": str(len(results)),
        "failures": str(outcomes.count("failed")),
        "errors": str(outcomes.count("malformed")),
        "time": f"{sum(result.seconds for result in results):.6f}",
    }


def _xml(text: str) -> str:
    """A text without the characters that XML 1.0 cannot have."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
