"""The demonstration: everything in one process, with a feed, a receiver and a mailbox of its own."""
