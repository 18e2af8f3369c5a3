"""From ledger rows to webhooks, chats and mail."""
