"""From sources to article messages."""
