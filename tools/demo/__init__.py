"""`make demo`: a git push goes to an approved model in production, by what any user could do."""
