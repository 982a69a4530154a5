"""Turns verified claims into an identity: who is it?"""
