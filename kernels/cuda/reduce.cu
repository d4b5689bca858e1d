// Sums of columns, in double: its cost is negligible beside reading the matrix.
#include "activation.h"
#include "columns.h"

// partial (runs, C): a thread sums rows of its column, `step` apart; then the block adds up the threads of each column.
KERNEL void __launch_bounds__(THREADS) column_sums(const real *__restrict__ g, double *__restrict__ partial, wide M,
                                                   wide C, wide width, wide run) {
    SHARED double shared[1][THREADS];
    Part part(M, C, width, run);
    double sum[1] = {0};
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step) sum[0] += g[row * C + part.column];
    fold(sum, shared, part);
    if (part.leads) partial[part.run * C + part.column] = sum[0];
}

// The same for gx, the gradient of leaky_relu, which is also written: each thread writes only where it alone reads.
KERNEL void __launch_bounds__(THREADS) leaky_relu_vjp_sums(const real *__restrict__ g, const real *__restrict__ x,
                                                           real *__restrict__ gx, double *__restrict__ partial,
                                                           real slope, wide M, wide C, wide width, wide run) {
    SHARED double shared[1][THREADS];
    Part part(M, C, width, run);
    double sum[1] = {0};
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step) {
        wide i = row * C + part.column;
        real gradient = activated_vjp(g[i], x[i], slope);
        gx[i] = gradient;
        sum[0] += gradient;
    }
    fold(sum, shared, part);
    if (part.leads) partial[part.run * C + part.column] = sum[0];
}

// sums (C,) of the runs' results, partial (runs, C). A block owns all rows of its columns.
KERNEL void __launch_bounds__(THREADS) join_sums(const double *__restrict__ partial, real *__restrict__ sums,
                                                 wide runs, wide C, wide width) {
    SHARED double shared[1][THREADS];
    Part part(runs, C, width, runs);
    double sum[1] = {0};
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step) sum[0] += partial[row * C + part.column];
    fold(sum, shared, part);
    if (part.leads) sums[part.column] = sum[0];
}
