// Runs CUDA kernels on the CPU: include it before a .cu file and compile both with g++.
//
// Each CUDA thread is a fiber with its own stack: it runs until it waits at a barrier, and then another one runs. So
// barriers, shuffles and shared memory really work, a seed selects the order of threads and blocks, and
// AddressSanitizer and UndefinedBehaviorSanitizer see every access. For ThreadSanitizer each fiber is declared as a
// thread, ordered with others only by barriers, so it reports a missing barrier as a data race.
// With WATCHED, watch.h replaces the sanitizers' libraries.
//
// It does not model timing, bank conflicts, or effects of the memory model beyond races.
#pragma once

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdarg>
#include <string>
#include <utility>
#include <vector>

#ifndef BARRIERS
#define BARRIERS 1  // whether any kernel of the file has barriers; without them threads need no fibers
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define WITH_ADDRESSES(statement) statement
#else
#define WITH_ADDRESSES(statement)
#endif
#if defined(__SANITIZE_THREAD__) && !defined(WATCHED)
#define BY_THREAD_SANITIZER 1
#include <sanitizer/tsan_interface.h>
#define WITH_THREADS(statement) statement
#else
#define WITH_THREADS(statement)
#endif
#if defined(WATCHED)
#define WITH_WATCH(statement) statement
#else
#define WITH_WATCH(statement)
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(BY_THREAD_SANITIZER)
#define OWN_SWITCH 1
#endif

// The simulator's own accesses do not count as the kernel's.
#define UNSEEN __attribute__((no_sanitize("thread"), noinline))
#if defined(BY_THREAD_SANITIZER)
#define NOT_WATCHED __attribute__((noinline))
#else
#define NOT_WATCHED UNSEEN
#endif

#include "sim/words.h"

// ------------------------------------------------------------------------------------------ fibers

namespace sim {

enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, FINISHED };
constexpr size_t STACK = 64 << 10, PAGE = 4096;
constexpr unsigned WARP = 32;

struct Fiber {
    ucontext_t context;
    void *top = nullptr;  // the stack pointer while it does not run, for our own switch
    char *stack = nullptr;
    bool inside = false;  // inside a kernel that never finished: it cannot run another one
    State state = FINISHED;
    unsigned number;  // within its block
    uint3 index;
    const Place *place = nullptr;  // where it is waiting
    unsigned mask = 0;             // the lanes that it waits for
    unsigned block_barriers = 0, warp_barriers = 0;  // barriers passed so far
    void *tsan = nullptr;
};

static std::vector<Fiber> fibers;
static Fiber *current;
static ucontext_t scheduler;
static void *scheduler_top;
static uint3 block_now;
static unsigned block_number, block_threads;  // block_number: how many blocks have started
dim3 block_size, grid_size;
static const char *kernel_name;
static std::vector<uint64_t> exchanged;  // values passed by shuffles, one per thread
static uint64_t random_state;            // 0 runs threads and blocks in order
static char *dynamic_memory;             // shared memory of the size given at launch
static size_t dynamic_size;

static void (*body)(void *);
static void *body_arguments;

extern "C" char __start_cuda_shared[] __attribute__((weak, visibility("hidden"))),
    __stop_cuda_shared[] __attribute__((weak, visibility("hidden")));
// Shared memory lies between inaccessible gaps, which catch accesses before and after it.
asm(".pushsection cuda_gap_before,\"aw\",@nobits\n.zero 65536\n.popsection\n"
    ".pushsection cuda_shared,\"aw\",@nobits\n.balign 4096\n.popsection\n"
    ".pushsection cuda_gap_after,\"aw\",@nobits\n.zero 65536\n.popsection");

// ThreadSanitizer treats these as locks. A barrier alternates between two: with one, a thread that has reached the next
// barrier would seem ordered with a thread that has not yet left this one.
static char block_lock[2], end_lock, fence_lock;
static std::vector<char> warp_locks;
WITH_THREADS(static void *scheduler_tsan;)
WITH_ADDRESSES(static const void *scheduler_stack; static size_t scheduler_size;)

static bool watching;  // whether a watched kernel is running right now
struct Unwatched {
    UNSEEN Unwatched() : before(watching) { watching = false; }
    UNSEEN ~Unwatched() { watching = before; }
    bool before;
};

// ------------------------------------------------------------------------------------------ errors

constexpr size_t MESSAGE = 1024;
constexpr size_t MOST_PRINTED = 1 << 24;
static char error[MESSAGE];
static int errors;
static bool stopped;  // after an error that no thread can continue from
static std::string printed;

// Only the first error of a launch is kept.
UNSEEN __attribute__((format(printf, 1, 2))) static void fail(const char *format, ...) {
    Unwatched here;
    if (errors++) return;
    uint3 t = current ? current->index : uint3{};
    int size = snprintf(error, MESSAGE, "%s: block (%u, %u, %u), thread (%u, %u, %u): ", kernel_name, block_now.x,
                        block_now.y, block_now.z, t.x, t.y, t.z);
    va_list values;
    va_start(values, format);
    vsnprintf(error + size, MESSAGE - size, format, values);
    va_end(values);
}

static void to_scheduler();

// End the launch, because the running thread cannot continue.
[[noreturn]] UNSEEN static void stop() {
    watching = false;
    stopped = true;
    to_scheduler();
    abort();  // never reached
}

UNSEEN void trap(const char *what) {
    fail("%s", what);
    stop();
}

UNSEEN void print(const char *format, ...) {
    Unwatched here;
    char line[8 << 10];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (size > 0 && printed.size() < MOST_PRINTED) printed.append(line, std::min((size_t)size, sizeof line - 1));
}

#ifdef OVERFLOWS
// GCC calls these if a product, sum or difference of ints overflows, and continues with the wrapped value.
static void overflow(const void *where) {
    struct {
        const char *file;
        unsigned line, column;
    } place;
    memcpy(&place, where, sizeof place);
    fail("an integer overflows at %s:%u:%u", place.file, place.line, place.column);
}
extern "C" {
void __ubsan_handle_add_overflow(void *place, void *, void *) { overflow(place); }
void __ubsan_handle_sub_overflow(void *place, void *, void *) { overflow(place); }
void __ubsan_handle_mul_overflow(void *place, void *, void *) { overflow(place); }
void __ubsan_handle_divrem_overflow(void *place, void *, void *) { overflow(place); }
void __ubsan_handle_negate_overflow(void *place, void *) { overflow(place); }
}
#endif

}  // namespace sim

extern "C" [[noreturn]] UNSEEN void sim_assert_fail(const char *what, const char *file, unsigned line,
                                                    const char *) noexcept {
    sim::fail("assertion `%s` failed at %s:%u", what, file, line);
    sim::stop();
}

// ------------------------------------------------------------------------------------------ switching

namespace sim {

#ifdef OWN_SWITCH
// Save the callee-saved registers and the stack, and continue the other fiber. (ucontext would make system calls.)
extern "C" __attribute__((visibility("hidden"))) void sim_switch(void **from, void *to);
asm(".text\n.hidden sim_switch\n.type sim_switch,@function\nsim_switch:\n"
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
    fiber.inside = true;
    WITH_ADDRESSES(void *fake; __sanitizer_start_switch_fiber(&fake, fiber.stack, STACK);)
    WITH_THREADS(__tsan_switch_to_fiber(fiber.tsan, __tsan_switch_to_fiber_no_sync);)
#ifdef OWN_SWITCH
    sim_switch(&scheduler_top, fiber.top);
#else
    swapcontext(&scheduler, &fiber.context);
#endif
    WITH_ADDRESSES(__sanitizer_finish_switch_fiber(fake, nullptr, nullptr);)
    watching = false;
}

static void forget_reads();  // watch.h

// Fibers are reused: when the kernel's body ends, the fiber waits for the next one.
UNSEEN static void life() {
    WITH_ADDRESSES(__sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);)
    for (;;) {
        WITH_WATCH(watching = true;)
        body(body_arguments);
        watching = false;
        WITH_WATCH(forget_reads();)
        current->state = FINISHED;
        current->inside = false;
        WITH_THREADS(__tsan_release(&end_lock);)
        to_scheduler();
    }
}

// For ThreadSanitizer each block gets a new stack: it forgets who wrote to the old one.
#if defined(BY_THREAD_SANITIZER)
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
    if (!NEW_STACKS) mprotect(fiber.stack, PAGE, PROT_NONE);  // a guard page against stack overflow
    getcontext(&fiber.context);
    fiber.context.uc_stack = {};
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, life, 0);
    void **end = (void **)(fiber.stack + STACK - 64);
    *end = (void *)life;  // the first switch returns here; six registers lie below
    fiber.top = end - 6;
    fiber.inside = false;
}

// ------------------------------------------------------------------------------------------ faults

// A kernel that divides by zero, overflows its stack or accesses unmapped memory ends the launch, not the process. The
// sanitizers' libraries have handlers of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(BY_THREAD_SANITIZER)
struct Faults {};
#else
static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction others[4];
static pthread_t launching;

UNSEEN static size_t in_this_program(const void *place) {
    Dl_info found;
    return dladdr((void *)&launching, &found) ? (char *)place - (char *)found.dli_fbase : 0;
}

UNSEEN static void faulted(int number, siginfo_t *about, void *context) {
    if (!pthread_equal(launching, pthread_self()) || !scheduler_top || !current) {
        for (int i = 0; i < 4; i++) sigaction(SIGNALS[i], &others[i], nullptr);
        return;  // it is raised again, for the previous handler
    }
    watching = false;
    size_t place = 0;
#if defined(__x86_64__)
    place = in_this_program((void *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]) + 1;
#endif
    char *at = (char *)about->si_addr;
    if (number == SIGFPE)
        fail("divides an integer by zero, or the smallest one by -1, at @{%zx}", place);
    else if (number == SIGILL)
        fail("executes what no processor can at @{%zx}", place);
    else if (at >= current->stack && at < current->stack + PAGE)
        fail("its local variables and calls need more than the %zu bytes of its stack, at @{%zx}", STACK - PAGE, place);
    else
        fail("reads or writes at %p, where there is no memory, at @{%zx}", (void *)at, place);
    stop();
}

// A thread that is interrupted while it computes lets the scheduler ask Python whether to continue. Meanwhile its
// registers are saved on its own stack.
static struct sigaction asked;
UNSEEN static void interrupted(int number, siginfo_t *about, void *context) {
    if (asked.sa_flags & SA_SIGINFO)
        asked.sa_sigaction(number, about, context);
    else
        asked.sa_handler(number);
    if (!watching || !pthread_equal(launching, pthread_self())) return;
    watching = false;
    current->state = READY;
    to_scheduler();
    watching = true;
}

struct Faults {
    char room[64 << 10];
    stack_t before;
    Faults() {
        stack_t stack = {};
        stack.ss_sp = room;
        stack.ss_size = sizeof room;
        launching = pthread_self();
        sigaltstack(&stack, &before);
        struct sigaction handler = {};
        handler.sa_sigaction = faulted;
        handler.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        for (int i = 0; i < 4; i++) sigaction(SIGNALS[i], &handler, &others[i]);
        WITH_WATCH(sigaction(SIGINT, nullptr, &asked); handler.sa_sigaction = interrupted;
                   handler.sa_flags = SA_SIGINFO | SA_NODEFER;
                   if (asked.sa_handler != SIG_DFL && asked.sa_handler != SIG_IGN)
                       sigaction(SIGINT, &handler, nullptr);)
    }
    ~Faults() {
        WITH_WATCH(sigaction(SIGINT, &asked, nullptr);)
        for (int i = 0; i < 4; i++) sigaction(SIGNALS[i], &others[i], nullptr);
        before.ss_flags &= SS_DISABLE;
        sigaltstack(&before, nullptr);
    }
};
#endif

}  // namespace sim

#include "sim/blocks.h"
