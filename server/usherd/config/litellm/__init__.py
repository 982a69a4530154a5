"""Reads a configuration of LiteLLM's proxy and makes the configuration of usherd that means the same."""

from usherd.config.litellm.versions import LATEST, REFERENCE, VERSIONS, Version
from usherd.config.litellm.whole import Imported, import_litellm

__all__ = ["LATEST", "REFERENCE", "VERSIONS", "Imported", "Version", "import_litellm"]
