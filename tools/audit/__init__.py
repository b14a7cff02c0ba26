"""What an auditor does with a ledger: verify it, ask it, redact it, keep a copy of it; no stack need be up."""
