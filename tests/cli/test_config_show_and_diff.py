"""`usherd config show` and `diff` tell what a file means, to people and to scripts."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from commands import usherd_here
from config_files import ISSUER

TEAMS = "teams: [{id: red, models: [o1]}, {id: blue, models: [o1]}]\n"


def test_show_prints_yaml_or_json_with_rows_only_on_demand(tmp_path: Path) -> None:
    file = tmp_path / "usherd.yaml"
    file.write_text(ISSUER + "directory: {seed: directory.yaml}\n")
    (tmp_path / "directory.yaml").write_text(TEAMS)

    text = usherd_here("config", "show", file)
    told = usherd_here("config", "show", file, "--json", "--directory")

    assert (text.returncode, told.returncode) == (0, 0)
    assert yaml.safe_load(text.stdout)["directory"]["teams"] == "2 rows"
    assert list(json.loads(told.stdout)["directory"]["teams"]) == ["red", "blue"]
    assert yaml.safe_load(text.stdout)["options"] == json.loads(told.stdout)["options"]


def test_diff_says_with_its_exit_code_whether_two_files_mean_the_same(tmp_path: Path) -> None:
    old, new, broken = (tmp_path / f"{name}.yaml" for name in ("old", "new", "broken"))
    old.write_text(ISSUER)
    new.write_text(ISSUER + "access: {user.unknown: refused}\n")
    broken.write_text("issuers: 7\n")

    same, differ, unloadable = (usherd_here("config", "diff", old, other) for other in (old, new, broken))
    told = usherd_here("config", "diff", old, new, "--json")

    assert (same.returncode, differ.returncode, unloadable.returncode, told.returncode) == (0, 1, 2, 1)
    assert same.stdout == "0 keys differ\n"
    assert differ.stdout == "options.user.unknown\n  - unless_entitled\n  + refused\n1 key differs\n"
    assert "broken.yaml" in unloadable.stderr
    assert json.loads(told.stdout) == {
        "changes": [{"key": "options.user.unknown", "removed": ["unless_entitled"], "added": ["refused"]}]
    }
