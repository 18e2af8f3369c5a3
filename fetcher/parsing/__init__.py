"""From the bytes of a document to its items, whatever dialect and however broken."""
