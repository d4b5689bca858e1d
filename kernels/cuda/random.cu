// Random numbers, each a function of a key and its position in the stream: Philox-4x32-10 turns a block's number into
// four words, and each number is made from one or two words. Always float, whatever `real` is: a word has 32 bits.
//
// A thread owns a block of four numbers and is independent of all others. Logarithm, sine and cosine are computed as in
// minigan.kernels.cpu.random, so the GPU's noise equals the CPU's except for rounding.
//
// source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC11 (2011); Box & Muller (1958)
#include "runs.h"

constexpr float OF_WORD = 1 / 4294967296.0f, RADIANS = 3.14159265f / 2147483648.0f;  // 2^-32, pi * 2^-31

struct Words {
    unsigned a, b, c, d;
};

// The words of a block, for the two words of a key.
__device__ inline Words philox(wide block, unsigned low, unsigned high) {
    Words words = {(unsigned)block, (unsigned)(block >> 32), 0, 0};
#pragma unroll
    for (int round = 0; round < 10; round++) {
        unsigned first = __umulhi(words.a, 0xD2511F53u), second = __umulhi(words.c, 0xCD9E8D57u);
        words = {second ^ words.b ^ low, words.c * 0xCD9E8D57u, first ^ words.d ^ high, words.a * 0xD2511F53u};
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    return words;
}

// sqrt(-2 log u) for u = (a + 1/2) / 2^32 = m * 2^exponent, m from sqrt(1/2) to sqrt(2).
__device__ inline float radius(unsigned a) {
    int pattern = __float_as_int(((float)a + 0.5f) * OF_WORD);
    int exponent = (pattern - 0x3f3504f3) >> 23;  // 0x3f3504f3: the bits of sqrt(1/2)
    float m = __int_as_float(pattern - exponent * (1 << 23));
    float s = (m - 1) / (m + 1), z = s * s;
    // log((1 + s) / (1 - s)) = s * (2 + 2/3 s^2 + 2/5 s^4 ...)
    float log_m = s * (2 + z * (2.0f / 3 + z * (2.0f / 5 + z * (2.0f / 7 + z * (2.0f / 9)))));
    return sqrtf(-2 * (exponent * 0.6931472f + log_m));
}

struct Point {
    float x, y;
};

// The cosine and the sine of 2 pi b / 2^32.
__device__ inline Point direction(unsigned b) {
    unsigned turns = (b + (1u << 29)) >> 30;              // the nearest number of right angles, modulo 4,
    float r = (float)(int)(b - (turns << 30)) * RADIANS;  // and the rest, from -pi / 4 to pi / 4
    float z = r * r;
    float sine = r * (1 + z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)))));
    float cosine = 1 + z * (-1.0f / 2 + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320))));
    float x = turns & 1 ? sine : cosine, y = turns & 1 ? cosine : sine;
    return {(turns + 1) & 2 ? -x : x, turns & 2 ? -y : y};
}

// Write the four numbers that a function makes from each block's words. The last block may have fewer.
// place: the two words of the key and the first block, in memory, so that each replay of a capture draws new numbers
template <class Function>
__device__ __forceinline__ void fill(float *out, const wide *place, wide size, Function numbers_of) {
    bool in_fours = aligned(out);
    wide low = place[0], high = place[1], block = place[2];
    EACH(i, (size + 3) / 4) {
        float4 four = numbers_of(philox(block + i, low, high));
        if (in_fours && 4 * i + 4 <= size) {
            ((float4 *)out)[i] = four;
            continue;
        }
        float numbers[] = {four.x, four.y, four.z, four.w};
#pragma unroll
        for (int k = 0; k < 4; k++)
            if (4 * i + k < size) out[4 * i + k] = numbers[k];
    }
}

// Two words make a point: the first is the probability of a greater distance from the origin, the second the direction.
KERNEL void __launch_bounds__(256) standard_normal(float *out, const wide *place, wide size) {
    fill(out, place, size, [](Words words) {
        float near = radius(words.a), far = radius(words.c);
        Point p = direction(words.b), q = direction(words.d);
        return float4{near * p.x, near * p.y, far * q.x, far * q.y};
    });
}

// In [0, 1): the upper 24 bits of a word, as many as a float can hold.
KERNEL void __launch_bounds__(256) uniform(float *out, const wide *place, wide size) {
    fill(out, place, size, [](Words words) {
        constexpr float UNIT = 1 / 16777216.0f;  // 2^-24
        return float4{(words.a >> 8) * UNIT, (words.b >> 8) * UNIT, (words.c >> 8) * UNIT, (words.d >> 8) * UNIT};
    });
}
