"""What writes the pages of docs/ that hold figures, tables and pictures, from results, experiments and the kernels."""
