"""Asks usherd the questions that LiteLLM has answered, and says where the answers part (docs/parity.md)."""
