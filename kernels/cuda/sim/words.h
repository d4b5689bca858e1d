// CUDA C's additions to C++, implemented by the simulator: qualifiers, built-in variables and types, barriers,
// shuffles, votes, atomics, and the device's mathematical functions. Textbook kernels compile unchanged.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>
#define __assert_fail sim_assert_fail  // called by assert: a failure ends the launch, not the process
#include <cassert>

// ------------------------------------------------------------------------------------------ qualifiers

// A separate section holds all shared memory. GCC requires a unique section name for each variable that may be in a
// template or an inline function; the assembler ignores everything after #, so all are in one section.
#define SIM_TEXT_(x) #x
#define SIM_TEXT(x) SIM_TEXT_(x)
#if defined(WATCHED)  // with a gap after each variable
#define SIM_ALIGNED , aligned(1024)
#define __constant__ __attribute__((section("cuda_constant,\"aw\"#" SIM_TEXT(__COUNTER__))))
#else
#define SIM_ALIGNED
#define __constant__
#endif
#define __shared__ static __attribute__((section("cuda_shared,\"aw\",@nobits#" SIM_TEXT(__COUNTER__)) SIM_ALIGNED))
#define SHARED __shared__
#define KERNEL static
#define __global__ __attribute__((noinline))
#define __device__
#define __host__
#define __managed__
#define __grid_constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

// ------------------------------------------------------------------------------------------ types

#define SIM_VECTORS(name, number, align)                                                   \
    struct name##1 { number x; };                                                      \
    struct alignas(2 * align) name##2 { number x, y; };                                \
    struct name##3 { number x, y, z; };                                                \
    struct alignas(4 * align > 16 ? 16 : 4 * align) name##4 { number x, y, z, w; };    \
    static inline name##1 make_##name##1(number x) { return {x}; }                     \
    static inline name##2 make_##name##2(number x, number y) { return {x, y}; }        \
    static inline name##3 make_##name##3(number x, number y, number z) { return {x, y, z}; } \
    static inline name##4 make_##name##4(number x, number y, number z, number w) { return {x, y, z, w}; }
SIM_VECTORS(char, signed char, 1)
SIM_VECTORS(uchar, unsigned char, 1)
SIM_VECTORS(short, short, 2)
SIM_VECTORS(ushort, unsigned short, 2)
SIM_VECTORS(int, int, 4)
SIM_VECTORS(uint, unsigned, 4)
SIM_VECTORS(longlong, long long, 8)
SIM_VECTORS(ulonglong, unsigned long long, 8)
SIM_VECTORS(float, float, 4)
SIM_VECTORS(double, double, 8)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// ------------------------------------------------------------------------------------------ built-in variables

namespace sim {

enum Barrier { OF_BLOCK, OF_WARP };
struct Place {
    const char *file;
    unsigned line;
};

uint3 thread_index();
uint3 block_index();
extern dim3 block_size, grid_size;
unsigned lane();
void wait(Barrier barrier, const Place *place, unsigned mask = 0xffffffff);
uint64_t exchange(uint64_t word, unsigned lane, const Place *place, unsigned mask);
unsigned ballot(bool mine, const Place *place, unsigned mask);
int of_block(bool mine, const Place *place, int what);
void fence();
void touch_atomic(void *p, unsigned size, bool read, const void *place);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
[[noreturn]] void trap(const char *what);

}  // namespace sim

#define threadIdx (sim::thread_index())
#define blockIdx (sim::block_index())
#define blockDim (sim::block_size)
#define gridDim (sim::grid_size)
static constexpr int warpSize = 32;

// ------------------------------------------------------------------------------------------ barriers, shuffles, votes

// A place in the source: threads that wait for each other must wait at the same one.
#if BARRIERS
#define SIM_PLACE                                                                        \
    __extension__({                                                                  \
        static const sim::Place place_[2] = {{__FILE__, __LINE__}, {__FILE__, __LINE__}}; \
        place_;                                                                      \
    })
#else
#define SIM_PLACE this_file_was_taken_to_have_no_barriers
#endif
#define __syncthreads() sim::wait(sim::OF_BLOCK, SIM_PLACE)
#define __syncthreads_count(mine) sim::of_block(mine, SIM_PLACE, 0)
#define __syncthreads_and(mine) sim::of_block(mine, SIM_PLACE, 1)
#define __syncthreads_or(mine) sim::of_block(mine, SIM_PLACE, 2)
#define __syncwarp(...) sim::wait(sim::OF_WARP, SIM_PLACE, sim::mask_of(__VA_ARGS__))
#define __shfl_sync(mask, ...) sim::shuffle(sim::TO_LANE, SIM_PLACE, mask, __VA_ARGS__)
#define __shfl_xor_sync(mask, ...) sim::shuffle(sim::CROSSED, SIM_PLACE, mask, __VA_ARGS__)
#define __shfl_up_sync(mask, ...) sim::shuffle(sim::UP, SIM_PLACE, mask, __VA_ARGS__)
#define __shfl_down_sync(mask, ...) sim::shuffle(sim::DOWN, SIM_PLACE, mask, __VA_ARGS__)
#define __ballot_sync(mask, mine) sim::ballot(mine, SIM_PLACE, mask)
#define __any_sync(mask, mine) (sim::ballot(mine, SIM_PLACE, mask) != 0)
#define __all_sync(mask, mine) (sim::ballot(!(mine), SIM_PLACE, mask) == 0)
#define __threadfence() sim::fence()
#define __threadfence_block() sim::fence()
#define __threadfence_system() sim::fence()
#define __trap() sim::trap("__trap()")
#define printf(...) sim::print(__VA_ARGS__)

namespace sim {

static inline unsigned mask_of(unsigned mask = 0xffffffff) { return mask; }

enum Way { TO_LANE, CROSSED, UP, DOWN };

// The lane whose value this lane gets: its own if the other would be outside its segment of the warp.
static inline unsigned origin(Way way, unsigned by, unsigned width) {
    unsigned mine = lane(), first = mine & ~(width - 1), end = first + width;
    if (way == TO_LANE) return first + (by & (width - 1));
    if (way == UP) return mine >= first + by ? mine - by : mine;
    unsigned other = way == DOWN ? mine + by : mine ^ by;
    return other < end ? other : mine;
}

template <class T>
T shuffle(Way way, const Place *place, unsigned mask, T value, unsigned by, unsigned width = warpSize) {
    static_assert(sizeof(T) <= 8, "a shuffle moves 8 bytes at most");
    uint64_t word = 0;
    memcpy(&word, &value, sizeof value);
    word = exchange(word, origin(way, by, width), place, mask);
    memcpy(&value, &word, sizeof value);
    return value;
}

}  // namespace sim

// ------------------------------------------------------------------------------------------ atomics

namespace sim {

template <size_t SIZE>
using Bits = std::conditional_t<SIZE == 8, uint64_t, std::conditional_t<SIZE == 4, uint32_t, uint16_t>>;

template <class To, class From>
static inline To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}

// Replace *p by function(*p) and return the old value. As on a GPU, this orders nothing else.
template <bool READ, class T, class Function>
static NOT_WATCHED T update(T *p, Function function) {
    touch_atomic(p, sizeof *p, READ, __builtin_return_address(0));
    typedef Bits<sizeof(T)> B;
    B old = __atomic_load_n((B *)p, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n((B *)p, &old, bits_as<B>(T(function(bits_as<T>(old)))), false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return bits_as<T>(old);
}

template <class T>
struct Same {
    typedef T type;
};

}  // namespace sim

#define SIM_INLINED static inline __attribute__((always_inline))  // so that an atomic's place is in the kernel
#define SIM_ATOMIC(name, result) SIM_ATOMIC_OF(name, true, result)
#define SIM_ATOMIC_OF(name, read, result)                                                            \
    template <class T>                                                                  \
    SIM_INLINED T name(T *p, typename sim::Same<T>::type v) {                         \
        return sim::update<read>(p, [=](T old) __attribute__((no_sanitize("thread"))) { return result; }); \
    }                                                                                   \
    template <class T>                                                                  \
    SIM_INLINED T name##_block(T *p, typename sim::Same<T>::type v) { return name(p, v); } \
    template <class T>                                                                  \
    SIM_INLINED T name##_system(T *p, typename sim::Same<T>::type v) { return name(p, v); }
SIM_ATOMIC(atomicAdd, old + v)
SIM_ATOMIC(atomicSub, old - v)
SIM_ATOMIC_OF(atomicExch, false, ((void)old, v))
SIM_ATOMIC(atomicMin, v < old ? v : old)
SIM_ATOMIC(atomicMax, old < v ? v : old)
SIM_ATOMIC(atomicInc, old >= v ? T(0) : T(old + 1))
SIM_ATOMIC(atomicDec, old == 0 || old > v ? v : T(old - 1))
SIM_ATOMIC(atomicAnd, old &v)
SIM_ATOMIC(atomicOr, old | v)
SIM_ATOMIC(atomicXor, old ^ v)
template <class T>
SIM_INLINED T atomicCAS(T *p, typename sim::Same<T>::type wanted, typename sim::Same<T>::type v) {
    return sim::update<true>(p, [=](T old) __attribute__((no_sanitize("thread"))) { return old == wanted ? v : old; });
}

// ------------------------------------------------------------------------------------------ functions

// Two floats: if one is NaN, the other, as on a GPU. Other types are converted to their common type.
template <class A, class B>
static inline auto min(A a, B b) -> decltype(a + b) {
    typedef decltype(a + b) T;
    if constexpr (std::is_floating_point_v<T>) return std::fmin(T(a), T(b));
    return T(b) < T(a) ? T(b) : T(a);
}
template <class A, class B>
static inline auto max(A a, B b) -> decltype(a + b) {
    typedef decltype(a + b) T;
    if constexpr (std::is_floating_point_v<T>) return std::fmax(T(a), T(b));
    return T(a) < T(b) ? T(b) : T(a);
}

template <class T>
static inline T __ldg(const T *p) { return *p; }
template <class T>
static inline void __stwb(T *p, T value) { *p = value; }

#define SIM_BITS_OF(name, To, From) \
    static inline To name(From from) { return sim::bits_as<To>(from); }
SIM_BITS_OF(__float_as_int, int, float)
SIM_BITS_OF(__int_as_float, float, int)
SIM_BITS_OF(__float_as_uint, unsigned, float)
SIM_BITS_OF(__uint_as_float, float, unsigned)
SIM_BITS_OF(__double_as_longlong, long long, double)
SIM_BITS_OF(__longlong_as_double, double, long long)

static inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t)a * b >> 32; }
static inline int __mulhi(int a, int b) { return (int64_t)a * b >> 32; }
static inline int __mul24(int a, int b) { return (a << 8 >> 8) * (b << 8 >> 8); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline unsigned __brev(unsigned x) {
    unsigned result = 0;
    for (int i = 0; i < 32; i++) result |= (x >> i & 1) << (31 - i);
    return result;
}

#define SIM_NAMED(name, T, result) \
    static inline T name(T x) { return result; }
#define SIM_NAMED_2(name, T, result) \
    static inline T name(T x, T y) { return result; }
// C libraries use these names too, some for other functions.
#define rsqrtf sim_rsqrtf_
#define rsqrt sim_rsqrt_
#define sinpif sim_sinpif_
#define cospif sim_cospif_
#define __expf sim_expf_
#define __exp10f sim_exp10f_
#define __logf sim_logf_
#define __log2f sim_log2f_
#define __log10f sim_log10f_
#define __sinf sim_sinf_
#define __cosf sim_cosf_
#define __tanf sim_tanf_
#define __powf sim_powf_
SIM_NAMED(rsqrtf, float, 1 / std::sqrt(x))
SIM_NAMED(rsqrt, double, 1 / std::sqrt(x))
SIM_NAMED(rcbrtf, float, 1 / std::cbrt(x))
SIM_NAMED(rcbrt, double, 1 / std::cbrt(x))
SIM_NAMED(normcdff, float, std::erfc(x * -0.70710678f) / 2)
SIM_NAMED(sinpif, float, std::sin(3.14159265358979 * x))
SIM_NAMED(cospif, float, std::cos(3.14159265358979 * x))
SIM_NAMED(__expf, float, std::exp(x))
SIM_NAMED(__exp10f, float, std::pow(10.0f, x))
SIM_NAMED(__logf, float, std::log(x))
SIM_NAMED(__log2f, float, std::log2(x))
SIM_NAMED(__log10f, float, std::log10(x))
SIM_NAMED(__sinf, float, std::sin(x))
SIM_NAMED(__cosf, float, std::cos(x))
SIM_NAMED(__tanf, float, std::tan(x))
SIM_NAMED(__saturatef, float, x > 0 ? (x < 1 ? x : 1) : 0)
SIM_NAMED(__frcp_rn, float, 1 / x)
SIM_NAMED(__fsqrt_rn, float, std::sqrt(x))
SIM_NAMED(__frsqrt_rn, float, 1 / std::sqrt(x))
SIM_NAMED_2(__powf, float, std::pow(x, y))
SIM_NAMED_2(__fdividef, float, x / y)
SIM_NAMED_2(__fadd_rn, float, x + y)
SIM_NAMED_2(__fsub_rn, float, x - y)
SIM_NAMED_2(__fmul_rn, float, x * y)
SIM_NAMED_2(__fdiv_rn, float, x / y)
SIM_NAMED_2(__dadd_rn, double, x + y)
SIM_NAMED_2(__dmul_rn, double, x * y)
static inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
static inline float fdividef(float x, float y) { return x / y; }

// The nearest integer that the type can represent; 0 for NaN.
template <class To>
static inline To to_integer(double x) {
    typedef std::numeric_limits<To> Limits;
    return x != x ? 0 : x <= Limits::min() ? Limits::min() : x >= Limits::max() ? Limits::max() : (To)x;
}
static inline int __float2int_rn(float x) { return to_integer<int>(std::nearbyint(x)); }
static inline int __float2int_rz(float x) { return to_integer<int>(x); }
static inline int __float2int_rd(float x) { return to_integer<int>(std::floor(x)); }
static inline int __float2int_ru(float x) { return to_integer<int>(std::ceil(x)); }
static inline unsigned __float2uint_rn(float x) { return to_integer<unsigned>(std::nearbyint(x)); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }
