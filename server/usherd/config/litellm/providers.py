"""Which models are a provider's by their name alone, as LiteLLM guesses it of the name that is asked for."""

from __future__ import annotations

from collections.abc import Mapping

BY_NAME: Mapping[str, frozenset[str]] = {
    "openai": frozenset(
        {
            "dall-e-3",
            "gpt-3.5-turbo",
            "gpt-4",
            "gpt-4-turbo",
            "gpt-4o",
            "gpt-4o-mini",
            "o1",
            "o1-mini",
            "o3-mini",
            "text-embedding-3-large",
            "text-embedding-3-small",
            "text-embedding-ada-002",
            "tts-1",
            "whisper-1",
        }
    ),
    "anthropic": frozenset(
        {
            "claude-3-5-haiku-20241022",
            "claude-3-5-sonnet-20240620",
            "claude-3-5-sonnet-20241022",
            "claude-3-7-sonnet-20250219",
            "claude-3-haiku-20240307",
            "claude-3-opus-20240229",
        }
    ),
}
"""Names that the reference's own table, which changes with every release, gives to the provider. A short list of what
is common: a model that is not here fits no wildcard of a provider, which is less than LiteLLM opens and never more."""


def provider_of(name: str, deployed: str) -> str:
    """The provider of a model that the gateway calls `name` and asks for as `deployed`. Empty: none that is certain.

    A name that the operator made up is no provider's to LiteLLM, whoever is behind it, and none that has a wildcard.
    """
    for provider, names in BY_NAME.items():
        if name in names and deployed in (name, f"{provider}/{name}"):
            return provider
    return ""
