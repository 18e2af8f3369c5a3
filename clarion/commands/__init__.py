"""The subcommands of `clarion`."""
