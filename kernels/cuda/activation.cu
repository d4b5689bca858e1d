// Activations and their gradients, elementwise.
#include "activation.h"
#include "runs.h"

template <class Function, class... Runs>
__device__ __forceinline__ Run of_run(Function function, Runs... runs) {
    Run result;
#pragma unroll
    for (int k = 0; k < RUN; k++) result.at[k] = function(runs.at[k]...);
    return result;
}

// result = function(arrays...), each with `size` numbers. A thread owns a run of the result, or one number after the
// last whole run or if the arrays are not aligned to runs. It reads the same position in each array.
template <class Function, class... Arrays>
__device__ __forceinline__ void map(Function function, wide size, real *result, Arrays... arrays) {
    wide runs = aligned(result, arrays...) ? size / RUN : 0;
    EACH(i, runs) ((Run *)result)[i] = of_run(function, ((const Run *)arrays)[i]...);
    EACH(i, size - runs * RUN) result[runs * RUN + i] = function(arrays[runs * RUN + i]...);
}

KERNEL void __launch_bounds__(256) leaky_relu(const real *x, real *y, real slope, wide size) {
    map([=](real x) { return activated(x, slope); }, size, y, x);
}

KERNEL void __launch_bounds__(256) leaky_relu_vjp(const real *g, const real *x, real *gx, real slope, wide size) {
    map([=](real g, real x) { return activated_vjp(g, x, slope); }, size, gx, g, x);
}

// g * (1 - y^2), the gradient of y = tanh(x).
KERNEL void __launch_bounds__(256) tanh_vjp(const real *g, const real *y, real *gx, wide size) {
    map([](real g, real y) { return g * (1 - y * y); }, size, gx, g, y);
}
