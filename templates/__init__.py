"""Message templates; `templates/<message>/` holds every part of one message."""
