"""The tables and pictures of docs/kernels.md, from the kernels themselves: `python -m docs.build.lecture`."""
