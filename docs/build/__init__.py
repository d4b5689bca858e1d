"""Programs that write the figures, tables and pictures of the pages in docs/."""
