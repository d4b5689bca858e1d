"""Documentation; docs.build writes the parts of it that are measured or drawn."""
