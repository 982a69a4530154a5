"""Brings directories of other gateways into usherd's: what is kept there, as rows, and all that rows cannot say."""
