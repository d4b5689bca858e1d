// The matrix product, for matrices in any order, with a bias and an activation.
#include "tile.h"

// out (parts, m, n): a block owns a tile of one part and walks along that part's stretch of the depth; a thread owns a
// register tile. If there is one part, the last pass adds the bias (if any) and applies the activation.
template <class S>
__device__ void matmul_tile(Tiles<S> &tiles, const real *a, const real *b, const real *bias, real *out, wide m, wide n,
                            wide depth, wide a_row, wide a_depth, wide b_depth, wide b_column, wide biased, real slope,
                            wide parts) {
    Task<S> task(m, n, 1);
    Stretch<S> stretch(depth, parts, task.part);
    a += task.row * a_row + stretch.first * a_depth;
    b += task.column * b_column + stretch.first * b_depth;
    out += (task.part * m + task.row) * n + task.column;
    Strided<S::ROWS, S::DEPTH> left(a, a_row, a_depth, task.rows, stretch.length);
    Strided<S::COLUMNS, S::DEPTH> right(b, b_column, b_depth, task.columns, stretch.length);
    Sums<S> sums;
    multiply(tiles, left, right, stretch.steps, sums);
    Finish finish{biased ? bias + task.column : nullptr, slope};
    sums.store(task.rows, task.columns, finish, [&](int row) { return out + row * n; });
}

KERNEL void __launch_bounds__(256, RESIDENT)
    matmul_large(const real *a, const real *b, const real *bias, real *out, wide m, wide n, wide depth, wide a_row,
                 wide a_depth, wide b_depth, wide b_column, wide biased, real slope, wide parts) {
    SHARED Tiles<Large> tiles;
    matmul_tile(tiles, a, b, bias, out, m, n, depth, a_row, a_depth, b_depth, b_column, biased, slope, parts);
}

KERNEL void __launch_bounds__(256)
    matmul_medium(const real *a, const real *b, const real *bias, real *out, wide m, wide n, wide depth, wide a_row,
                  wide a_depth, wide b_depth, wide b_column, wide biased, real slope, wide parts) {
    SHARED Tiles<Medium> tiles;
    matmul_tile(tiles, a, b, bias, out, m, n, depth, a_row, a_depth, b_depth, b_column, biased, slope, parts);
}

KERNEL void __launch_bounds__(256)
    matmul_narrow(const real *a, const real *b, const real *bias, real *out, wide m, wide n, wide depth, wide a_row,
                  wide a_depth, wide b_depth, wide b_column, wide biased, real slope, wide parts) {
    SHARED Tiles<Narrow> tiles;
    matmul_tile(tiles, a, b, bias, out, m, n, depth, a_row, a_depth, b_depth, b_column, biased, slope, parts);
}

KERNEL void __launch_bounds__(256, RESIDENT)
    matmul_tf32(const real *a, const real *b, const real *bias, real *out, wide m, wide n, wide depth, wide a_row,
                  wide a_depth, wide b_depth, wide b_column, wide biased, real slope, wide parts) {
    SHARED Tiles<InTf32> tiles;
    matmul_tile(tiles, a, b, bias, out, m, n, depth, a_row, a_depth, b_depth, b_column, biased, slope, parts);
}

KERNEL void __launch_bounds__(256, RESIDENT)
    matmul_bf16(const real *a, const real *b, const real *bias, real *out, wide m, wide n, wide depth, wide a_row,
                  wide a_depth, wide b_depth, wide b_column, wide biased, real slope, wide parts) {
    SHARED Tiles<InBf16> tiles;
    matmul_tile(tiles, a, b, bias, out, m, n, depth, a_row, a_depth, b_depth, b_column, biased, slope, parts);
}

// out = the sum of `count` parts in a fixed order, each with `total` numbers in rows of `columns`; then bias and
// activation. A thread owns one number of the result, so out may be the only part itself.
KERNEL void __launch_bounds__(256) add_parts(const real *parts, const real *bias, real *out, wide count, wide total,
                                             wide columns, wide biased, real slope) {
    Finish finish{biased ? bias : nullptr, slope};
    EACH(i, total) {
        real sum = parts[i];
        for (wide part = 1; part < count; part++) sum += parts[part * total + i];
        out[i] = finish(sum, biased ? i % columns : 0);
    }
}
