"""Feeds usherd's readers with millions of inputs that nobody would write, and holds each answer against its promise."""
