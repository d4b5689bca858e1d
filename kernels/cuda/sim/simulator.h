// Runs CUDA kernels on the CPU: a .cu file that is included after this one is compiled by g++.
//
// Each CUDA thread is a fiber: it has a stack of its own and runs until it waits at a barrier, then another one runs.
// So barriers, shuffles and shared memory are real, in any order of threads and blocks that a seed asks for, and
// AddressSanitizer and UndefinedBehaviorSanitizer see every access. ThreadSanitizer is told that each fiber is a
// thread and that nothing but a barrier orders two of them: a missing one is then a data race that it reports.
//
// What this cannot show: timing, bank conflicts, and effects of the memory model beyond races.
#pragma once

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define WITH_ADDRESSES(statement) statement
#else
#define WITH_ADDRESSES(statement)
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define WITH_THREADS(statement) statement
#else
#define WITH_THREADS(statement)
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define OWN_SWITCH 1
#endif

// The simulator's own accesses are no accesses of the kernel.
#define UNSEEN __attribute__((no_sanitize("thread"), noinline))

// ------------------------------------------------------------------------------------------ CUDA's words

#define KERNEL static
#define SHARED static __attribute__((section("cuda_shared,\"aw\",@nobits#")))
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) double2 {
    double x, y;
};

namespace sim {

struct Fiber;

uint3 thread_index();
uint3 block_index();
extern dim3 block_size, grid_size;

enum Barrier { OF_BLOCK, OF_WARP };
void wait(Barrier barrier, const void *place);
template <class T>
T shuffle(T value, unsigned lane, const void *place);
unsigned lane();

}  // namespace sim

#define threadIdx (sim::thread_index())
#define blockIdx (sim::block_index())
#define blockDim (sim::block_size)
#define gridDim (sim::grid_size)

// A place in the source: threads that wait for one another have to wait at the same one.
#define PLACE __extension__({ static const char place_[2] = {}; (const void *)place_; })
#define __syncthreads() sim::wait(sim::OF_BLOCK, PLACE)
// Of whole warps, as kernels here have them: each lane that has not returned comes to the same place.
#define __syncwarp() sim::wait(sim::OF_WARP, PLACE)
#define __shfl_sync(mask, value, source) sim::shuffle(value, source, PLACE)
#define __shfl_xor_sync(mask, value, bits) sim::shuffle(value, sim::lane() ^ (bits), PLACE)
#define __shfl_down_sync(mask, value, by) \
    sim::shuffle(value, sim::lane() + (by) < 32 ? sim::lane() + (by) : sim::lane(), PLACE)

using std::max;
using std::min;
template <class T>
static inline T __ldg(const T *p) {
    return *p;
}
template <class T>
static inline void __stwb(T *p, T value) {
    *p = value;
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t)a * b >> 32; }
static inline int __float_as_int(float x) {
    int bits;
    memcpy(&bits, &x, 4);
    return bits;
}
static inline float __int_as_float(int bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
static inline unsigned __float_as_uint(float x) { return __float_as_int(x); }
static inline float __uint_as_float(unsigned bits) { return __int_as_float(bits); }

// ------------------------------------------------------------------------------------------ fibers

namespace sim {

enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, FINISHED };
constexpr size_t STACK = 64 << 10;
constexpr unsigned WARP = 32, MOST_THREADS = 1024, MOST_THREADS_Z = 64;
constexpr unsigned MOST_BLOCKS_X = 0x7fffffff, MOST_BLOCKS_YZ = 65535;

struct Fiber {
    ucontext_t context;
    void *top = nullptr;  // of its stack, while it does not run, for our own switch
    char *stack = nullptr;
    State state = FINISHED;
    unsigned number;  // in its block
    uint3 index;
    const void *place = nullptr;                 // where it waits
    unsigned block_barriers = 0, warp_barriers = 0;  // passed so far
    void *tsan = nullptr;
};

struct Error {
    char text[512];
    int count = 0;
};

static std::vector<Fiber> fibers;
static Fiber *current;
static ucontext_t scheduler;
static void *scheduler_top;
static uint3 block_now;
dim3 block_size, grid_size;
static Error error;
static const char *kernel_name;
static std::vector<uint64_t> exchanged;  // by thread: what shuffles hand over
static uint64_t random_state;            // 0: threads and blocks in order

static void (*body)(void *);
static void *body_arguments;

extern "C" char __start_cuda_shared[] __attribute__((weak)), __stop_cuda_shared[] __attribute__((weak));
asm(".pushsection cuda_shared,\"aw\",@nobits\n.balign 4096\n.popsection");

// What ThreadSanitizer takes for locks. A barrier has two, used in turn: with one, a thread that has passed it and
// comes to the next would seem ordered with one that has not yet left the first.
static char block_lock[2], end_lock;
static std::vector<char> warp_locks;
WITH_THREADS(static void *scheduler_tsan;)
WITH_ADDRESSES(static const void *scheduler_stack; static size_t scheduler_size;)

static void fail(const char *what) {
    if (error.count++) return;
    uint3 t = current ? current->index : uint3{};
    snprintf(error.text, sizeof error.text, "%s: block (%u, %u, %u), thread (%u, %u, %u): %s", kernel_name, block_now.x,
             block_now.y, block_now.z, t.x, t.y, t.z, what);
}

// GCC calls these where a product, a sum or a difference of ints does not fit one, and goes on with what is left of it.
#ifdef OVERFLOWS
static void overflow(const void *where) {
    struct {
        const char *file;
        unsigned line, column;
    } place;
    memcpy(&place, where, sizeof place);
    char what[256];
    snprintf(what, sizeof what, "an integer overflows at %s:%u:%u", place.file, place.line, place.column);
    fail(what);
}
extern "C" {
void __ubsan_handle_add_overflow(void *place, void *, void *) { overflow(place); }
void __ubsan_handle_sub_overflow(void *place, void *, void *) { overflow(place); }
void __ubsan_handle_mul_overflow(void *place, void *, void *) { overflow(place); }
void __ubsan_handle_divrem_overflow(void *place, void *, void *) { overflow(place); }
void __ubsan_handle_negate_overflow(void *place, void *) { overflow(place); }
}
#endif

#ifdef OWN_SWITCH
// Save the registers that a call keeps, and the stack; go on where the other one stopped. (ucontext asks the system.)
extern "C" void sim_switch(void **from, void *to);
asm(".text\n.type sim_switch,@function\nsim_switch:\n"
    " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov %rsp,(%rdi)\n mov %rsi,%rsp\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n"
    ".size sim_switch,.-sim_switch\n");
#endif

UNSEEN static void to_scheduler() {
    Fiber *self = current;
    WITH_ADDRESSES(void *fake = nullptr;
                   __sanitizer_start_switch_fiber(&fake, scheduler_stack, scheduler_size);)
    WITH_THREADS(__tsan_switch_to_fiber(scheduler_tsan, __tsan_switch_to_fiber_no_sync);)
#ifdef OWN_SWITCH
    sim_switch(&self->top, scheduler_top);
#else
    swapcontext(&self->context, &scheduler);
#endif
    WITH_ADDRESSES(__sanitizer_finish_switch_fiber(fake, nullptr, nullptr);)
}

UNSEEN static void to_fiber(Fiber &fiber) {
    current = &fiber;
    fiber.state = READY;
    WITH_ADDRESSES(void *fake; __sanitizer_start_switch_fiber(&fake, fiber.stack, STACK);)
    WITH_THREADS(__tsan_switch_to_fiber(fiber.tsan, __tsan_switch_to_fiber_no_sync);)
#ifdef OWN_SWITCH
    sim_switch(&scheduler_top, fiber.top);
#else
    swapcontext(&scheduler, &fiber.context);
#endif
    WITH_ADDRESSES(__sanitizer_finish_switch_fiber(fake, nullptr, nullptr);)
}

// A fiber is used again and again: when a kernel's body ends, the fiber waits for the next one.
UNSEEN static void life() {
    WITH_ADDRESSES(__sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);)
    for (;;) {
        body(body_arguments);
        current->state = FINISHED;
        WITH_THREADS(__tsan_release(&end_lock);)
        to_scheduler();
    }
}

// ThreadSanitizer is given a new stack for each block, or rather forgets who wrote to the old one.
#if defined(__SANITIZE_THREAD__)
constexpr bool NEW_STACKS = true;
#else
constexpr bool NEW_STACKS = false;
#endif

static void give_stack(Fiber &fiber) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (fiber.stack ? MAP_FIXED : 0);
    fiber.stack = (char *)mmap(fiber.stack, STACK, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (fiber.stack == MAP_FAILED) {
        perror("simulator: no memory for a thread's stack");
        abort();
    }
    getcontext(&fiber.context);
    fiber.context.uc_stack = {};
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, life, 0);
    void **end = (void **)(fiber.stack + STACK - 64);
    *end = (void *)life;  // where the first switch returns to, above six registers
    fiber.top = end - 6;
}

UNSEEN void wait(Barrier barrier, const void *place) {
    current->place = place;
    char *lock;
    if (barrier == OF_BLOCK) {
        current->state = AT_BLOCK_BARRIER;
        lock = &block_lock[current->block_barriers++ % 2];
    } else {
        current->state = AT_WARP_BARRIER;
        lock = &warp_locks[current->number / WARP * 2 + current->warp_barriers++ % 2];
    }
    (void)lock;
    WITH_THREADS(__tsan_release(lock);)
    to_scheduler();
    WITH_THREADS(__tsan_acquire(lock);)
}

UNSEEN uint3 thread_index() { return current->index; }
UNSEEN uint3 block_index() { return block_now; }
UNSEEN unsigned lane() { return current->number % WARP; }
UNSEEN static void put(uint64_t word) { exchanged[current->number] = word; }
UNSEEN static uint64_t get(unsigned lane) { return exchanged[current->number / WARP * WARP + lane % WARP]; }

template <class T>
T shuffle(T value, unsigned lane, const void *place) {
    static_assert(sizeof(T) <= 8, "a shuffle moves 8 bytes at most");
    uint64_t word = 0;
    memcpy(&word, &value, sizeof value);
    put(word);
    wait(OF_WARP, place);  // all have put
    word = get(lane);
    wait(OF_WARP, (const char *)place + 1);  // all have got
    memcpy(&value, &word, sizeof value);
    return value;
}

// ------------------------------------------------------------------------------------------ blocks

// From 0 to below a number. source: Steele, Lea & Flood, Fast splittable pseudorandom number generators (2014)
static unsigned random_below(unsigned number) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return ((z ^ (z >> 31)) >> 32) * number >> 32;
}

static void shuffle_order(std::vector<unsigned> &order) {
    for (unsigned i = order.size(); i > 1; i--) std::swap(order[i - 1], order[random_below(i)]);
}

static std::vector<unsigned> in_order(unsigned count) {
    std::vector<unsigned> order(count);
    for (unsigned i = 0; i < count; i++) order[i] = i;
    return order;
}

// Shared memory begins as NaN: what is read before it is written shows. ThreadSanitizer forgets who wrote to it.
static void forget_shared_memory() {
    if (!__start_cuda_shared) return;
    size_t size = __stop_cuda_shared - __start_cuda_shared;
#if defined(__SANITIZE_THREAD__)
    mmap(__start_cuda_shared, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#elif !defined(__SANITIZE_ADDRESS__)
    memset(__start_cuda_shared, 0xff, size);
#else
    (void)size;
#endif
}

static uint3 thread_of(unsigned number) {
    return {number % block_size.x, number / block_size.x % block_size.y, number / (block_size.x * block_size.y)};
}

// Let the warps go on of which all threads wait at one place, or have finished. Whether there are any.
static bool release_warps(unsigned threads) {
    bool any = false;
    for (unsigned first = 0; first < threads; first += WARP) {
        unsigned end = std::min(threads, first + WARP), waiting = 0, finished = 0;
        const void *place = nullptr;
        bool apart = false;
        for (unsigned i = first; i < end; i++) {
            finished += fibers[i].state == FINISHED;
            if (fibers[i].state != AT_WARP_BARRIER) continue;
            apart = apart || (place && place != fibers[i].place);
            place = fibers[i].place;
            waiting++;
        }
        if (!waiting || apart || waiting + finished != end - first) continue;
        for (unsigned i = first; i < end; i++)
            if (fibers[i].state == AT_WARP_BARRIER) fibers[i].state = READY;
        any = true;
    }
    return any;
}

// Let the block go on, all of whose threads wait for it or have finished. Whether that is so.
static bool release_block(unsigned threads) {
    const void *place = nullptr;
    unsigned waiting = 0, finished = 0;
    for (unsigned i = 0; i < threads; i++) {
        finished += fibers[i].state == FINISHED;
        if (fibers[i].state != AT_BLOCK_BARRIER) continue;
        waiting++;
        current = &fibers[i];
        if (place && place != current->place) fail("waits at another __syncthreads than the threads before it");
        place = current->place;
    }
    if (waiting + finished != threads) return false;
    if (finished) fail("waits at a __syncthreads that other threads never reach: they have returned");
    for (unsigned i = 0; i < threads; i++)
        if (fibers[i].state == AT_BLOCK_BARRIER) fibers[i].state = READY;
    return true;
}

// Leave the block, some threads of which will wait for ever, at least one of them for its warp.
static void give_up(unsigned threads) {
    current = nullptr;
    for (unsigned i = 0; i < threads; i++) {
        if (fibers[i].state == FINISHED) continue;
        if (fibers[i].state == AT_WARP_BARRIER && !current) current = &fibers[i];
        fibers[i].stack = nullptr;  // still in the kernel: the next block begins on another one
    }
    fail("waits at a __syncwarp or a shuffle that other lanes of its warp never reach");
}

static void run_block(unsigned threads) {
    std::vector<unsigned> order = in_order(threads);
    forget_shared_memory();
    for (unsigned i = 0; i < threads; i++) {
        Fiber &fiber = fibers[i];
        if (!fiber.stack || NEW_STACKS) give_stack(fiber);
        fiber.number = i;
        fiber.index = thread_of(i);
        fiber.state = READY;
        fiber.block_barriers = fiber.warp_barriers = 0;
        WITH_THREADS(fiber.tsan = __tsan_create_fiber(0);)
    }
    for (;;) {
        if (random_state) shuffle_order(order);
        for (unsigned i : order)
            if (fibers[i].state == READY) to_fiber(fibers[i]);
        bool all = true;
        for (unsigned i = 0; i < threads; i++) all = all && fibers[i].state == FINISHED;
        if (all) break;
        if (release_warps(threads) || release_block(threads)) continue;
        give_up(threads);
        break;
    }
    WITH_THREADS(for (unsigned i = 0; i < threads; i++) __tsan_destroy_fiber(fibers[i].tsan);)
}

// Where no kernel of the file has a barrier, threads are calls one after the other.
static void call_block(unsigned threads) {
    std::vector<unsigned> order = in_order(threads);
    if (random_state) shuffle_order(order);
    Fiber self;
    current = &self;
    for (unsigned i : order) {
        self.number = i;
        self.index = thread_of(i);
        body(body_arguments);
    }
}

#ifndef BARRIERS
#define BARRIERS 1
#endif
#if defined(__SANITIZE_THREAD__)
constexpr bool FIBERS = true;  // else two threads of a block would be one to ThreadSanitizer
#else
constexpr bool FIBERS = BARRIERS;
#endif

template <class... P, size_t... I>
static void call(void (*kernel)(P...), void **arguments, std::index_sequence<I...>) {
    kernel(*(std::decay_t<P> *)arguments[I]...);
}

// Run a kernel. shape: the grid's x, y, z and a block's; arguments: the address of each; message: 512 characters.
// Returns 0, or the number of errors of which the message has the first.
// some: the numbers of those blocks of the grid that run, so many; all of them if there are none
template <class... P>
static int launch(const char *name, void (*kernel)(P...), const unsigned *shape, void **arguments, unsigned seed,
                  const std::vector<unsigned> &some, char *message) {
    struct Call {
        void (*kernel)(P...);
        void **arguments;
    } what{kernel, arguments};
    body = [](void *p) {
        Call *c = (Call *)p;
        call(c->kernel, c->arguments, std::index_sequence_for<P...>{});
    };
    body_arguments = &what;
    kernel_name = name;
    error.count = 0;
    current = nullptr;
    random_state = seed;
    grid_size = {shape[0], shape[1], shape[2]};
    block_size = {shape[3], shape[4], shape[5]};
    size_t threads = (size_t)block_size.x * block_size.y * block_size.z;
    size_t blocks = (size_t)grid_size.x * grid_size.y * grid_size.z;
    if (!threads || !blocks || threads > MOST_THREADS || block_size.z > MOST_THREADS_Z ||
        grid_size.x > MOST_BLOCKS_X || grid_size.y > MOST_BLOCKS_YZ || grid_size.z > MOST_BLOCKS_YZ) {
        snprintf(message, 512, "%s: a grid of (%u, %u, %u) blocks of (%u, %u, %u) threads cannot be launched", name,
                 shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]);
        return 1;
    }
    fibers.reserve(MOST_THREADS);  // a context must not move: it points into itself
    if (FIBERS && fibers.size() < threads) fibers.resize(threads);
    exchanged.assign(threads + WARP, 0);
    warp_locks.assign(threads / WARP * 2 + 2, 0);
    WITH_THREADS(scheduler_tsan = __tsan_get_current_fiber();)
    std::vector<unsigned> order = some.empty() ? in_order(blocks) : some;
    if (seed) shuffle_order(order);
    for (unsigned b : order) {
        block_now = {b % grid_size.x, b / grid_size.x % grid_size.y, b / (grid_size.x * grid_size.y)};
        FIBERS ? run_block(threads) : call_block(threads);
    }
    WITH_THREADS(__tsan_acquire(&end_lock);)
    if (error.count) memcpy(message, error.text, sizeof error.text);
    return error.count;
}

}  // namespace sim

#define EXPORT(kernel)                                                                                         \
    extern "C" int launch_##kernel(const unsigned *shape, void **arguments, unsigned seed, const unsigned *some, \
                                   size_t count, char *message) {                                              \
        return sim::launch(#kernel, kernel, shape, arguments, seed, {some, some + count}, message);            \
    }
