"""Attacks of our own on a daemon of our own, over the loopback: what a caller who is served notices of each."""
