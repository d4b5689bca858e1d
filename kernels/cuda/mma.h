// Tensor cores: a warp's product of small matrices of TF32, which are floats with 10 bits after the point.
//
// D (16, 8) += A (16, 8) @ B (8, 8). Lane 4 g + t holds of A rows g and g + 8 at depths t and t + 4, of B column g at
// depths t and t + 4, of D rows g and g + 8 in columns 2 t and 2 t + 1.
// source: PTX ISA, mma.m16n8k8 with .tf32
#pragma once
#include "common.h"

#ifdef __CUDACC__

__device__ inline float rounded_to_tf32(float x) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
}

// a: rows g, g + 8 at depth t, then at t + 4; b: depths t, t + 4; d: columns 2 t, 2 t + 1 of row g, then of g + 8
__device__ inline void mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
          "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

#else  // the same by shuffles, for the device sim

static float rounded_to_tf32(float x) {
    if (x != x) return x;
    return __uint_as_float((__float_as_uint(x) + 0x1000u) & ~0x1fffu);  // to nearest, halves away from 0
}

struct Two {
    float of[2];
};

static void mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2]) {
    int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    for (int other = 0; other < 4; other++) {  // the lanes that hold depths `other` and `other` + 4
        Two upper = __shfl_sync(~0u, (Two{a[0], a[2]}), g * 4 + other);
        Two lower = __shfl_sync(~0u, (Two{a[1], a[3]}), g * 4 + other);
        Two left = __shfl_sync(~0u, (Two{b[0], b[1]}), 2 * t * 4 + other);
        Two right = __shfl_sync(~0u, (Two{b[0], b[1]}), (2 * t + 1) * 4 + other);
        for (int depth = 0; depth < 2; depth++) {
            d[0] += upper.of[depth] * left.of[depth];
            d[1] += upper.of[depth] * right.of[depth];
            d[2] += lower.of[depth] * left.of[depth];
            d[3] += lower.of[depth] * right.of[depth];
        }
    }
}

#endif
