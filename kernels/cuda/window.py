"""Patches of images as rows of a matrix, and back: window.cu."""

from minigan.kernels.cuda.launch import contiguous, each, empty, run


def im2col(x, g):
    (x,) = contiguous(x)
    columns = empty(g.columns, x)
    run("window.cu", "im2col", each(columns.size), x, columns, g)
    return columns


def col2im(columns, g):
    (columns,) = contiguous(columns)
    x = empty(g.image, columns)
    run("window.cu", "col2im", each(x.size), columns, x, g)
    return x
