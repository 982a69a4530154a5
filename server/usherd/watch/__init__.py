"""A decision that stays true: what it depends on, and who must hear when that changes."""
