"""Whatever stands in LiteLLM's file: it imports and loads, or every reason is told; nothing else happens."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from litellm_files import KEYS, imported, loaded, read
from usherd.config.litellm import LATEST, VERSIONS, Imported, Version
from usherd.config.litellm.emit import to_yaml
from usherd.config.litellm.known_keys import HANDLED, RESTRICTING, TOP_LEVEL
from usherd.config.litellm.versions import JWTAUTH_KEYS
from usherd.config.problems import ConfigError

JWTAUTH = sorted(JWTAUTH_KEYS[LATEST] - {"custom_validate"})
ENTRIES = ("role", "internal_role", "scope", "models", "routes", "issuer", "audience", "jwks_url", "jwt_role")
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["a.b", "team", "proxy_admin", "os.environ/X", "openai_routes", "/v1/*", "true"]
)
LEAVES = st.none() | st.booleans() | st.integers(-2, 10**6) | st.floats() | TEXTS
LISTS = st.lists(LEAVES | st.dictionaries(st.sampled_from(ENTRIES), LEAVES | st.lists(TEXTS, max_size=2)), max_size=3)
ANYTHING = LEAVES | LISTS | st.dictionaries(TEXTS, LEAVES, max_size=2)
CONFIGS = st.fixed_dictionaries(
    {
        "general_settings": st.builds(
            lambda jwtauth, general: {**general, "enable_jwt_auth": True, "litellm_jwtauth": jwtauth},
            ANYTHING | st.dictionaries(st.sampled_from(JWTAUTH), ANYTHING, max_size=6),
            st.dictionaries(st.sampled_from(sorted(HANDLED | RESTRICTING.keys())), ANYTHING, max_size=4),
        )
    },
    optional=dict.fromkeys(sorted(TOP_LEVEL - {"general_settings"}), ANYTHING),
)


@given(CONFIGS, st.sampled_from(VERSIONS), st.dictionaries(st.sampled_from(["X", "JWT_AUDIENCE", "JWT_ISSUER"]), TEXTS))
def test_it_loads_or_says_why_not(config: dict[str, Any], version: Version, environment: dict[str, str]) -> None:
    found = _imported(config, KEYS | environment, version)

    assert isinstance(found, ConfigError) or read(to_yaml(found.document, found.comments, "head")) == found.document


@given(ANYTHING)
def test_what_is_no_configuration_of_any_kind_is_refused(value: object) -> None:
    assert isinstance(_imported({"general_settings": value}, KEYS, LATEST), ConfigError)


def _imported(config: dict[str, Any], environment: dict[str, str], version: Version) -> Imported | ConfigError:
    """What becomes of it. Anything but a ConfigError is a mistake of the importer's."""
    try:
        found = imported(config, environment, version=version)
        loaded(found, environment)
    except ConfigError as error:
        return error
    return found
