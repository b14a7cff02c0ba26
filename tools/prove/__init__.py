"""`make prove`: what the line promises, shown on the real stack by what a user could do, counted in its own stores."""
