"""One target a file: seeds, a mutator that knows their form, and a check that knows what was promised."""
