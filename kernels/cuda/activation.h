// The leaky ReLU of one number, for kernels that apply it last; the same as in minigan.kernels.reference.
#pragma once
#include "common.h"

// With a slope of 0 the result is 0 even at -infinity; NaN stays NaN.
template <class T>
static __device__ T activated(T x, T slope) {
    if (x > 0) return x;
    return slope != 0 || x != x ? slope * x : T(0);
}

// The gradient of x, given the gradient g of the result. With a slope of 0 the flat side gives 0 even if g is infinite.
static __device__ real activated_vjp(real g, real x, real slope) {
    if (x != x) return x;
    if (x > 0) return g;
    return slope != 0 ? slope * g : real(0);
}
