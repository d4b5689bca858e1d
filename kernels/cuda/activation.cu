// Activations and their gradients, number by number.
#include "runs.h"

template <class Function, class... Runs>
__device__ __forceinline__ Run of_run(Function function, Runs... runs) {
    Run result;
#pragma unroll
    for (int k = 0; k < RUN; k++) result.at[k] = function(runs.at[k]...);
    return result;
}

// result = function(arrays...), all of them with `size` numbers. A thread owns a run of the result, or, after the last
// whole run and where an array does not begin with one, a number; it reads the same place of each array.
template <class Function, class... Arrays>
__device__ __forceinline__ void map(Function function, wide size, real *result, Arrays... arrays) {
    wide runs = aligned(result, arrays...) ? size / RUN : 0;
    EACH(i, runs) ((Run *)result)[i] = of_run(function, ((const Run *)arrays)[i]...);
    EACH(i, size - runs * RUN) result[runs * RUN + i] = function(arrays[runs * RUN + i]...);
}

// x where it is positive, slope * x elsewhere, but 0 for a slope of 0 even at -inf; NaN stays NaN.
KERNEL void __launch_bounds__(256) leaky_relu(const real *x, real *y, real slope, wide size) {
    auto activate = [=](real x) {
        real below = slope != 0 || x != x ? slope * x : real(0);
        return x > 0 ? x : below;
    };
    map(activate, size, y, x);
}

// g where x is positive, slope * g elsewhere, 0 included; NaN where x is.
KERNEL void __launch_bounds__(256) leaky_relu_vjp(const real *g, const real *x, real *gx, real slope, wide size) {
    auto slope_at = [=](real g, real x) {
        real below = x != x ? x : slope * g;
        return x > 0 ? g : below;
    };
    map(slope_at, size, gx, g, x);
}

// g * (1 - y^2), the gradient of y = tanh(x).
KERNEL void __launch_bounds__(256) tanh_vjp(const real *g, const real *y, real *gx, wide size) {
    auto slope_at = [](real g, real y) { return g - g * (y * y); };
    map(slope_at, size, gx, g, y);
}
