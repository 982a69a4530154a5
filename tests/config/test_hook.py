"""The operator's own check is found, or refused, when the configuration is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_files import ISSUER, problems, settings

MODULE = """\
def check(claims):
    return claims.get("ok") is True

class Checks:
    @staticmethod
    def strict(claims, *, depth=1):
        return True
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the operator's, by a name that nothing else has."""
    name = "operator_checks_" + "".join(c for c in tmp_path.name if c.isalnum())
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_check_is_found_by_module_and_function(tmp_path: Path, module: str) -> None:
    hook = settings(tmp_path, ISSUER + f"hooks: {{validate: '{module}:check', timeout: 200ms, pure: true}}\n").hook

    assert hook is not None
    assert hook.name == f"{module}:check"
    assert hook.call({"ok": True}) is True
    assert hook.call({}) is False
    assert (hook.timeout, hook.pure) == (0.2, True)


@pytest.mark.parametrize("name", ["{}.check", "{}:Checks.strict"])
def test_a_check_is_found_as_litellm_names_it_and_within_a_class(tmp_path: Path, module: str, name: str) -> None:
    hook = settings(tmp_path, ISSUER + f"hooks: {{validate: '{name.format(module)}'}}\n").hook

    assert hook is not None
    assert hook.call({"ok": True}) is True
    assert (hook.timeout, hook.pure) == (0.05, False)


def test_there_is_no_check_unless_one_is_named(tmp_path: Path) -> None:
    assert settings(tmp_path, ISSUER + "hooks: {timeout: 1s}\n").hook is None


@pytest.mark.parametrize(
    "code", ["raise RuntimeError('secret')", "def check(claims) return True", "import nothing_at_all"]
)
def test_a_module_that_fails_is_told_without_its_words(tmp_path: Path, module: str, code: str) -> None:
    (tmp_path / f"{module}_bad.py").write_text(code)

    found = problems(tmp_path, ISSUER + f"hooks: {{validate: '{module}_bad:check'}}\n")

    assert len(found) == 1
    assert f"hooks.validate: the module {module}_bad cannot be imported (" in found[0]
    assert "secret" not in found[0]


def test_another_check_is_another_policy(tmp_path: Path, module: str) -> None:
    texts = ["", f"hooks: {{validate: '{module}:check'}}\n", f"hooks: {{validate: '{module}:Checks.strict'}}\n"]

    assert len({settings(tmp_path, ISSUER + text).policy.digest for text in texts}) == 3
