// Tensor cores: a warp multiplies small matrices of numbers rounded to TF32 or bfloat16, with float sums.
//
// D (16, 8) += A (16, 8 cells) @ B (8 cells, 8). A cell is one register's stretch of the depth: one TF32 number (a
// float with 10 bits of mantissa) or two consecutive bfloat16 numbers (7 bits of mantissa). Counted in cells, both
// layouts are the same. Lane 4 g + t holds rows g and g + 8 of A in cells t and t + 4, column g of B in cells t and
// t + 4, and rows g and g + 8 of D in columns 2 t and 2 t + 1.
// source: PTX ISA, mma.m16n8k8 with .tf32 and mma.m16n8k16 with .bf16
#pragma once
#include "common.h"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800  // older GPUs lack the instructions; gpu.py refuses these kernels

__device__ inline unsigned rounded_to_tf32(float) { return 0; }
__device__ inline unsigned short rounded_to_bf16(float) { return 0; }

#elif defined(__CUDACC__)

__device__ inline unsigned rounded_to_tf32(float x) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}

__device__ inline unsigned short rounded_to_bf16(float x) {
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}

#else  // the same for the device "sim"

static unsigned rounded_to_tf32(float x) {
    unsigned bits = __float_as_uint(x);
    return x != x ? bits : (bits + 0x1000u) & ~0x1fffu;  // to nearest, halves away from 0
}

static unsigned short rounded_to_bf16(float x) {
    unsigned bits = __float_as_uint(x);
    return x != x ? 0x7fff : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;  // to nearest, halves to even
}

#endif

struct Tf32 {
    static constexpr int DEPTHS = 1;
    unsigned bits;

    __device__ void set(int, float x) { bits = rounded_to_tf32(x); }
    __device__ float at(int) const { return __uint_as_float(bits); }
};

struct Bf16 {
    static constexpr int DEPTHS = 2;
    unsigned bits;  // the lower half comes first along the depth

    // Different threads set the two halves: each writes only its own two bytes.
    __device__ void set(int half, float x) {
        unsigned short rounded = rounded_to_bf16(x);
        memcpy((char *)&bits + 2 * half, &rounded, 2);
    }
    __device__ float at(int half) const { return __uint_as_float(half ? bits & 0xffff0000u : bits << 16); }
};

// a: rows g, g + 8 in cell t, then in t + 4; b: cells t, t + 4; d: columns 2 t, 2 t + 1 of row g, then of row g + 8
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800

template <class Cell>
__device__ inline void mma(float (&)[4], const Cell (&)[4], const Cell (&)[2]) {}

#elif defined(__CUDACC__)

#define MMA(d, a, b, instruction)                                                                                    \
    asm volatile(instruction " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                      \
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                    \
                 : "r"(a[0].bits), "r"(a[1].bits), "r"(a[2].bits), "r"(a[3].bits), "r"(b[0].bits), "r"(b[1].bits))

__device__ inline void mma(float (&d)[4], const Tf32 (&a)[4], const Tf32 (&b)[2]) {
    MMA(d, a, b, "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32");
}

__device__ inline void mma(float (&d)[4], const Bf16 (&a)[4], const Bf16 (&b)[2]) {
    MMA(d, a, b, "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32");
}

#else  // the same by shuffles

template <class Cell>
struct Two {
    Cell of[2];
};

template <class Cell>
static void mma(float (&d)[4], const Cell (&a)[4], const Cell (&b)[2]) {
    int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    for (int other = 0; other < 4; other++) {  // lanes that hold cells `other` and `other` + 4
        Two<Cell> upper = __shfl_sync(~0u, (Two<Cell>{a[0], a[2]}), g * 4 + other);
        Two<Cell> lower = __shfl_sync(~0u, (Two<Cell>{a[1], a[3]}), g * 4 + other);
        Two<Cell> left = __shfl_sync(~0u, (Two<Cell>{b[0], b[1]}), 2 * t * 4 + other);
        Two<Cell> right = __shfl_sync(~0u, (Two<Cell>{b[0], b[1]}), (2 * t + 1) * 4 + other);
        for (int depth = 0; depth < 2 * Cell::DEPTHS; depth++) {
            int cell = depth / Cell::DEPTHS, place = depth % Cell::DEPTHS;
            d[0] += upper.of[cell].at(place) * left.of[cell].at(place);
            d[1] += upper.of[cell].at(place) * right.of[cell].at(place);
            d[2] += lower.of[cell].at(place) * left.of[cell].at(place);
            d[3] += lower.of[cell].at(place) * right.of[cell].at(place);
        }
    }
}

#endif
