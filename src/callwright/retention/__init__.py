"""How long calls are kept: those that are old enough go, with everything that is kept of them."""
