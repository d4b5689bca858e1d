// The second half of simulator.h: barriers and exchanges, blocks of threads, and launches of many blocks.
#pragma once

namespace sim {

struct Launch {
    const unsigned *shape;      // x, y, z of the grid, then of a block
    void **arguments;           // the address of each; for a pointer, the address of the pointer
    const size_t *sizes, *items;  // bytes of each argument's array, and of its elements; ~0 if it is no array
    const size_t *grains;       // bytes of each array's smallest number
    unsigned seed;
    const unsigned *some;       // the numbers of the `count` blocks of the grid that run; all if there are none
    size_t count, shared;       // shared: bytes of shared memory besides what the kernel declares
    int all_races;              // whether to look for races on arrays too
    void *const *python;        // PyEval_SaveThread, PyEval_RestoreThread and PyErr_CheckSignals, if Python is waiting
    char *message, *race;       // buffers for the error and the first race in shared memory, MESSAGE characters each
    const size_t *variables;    // the offset in the program and the bytes of each variable in shared memory
    size_t variable_count;
    const char *printed;        // set to the kernel's output
    size_t printed_size;
};

}  // namespace sim

#if defined(WATCHED)
#include "sim/watch.h"
#endif

namespace sim {

// ------------------------------------------------------------------------------------------ waiting

UNSEEN void wait(Barrier barrier, const Place *place, unsigned mask) {
    Unwatched here;
    WITH_WATCH(forget_reads();)
    current->place = place;
    current->mask = mask;
    char *lock;
    if (barrier == OF_BLOCK) {
        current->state = AT_BLOCK_BARRIER;
        lock = &block_lock[current->block_barriers++ % 2];
    } else {
        if (!(mask >> current->number % WARP & 1)) {
            fail("is not in its own mask %#x at %s:%u", mask, place->file, place->line);
            stop();
        }
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

// Another lane's word. A lane that has returned or is not in the mask gives all ones, which is NaN as a float.
UNSEEN uint64_t exchange(uint64_t word, unsigned lane, const Place *place, unsigned mask) {
    Unwatched here;
    unsigned from = current->number / WARP * WARP + lane % WARP;
    exchanged[current->number] = word;
    wait(OF_WARP, place, mask);  // all have written
    bool asked = from < block_threads && mask >> lane % WARP & 1, there = asked && fibers[from].state != FINISHED;
    WITH_WATCH(if (asked && !there && launched->all_races)
                   fail("gets the value of lane %u of its warp, which has returned, at %s:%u", lane, place->file,
                        place->line);)
    word = there ? exchanged[from] : ~0ull;
    wait(OF_WARP, place + 1, mask);  // all have read
    return word;
}

UNSEEN unsigned ballot(bool mine, const Place *place, unsigned mask) {
    Unwatched here;
    unsigned first = current->number / WARP * WARP, result = 0;
    exchanged[current->number] = mine;
    wait(OF_WARP, place, mask);
    for (unsigned i = 0; i < WARP && first + i < block_threads; i++)
        if (mask >> i & 1 && fibers[first + i].state != FINISHED && exchanged[first + i]) result |= 1u << i;
    wait(OF_WARP, place + 1, mask);
    return result;
}

UNSEEN int of_block(bool mine, const Place *place, int what) {
    Unwatched here;
    exchanged[current->number] = mine;
    wait(OF_BLOCK, place, 0);
    unsigned count = 0;
    for (unsigned i = 0; i < block_threads; i++) count += exchanged[i];
    wait(OF_BLOCK, place + 1, 0);
    return what == 0 ? count : what == 1 ? count == block_threads : count != 0;
}

#if !defined(WATCHED)
UNSEEN void touch_atomic(void *, unsigned, bool, const void *) {}
UNSEEN void fence() {
    WITH_THREADS(__tsan_release(&fence_lock); __tsan_acquire(&fence_lock);)
}
#endif

// ------------------------------------------------------------------------------------------ blocks

// A random number below `number`. source: Steele, Lea & Flood, Fast splittable pseudorandom number generators (2014)
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

// Fill each block's shared memory with NaN to expose reads before the first write. The sanitizers must not
// see these writes. ThreadSanitizer forgets who wrote to it.
__attribute__((no_sanitize("thread", "address"), noinline)) static void poison(char *begin, size_t size) {
    for (volatile char *byte = begin, *end = begin + size; byte < end; byte++) *byte = -1;
}
static void poison_shared_memory() {
    if (__start_cuda_shared) {
        size_t size = __stop_cuda_shared - __start_cuda_shared;
#if defined(BY_THREAD_SANITIZER)
        mmap(__start_cuda_shared, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        poison(__start_cuda_shared, size);
#elif defined(__SANITIZE_ADDRESS__)
        poison(__start_cuda_shared, size);
#else
        memset(__start_cuda_shared, -1, size);
#endif
    }
    poison(dynamic_memory, dynamic_size);
}

static uint3 thread_of(unsigned number) {
    return {number % block_size.x, number / block_size.x % block_size.y, number / (block_size.x * block_size.y)};
}

// Release lanes that wait at one place for each other or for finished lanes. Returns whether there were any.
static bool release_warps(unsigned threads) {
    bool any = false;
    for (unsigned first = 0; first < threads; first += WARP) {
        unsigned end = std::min(threads, first + WARP), seen = 0;
        for (unsigned i = first; i < end; i++) {
            if (fibers[i].state != AT_WARP_BARRIER || seen >> (i - first) & 1) continue;
            const Fiber &one = fibers[i];
            seen |= one.mask;
            bool all = true;
            for (unsigned j = first; j < end && all; j++)
                if (one.mask >> (j - first) & 1 && fibers[j].state != FINISHED)
                    all = fibers[j].state == AT_WARP_BARRIER && fibers[j].place == one.place &&
                          fibers[j].mask == one.mask;
            if (!all) continue;
            unsigned mask = one.mask;
            WITH_WATCH(pass_warp(first, mask);)
            for (unsigned j = first; j < end; j++)
                if (mask >> (j - first) & 1 && fibers[j].state == AT_WARP_BARRIER) fibers[j].state = READY;
            any = true;
        }
    }
    return any;
}

// Release the block if all its threads wait at its barrier or have finished. Returns whether it was released.
static bool release_block(unsigned threads) {
    const Place *place = nullptr;
    unsigned waiting = 0, finished = 0;
    for (unsigned i = 0; i < threads; i++) {
        finished += fibers[i].state == FINISHED;
        if (fibers[i].state != AT_BLOCK_BARRIER) continue;
        waiting++;
        current = &fibers[i];
        if (place && place != current->place)
            fail("waits at another __syncthreads than the threads before it: at %s:%u, they at %s:%u",
                 current->place->file, current->place->line, place->file, place->line);
        place = current->place;
    }
    if (waiting + finished != threads) return false;
    if (finished)
        fail("waits at a __syncthreads that other threads never reach, at %s:%u: %u of %u have returned", place->file,
             place->line, finished, threads);
    WITH_WATCH(pass_block();)
    for (unsigned i = 0; i < threads; i++)
        if (fibers[i].state == AT_BLOCK_BARRIER) fibers[i].state = READY;
    return true;
}

// Report why the block will never end: some threads wait forever, at least one of them for its warp.
static void give_up(unsigned threads) {
    const Fiber *other = nullptr;
    current = nullptr;
    for (unsigned i = 0; i < threads; i++)
        if (fibers[i].state == AT_WARP_BARRIER && !current) current = &fibers[i];
    unsigned first = current->number / WARP * WARP;
    for (unsigned i = first; i < std::min(threads, first + WARP); i++)
        if (current->mask >> (i - first) & 1 && fibers[i].state != FINISHED && fibers[i].place != current->place)
            other = other ? other : &fibers[i];
    const Place *place = current->place;
    if (other)
        fail("waits at a __syncwarp or a shuffle that other lanes of its warp never reach, at %s:%u: lane %u waits at "
             "%s:%u", place->file, place->line, other->number % WARP, other->place->file, other->place->line);
    else
        fail("waits at a __syncwarp or a shuffle that other lanes of its warp reach with another mask, at %s:%u",
             place->file, place->line);
}

// Let Python's other threads run for a moment, and stop if a signal handler has raised an exception.
static void let_python_run(const Launch &what) {
    if (!what.python) return;
    void *state = ((void *(*)())what.python[0])();
    ((void (*)(void *))what.python[1])(state);
    stopped = stopped || ((int (*)())what.python[2])() != 0;
}

static void run_block(unsigned threads, const Launch &what) {
    std::vector<unsigned> order = in_order(threads);
    poison_shared_memory();
    for (unsigned i = 0; i < threads; i++) {
        Fiber &fiber = fibers[i];
        if (!fiber.stack || fiber.inside || NEW_STACKS) give_stack(fiber);
        fiber.number = i;
        fiber.index = thread_of(i);
        fiber.state = READY;
        fiber.block_barriers = fiber.warp_barriers = 0;
        WITH_THREADS(fiber.tsan = __tsan_create_fiber(0);)
    }
    while (!stopped) {
        if (random_state) shuffle_order(order);
        for (unsigned i : order) {
            if (fibers[i].state == READY) to_fiber(fibers[i]);
            if (stopped) break;
        }
        bool all = true, any = false;
        for (unsigned i = 0; i < threads; i++) {
            all = all && fibers[i].state == FINISHED;
            any = any || fibers[i].state == READY;  // it ran for long and yielded to the others
        }
        if (all || stopped) break;
        if (any) {
            let_python_run(what);
            continue;
        }
        if (release_warps(threads) || release_block(threads)) continue;
        give_up(threads);
        break;
    }
    WITH_THREADS(for (unsigned i = 0; i < threads; i++) __tsan_destroy_fiber(fibers[i].tsan);)
}

// If no kernel of the file has a barrier, threads are consecutive calls.
static void call_block(unsigned threads) {
    std::vector<unsigned> order = in_order(threads);
    if (random_state) shuffle_order(order);
    poison_shared_memory();
    Fiber self;
    current = &self;
    for (unsigned i : order) {
        self.number = i;
        self.index = thread_of(i);
        body(body_arguments);
    }
}

#if defined(BY_THREAD_SANITIZER) || defined(WATCHED)
constexpr bool FIBERS = true;  // else ThreadSanitizer would take a block's threads for one
#else
constexpr bool FIBERS = BARRIERS;
#endif

// ------------------------------------------------------------------------------------------ launches

template <class... P, size_t... I>
UNSEEN static void call(void (*kernel)(P...), void **arguments, std::index_sequence<I...>) {
    kernel(*(std::decay_t<P> *)arguments[I]...);
}

template <class... P>
struct Call {
    void (*kernel)(P...);
    void **arguments;
    UNSEEN static void enter(void *p) {
        Call *c = (Call *)p;
        call(c->kernel, c->arguments, std::index_sequence_for<P...>{});
    }
};

static void run_blocks(const Launch &what, size_t blocks, unsigned threads) {
    std::vector<unsigned> order = what.count ? std::vector<unsigned>(what.some, what.some + what.count) : in_order(blocks);
    if (what.seed) shuffle_order(order);
    for (unsigned b : order) {
        block_now = {b % grid_size.x, b / grid_size.x % grid_size.y, b / (grid_size.x * grid_size.y)};
        block_number++;
        WITH_WATCH(begin_block();)
        WITH_WATCH(if (accesses_since() > TURN) let_python_run(what);)
        FIBERS ? run_block(threads, what) : call_block(threads);
        if (stopped) break;
    }
}

// Run a kernel with a shape that a GPU can launch. Returns the number of errors; the message describes the first.
template <class... P>
static int launch(const char *name, void (*kernel)(P...), Launch &what) {
    Call<P...> call{kernel, what.arguments};
    body = Call<P...>::enter;
    body_arguments = &call;
    kernel_name = name;
    errors = 0;
    stopped = watching = false;
    printed.clear();
    current = nullptr;
    random_state = what.seed;
    grid_size = {what.shape[0], what.shape[1], what.shape[2]};
    block_size = {what.shape[3], what.shape[4], what.shape[5]};
    unsigned threads = block_threads = block_size.x * block_size.y * block_size.z;
    size_t blocks = (size_t)grid_size.x * grid_size.y * grid_size.z;
    fibers.reserve(1024);  // a context must not move: it points into itself
    if (FIBERS && fibers.size() < threads) fibers.resize(threads);
    exchanged.assign(threads + WARP, 0);
    warp_locks.assign(threads / WARP * 2 + 2, 0);
    WITH_THREADS(scheduler_tsan = __tsan_get_current_fiber();)
    std::vector<char> dynamic(what.shared + 16);
    dynamic_memory = dynamic.data() + (16 - (size_t)dynamic.data() % 16) % 16;
    dynamic_size = what.shared;
    {
        WITH_WATCH(Watch watch(what, sizeof...(P));)
        Faults faults;
        (void)faults;
        run_blocks(what, blocks, threads);
        WITH_WATCH(report_unwritten();)
    }
    WITH_THREADS(__tsan_acquire(&end_lock);)
    current = nullptr;
    scheduler_top = nullptr;
    if (errors) memcpy(what.message, error, MESSAGE);
    what.printed = printed.data();
    what.printed_size = printed.size();
    return errors ? errors : stopped ? -1 : 0;
}

// ------------------------------------------------------------------------------------------ parameters

template <class T>
struct Kind {
    static constexpr char of = std::is_same_v<T, bool>          ? 'b'
                               : std::is_floating_point_v<T>    ? 'f'
                               : std::is_enum_v<T>              ? 'i'
                               : !std::is_integral_v<T>         ? 'V'
                               : std::is_signed_v<T>            ? 'i'
                                                                : 'u';
    static constexpr size_t size = sizeof(T);
};
template <>
struct Kind<void> {
    static constexpr char of = 'V';
    static constexpr size_t size = 0;
};

template <class T>
static const char *text_of() {
    return __PRETTY_FUNCTION__;
}

// A line: whether it is a pointer, the kind and size of the value or the pointee, and the type's name.
template <class T>
static std::string parameter() {
    typedef std::remove_cv_t<std::remove_pointer_t<T>> Pointee;
    return std::string(std::is_pointer_v<T> ? "* " : "- ") + Kind<Pointee>::of + " " +
           std::to_string(Kind<Pointee>::size) + " " + text_of<T>() + "\n";
}

template <class... P>
UNSEEN static const char *parameters(void (*)(P...)) {
    static const std::string lines = (std::string() + ... + parameter<std::decay_t<P>>());
    return lines.c_str();
}

}  // namespace sim

// Follows a kernel's definition. name: the suffix of the functions; text: the kernel's name in messages; then the
// kernel. The source's own macros apply to this code, so it uses few identifiers.
#define SIM_EXPORT(name, text, ...)                                                                          \
    extern "C" __attribute__((visibility("default"), no_sanitize("thread"))) int launch_##name(void *sim_what) { \
        return ::sim::launch(text, __VA_ARGS__, *(::sim::Launch *)sim_what);                                 \
    }                                                                                                        \
    extern "C" __attribute__((visibility("default"), no_sanitize("thread"))) const char *parameters_##name() { \
        return ::sim::parameters(__VA_ARGS__);                                                               \
    }
