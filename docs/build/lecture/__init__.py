"""What docs/kernels.md says in numbers and pictures, from the kernels themselves: `python -m docs.build.lecture`."""
