"""From article messages to rows in the delivery ledger."""
