// The leaky ReLU of one number, for the kernels that end in it: as minigan.kernels.reference has it.
#pragma once
#include "common.h"

// 0 for a slope of 0, even at -infinity; NaN stays NaN.
template <class T>
static __device__ T activated(T x, T slope) {
    if (x > 0) return x;
    return slope != 0 || x != x ? slope * x : T(0);
}

// The gradient in x, where it is g in the result: 0 on the flat side for a slope of 0, even if g is infinite.
static __device__ real activated_vjp(real g, real x, real slope) {
    if (x != x) return x;
    if (x > 0) return g;
    return slope != 0 ? slope * g : real(0);
}
