// Batch normalisation of the columns of x (M, C), and the leaky ReLU that follows it.
//
// The kernels compute in double and pass doubles to each other: memory limits them, not arithmetic. Only the sign that
// decides the side of the activation is computed in `real`, with the same roundings in every implementation.
#include "activation.h"
#include "columns.h"

// moments (2, runs, C): each run's mean, and its sum of squared distances from that mean.
//
// Numbers are first taken relative to the run's first number, so they are small wherever the mean is: none of n numbers
// is further from the mean than sqrt(n) deviations, so at most log2(n) bits cancel in the difference below.
KERNEL void __launch_bounds__(THREADS) run_moments(const real *__restrict__ x, double *__restrict__ moments, wide M,
                                                   wide C, wide width, wide run, wide runs) {
    SHARED double shared[2][THREADS];
    Part part(M, C, width, run);
    double sums[2] = {0, 0}, first = 0;
    if (!part.idle()) first = x[part.run * run * C + part.column];
    if (first - first != 0) first = 0;  // infinity is no reference point
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step) {
        double distance = x[row * C + part.column] - first;
        sums[0] += distance;
        sums[1] += distance * distance;
    }
    fold(sums, shared, part);
    if (!part.leads) return;
    double mean = sums[0] / (part.end - part.run * run);
    wide place = part.run * C + part.column;
    moments[place] = first + mean;
    moments[runs * C + place] = sums[1] - sums[0] * mean;
}

// The moments of all rows from those of the runs: mean and inverse deviation (C,), and line (2, C), the unrounded mean
// and inverse deviation * scale. A block owns all runs of its columns.
// source: Chan, Golub & LeVeque, Algorithms for computing the sample variance, 1983; here means first, then distances
KERNEL void __launch_bounds__(THREADS) join_moments(const double *__restrict__ moments, const real *__restrict__ scale,
                                                    real *__restrict__ mean, real *__restrict__ inverse,
                                                    double *__restrict__ line, real eps, wide M, wide C, wide width,
                                                    wide run, wide runs) {
    SHARED double shared[1][THREADS];
    Part part(runs, C, width, runs);
    const double *squares = moments + runs * C;
    double sum[1] = {0};
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step)
        sum[0] += moments[row * C + part.column] * rows_of(row, run, M);
    fold(sum, shared, part);
    double average = sum[0] / M;
    sum[0] = 0;
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step) {
        double distance = moments[row * C + part.column] - average;
        sum[0] += squares[row * C + part.column] + distance * distance * rows_of(row, run, M);
    }
    fold(sum, shared, part);
    if (!part.leads) return;
    double deviation = sqrt(sum[0] / M + eps);
    mean[part.column] = average;
    inverse[part.column] = 1 / deviation;
    line[part.column] = average;
    line[C + part.column] = scale[part.column] / deviation;
}

// y (M, C). A thread writes y where it reads x. It stays in one column, so its factors stay in registers.
KERNEL void __launch_bounds__(THREADS) normalise(const real *__restrict__ x, const double *__restrict__ line,
                                                 const real *__restrict__ shift, real *__restrict__ y, real slope,
                                                 wide M, wide C, wide width, wide run) {
    Part part(M, C, width, run);
    if (part.idle()) return;
    double mean = line[part.column], factor = line[C + part.column], offset = shift[part.column];
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step) {
        wide i = row * C + part.column;
        y[i] = activated((x[i] - mean) * factor + offset, double(slope));
    }
}

// A thread's values for its column.
struct Column {
    real mean, inverse, factor, shift;

    __device__ Column(const real *scale, const real *shift, const real *mean, const real *inverse, wide column)
        : mean(mean[column]), inverse(inverse[column]), factor(inverse[column] * scale[column]), shift(shift[column]) {}

    // The gradient before the activation, given the gradient g after it.
    __device__ real before(real g, real x, real slope) const {
        return activated_vjp(g, (x - mean) * factor + shift, slope);
    }

    __device__ double normal(real x) const { return (double(x) - mean) * inverse; }
};

// sums (2, runs, C): each run's sums of the gradient before the activation, and of its product with the normalised x.
KERNEL void __launch_bounds__(THREADS) run_gradients(const real *__restrict__ g, const real *__restrict__ x,
                                                     const real *__restrict__ scale, const real *__restrict__ shift,
                                                     const real *__restrict__ mean, const real *__restrict__ inverse,
                                                     double *__restrict__ sums, real slope, wide M, wide C, wide width,
                                                     wide run, wide runs) {
    SHARED double shared[2][THREADS];
    Part part(M, C, width, run);
    double own[2] = {0, 0};
    if (!part.idle()) {
        Column column(scale, shift, mean, inverse, part.column);
#pragma unroll 4
        for (wide row = part.row; row < part.end; row += part.step) {
            wide i = row * C + part.column;
            real gradient = column.before(g[i], x[i], slope);
            own[0] += gradient;
            own[1] += gradient * column.normal(x[i]);
        }
    }
    fold(own, shared, part);
    if (!part.leads) return;
    wide place = part.run * C + part.column;
    sums[place] = own[0];
    sums[runs * C + place] = own[1];
}

// The gradients of shift and scale (C,) from the sums of the runs, and their unrounded means over the rows, (2, C).
KERNEL void __launch_bounds__(THREADS) join_gradients(const double *__restrict__ sums, real *__restrict__ gscale,
                                                      real *__restrict__ gshift, double *__restrict__ means, wide M,
                                                      wide C, wide width, wide runs) {
    SHARED double shared[2][THREADS];
    Part part(runs, C, width, runs);
    const double *products = sums + runs * C;
    double own[2] = {0, 0};
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step) {
        own[0] += sums[row * C + part.column];
        own[1] += products[row * C + part.column];
    }
    fold(own, shared, part);
    if (!part.leads) return;
    gshift[part.column] = own[0];
    gscale[part.column] = own[1];
    means[part.column] = own[0] / M;
    means[C + part.column] = own[1] / M;
}

// gx (M, C), through y and through the statistics. A thread writes gx where it reads x.
KERNEL void __launch_bounds__(THREADS) normalise_vjp(const real *__restrict__ g, const real *__restrict__ x,
                                                     const real *__restrict__ scale, const real *__restrict__ shift,
                                                     const real *__restrict__ mean, const real *__restrict__ inverse,
                                                     const double *__restrict__ means, real *__restrict__ gx,
                                                     real slope, wide M, wide C, wide width, wide run) {
    Part part(M, C, width, run);
    if (part.idle()) return;
    Column column(scale, shift, mean, inverse, part.column);
    double gradient = means[part.column], product = means[C + part.column];
    double factor = double(scale[part.column]) * inverse[part.column];
#pragma unroll 4
    for (wide row = part.row; row < part.end; row += part.step) {
        wide i = row * C + part.column;
        gx[i] = factor * (column.before(g[i], x[i], slope) - gradient - column.normal(x[i]) * product);
    }
}
