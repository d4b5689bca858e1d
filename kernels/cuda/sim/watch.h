// Watches a kernel's accesses: g++ calls these functions at each access (-fsanitize=thread), and at each index into an
// array of known size (-fsanitize=bounds). They replace the sanitizers' libraries, so this works in the process of a
// notebook, which continues after an error.
//
// - Array arguments are copied to regions surrounded by unmapped memory, and copied back when the launch ends. An
//   access outside them ends the launch before it happens.
// - Two accesses to one byte of shared memory, one of them a write, are a race if no barrier orders them. A racing
//   read returns NaN, so a missing barrier is noticed in every order of threads.
#pragma once

#include <link.h>

namespace sim {

constexpr size_t GAP = 1 << 28;                // unmapped bytes around an array
constexpr unsigned TURN = 1 << 22;             // accesses after which a thread that never waits lets others run
constexpr size_t NO_ARRAY = ~(size_t)0;        // the size of an argument that is not an array
constexpr size_t NAME = 96;                    // characters of a name
constexpr unsigned LARGEST = 16;               // bytes of the largest access by one instruction

struct Argument {
    char *begin;
    size_t size, item;
};
struct Region {  // memory that the kernel may use, separate from all other memory
    char *begin;
    size_t size;
    char *host;  // the memory that it is a copy of
    char *mapped;
    struct Cell *cells;  // the last accesses, a cell for each `grain` bytes
    size_t grain;
};

// The properties of an access that determine what is ordered before it.
struct Touch {
    unsigned block, epoch, warp, clock, place;
    uint3 index;  // the block's index
    unsigned short thread;
    bool atomic;
};
struct Cell {  // of a byte: its last writer, its last reader, and another reader
    Touch write, read, other;
};
struct Doubt {  // a racing access, settled at the thread's next access, when its value is known
    char *p, bytes[LARGEST];
    unsigned size;
    bool write;
    Touch before, now;
};

static std::vector<Argument> array_arguments;
static std::vector<Region> regions_kept;
static const Argument *arguments_begin;
static const Region *regions;
static size_t argument_count, region_count;
static char *module_begin, *module_end;
static Cell *module_cells, *dynamic_cells;  // for the program's variables, and for dynamic shared memory
static Launch *launched;
static unsigned steps, all_steps, epoch, clock_now;
// A vector clock per thread. At its own lane: how many warp barriers the thread has passed. At another lane: how many
// that lane had passed when the two last waited together, directly or through other lanes.
static unsigned warp_clocks[1024][WARP];
static bool acquired;  // whether this block sees what others did before their fences
static unsigned fenced[1024], took[1024];  // by thread: times of its last fence and its last atomic change
static std::vector<unsigned> fences;
static Doubt doubt;
static struct {  // the first read of shared memory that no thread of the block had written
    char name[NAME];
    Touch now;
} unwritten;
extern "C" char __start_cuda_gap_before[] __attribute__((weak, visibility("hidden"))),
    __stop_cuda_gap_after[] __attribute__((weak, visibility("hidden"))),
    __start_cuda_constant[] __attribute__((weak, visibility("hidden"))),
    __stop_cuda_constant[] __attribute__((weak, visibility("hidden")));

static uint3 thread_of(unsigned number);

// ------------------------------------------------------------------------------------------ races

// Whether an earlier access is ordered before this thread's current one.
UNSEEN static bool ordered(const Touch &before, const Touch &now) {
    if (!before.block || (before.atomic && now.atomic)) return true;
    if (before.block != now.block) return acquired && fences[before.block] > before.clock;
    unsigned fence = fenced[before.thread];
    return before.thread == now.thread || before.epoch < now.epoch || (fence > before.clock && took[now.thread] >= fence) ||
           (before.thread / WARP == now.thread / WARP && before.warp < warp_clocks[now.thread][before.thread % WARP]);
}

// The argument that an address was meant to be in: the nearest, allowing for unsigned indices that went below zero.
UNSEEN static const Argument *meant(const char *p) {
    const Argument *nearest = nullptr;
    size_t distance = GAP;
    for (size_t i = 0; i < 2 * argument_count; i++) {
        const Argument &one = arguments_begin[i / 2];
        if (one.size == NO_ARRAY) continue;
        const char *q = i % 2 ? p - ((size_t)one.item << 32) : p;
        size_t off = q < one.begin ? one.begin - q : q >= one.begin + one.size ? q - one.begin - one.size : 0;
        if (off >= distance) continue;
        nearest = &one;
        distance = off;
    }
    return nearest;
}

UNSEEN static void name_of(char *text, const char *p, unsigned size) {
    size_t from_dynamic = p < dynamic_memory ? dynamic_memory - p : p - dynamic_memory;
    if (p >= module_begin && p < module_end)
        snprintf(text, NAME, "${%zx:%u}", in_this_program(p), size);
    else if (from_dynamic < GAP)
        snprintf(text, NAME, "byte %td of the extern __shared__ array", p - dynamic_memory);
    else if (const Argument *one = meant(p)) {
        ptrdiff_t by = p - one->begin, item = one->item ? one->item : 1;
        snprintf(text, NAME, "&{%td}[%td]", one - arguments_begin, by < 0 ? -((item - 1 - by) / item) : by / item);
    } else
        snprintf(text, NAME, p < (char *)PAGE ? "a null pointer" : "%p, which is in no array of the kernel", (void *)p);
}

UNSEEN static void report_race(const char *p, unsigned size, const char *did, const Touch &before, const char *does,
                               const Touch &now) {
    char where[NAME], text[MESSAGE];
    name_of(where, p, size);
    uint3 one = thread_of(before.thread), two = thread_of(now.thread), of = before.index, here = now.index;
    snprintf(text, MESSAGE,
             "race on %s: thread (%u, %u, %u) of block (%u, %u, %u) %s it at @{%x}, and thread (%u, %u, %u) of block "
             "(%u, %u, %u) %s it at @{%x}; %s", where, one.x, one.y, one.z, of.x, of.y, of.z, did, before.place, two.x,
             two.y, two.z, here.x, here.y, here.z, does, now.place,
             before.block == now.block ? "no barrier orders the two" : "nothing orders two blocks");
    if (launched->all_races) {
        fail("%s", text);
        stop();
    }
    if (!launched->race[0]) snprintf(launched->race, MESSAGE, "%s: %s", kernel_name, text);
}

UNSEEN static void same_bytes(char *to, const char *from, unsigned size) {
    for (unsigned i = 0; i < size; i++) ((volatile char *)to)[i] = from[i];
}

// Settle a racing access: restore the memory that was read; a second write is no race if it wrote the value that was
// already there.
UNSEEN static void forget_reads() {
    if (!doubt.size) return;
    Doubt was = doubt;
    doubt.size = 0;
    if (!was.write)
        same_bytes(was.p, was.bytes, was.size);
    else if (memcmp(was.p, was.bytes, was.size))
        report_race(was.p, was.size, "writes", was.before, "writes", was.now);
}

UNSEEN static void look_for_races(Cell *cells, char *p, unsigned size, bool write, const Touch &now, bool shared,
                                  unsigned grain = 1) {
    for (unsigned i = 0; i < size; i += grain) {
        Cell &cell = cells[i / grain];
        if (shared && cell.write.block != now.block) cell.write.block = 0;
        if (shared && cell.read.block != now.block) cell.read.block = 0;
        if (shared && cell.other.block != now.block) cell.other.block = 0;
        bool in_doubt = doubt.size || size > LARGEST;
        if (!ordered(cell.write, now)) {
            if (write && !in_doubt && !now.atomic && !cell.write.atomic) {
                doubt = {p, {}, size, true, cell.write, now};
                same_bytes(doubt.bytes, p, size);
            } else if (!write) {
                report_race(p + i, size, "writes", cell.write, "reads", now);
                if (shared && !in_doubt) {
                    doubt = {p, {}, size, false, cell.write, now};
                    same_bytes(doubt.bytes, p, size);
                    for (unsigned k = 0; k < size; k++) ((volatile char *)p)[k] = -1;
                }
            } else if (!doubt.size) {
                report_race(p + i, size, "writes", cell.write, "writes", now);
            }
        }
        if (write) {
            const Touch *before = !ordered(cell.read, now) ? &cell.read : !ordered(cell.other, now) ? &cell.other : nullptr;
            if (before) report_race(p + i, size, "reads", *before, "writes", now);
            cell.write = now;
        } else {
            if (cell.read.thread != now.thread || cell.read.block != now.block) cell.other = cell.read;
            cell.read = now;
        }
    }
}

// A read of unwritten shared memory is reported only when the launch ends: if another thread writes there by then, it
// is a race, which is the better report. (Some bytes of a struct may be padding, which is never written.)
UNSEEN static void look_for_writer(const Cell *cells, const char *p, unsigned size, const Touch &now) {
    if (unwritten.now.block) return;
    for (unsigned i = 0; i < size; i++)
        if (cells[i].write.block == now.block) return;
    name_of(unwritten.name, p, size);
    unwritten.now = now;
}

static void report_unwritten() {
    if (!unwritten.now.block || errors) return;
    current = &fibers[unwritten.now.thread];
    block_now = unwritten.now.index;
    fail("reads %s, which no thread of its block has written, at @{%x}", unwritten.name, unwritten.now.place);
}

// ------------------------------------------------------------------------------------------ bounds

// Whether an access is within a variable in shared memory. Variables of templates are not in its section, because GCC
// ignores their attribute.
UNSEEN static bool in_shared_variable(char *p, unsigned size) {
    size_t at = p - module_begin;
    for (size_t i = 0; i < launched->variable_count; i++) {
        const size_t *one = launched->variables + 2 * i;
        if (at >= one[0] && at + size <= one[0] + one[1]) return true;
    }
    return !launched->variable_count && p >= __start_cuda_shared && p + size <= __stop_cuda_shared;
}

UNSEEN static bool beside_shared_memory(char *p) {
    return p >= __start_cuda_gap_before && p < __stop_cuda_gap_after && !in_shared_variable(p, 1);
}

UNSEEN static void outside(char *p, unsigned size, bool write, unsigned place) {
    char where[NAME], room[NAME] = "";
    name_of(where, p, size);
    if (where[0] == '$')
        snprintf(room, NAME, ", out of bounds of shared memory");
    else if (where[0] == 'b')
        snprintf(room, NAME, ", and the launch gives it %zu bytes (shared=)", dynamic_size);
    else if (where[0] == '&')
        snprintf(room, NAME, ", out of bounds: it has %zu elements", meant(p)->size / std::max<size_t>(meant(p)->item, 1));
    fail("%s %s%s, at @{%x}", write ? "writes" : "reads", where, room, place);
    stop();
}

UNSEEN static void to_constant(char *p, unsigned size, unsigned place) {
    char where[NAME];
    name_of(where, p, size);
    fail("writes %s, which is __constant__: kernels can only read it, at @{%x}", where, place);
    stop();
}

UNSEEN static void note_shared(Cell *cells, char *p, size_t size, bool read, bool write, const Touch &now) {
    if (read && launched->all_races) look_for_writer(cells, p, size, now);
    look_for_races(cells, p, size, write, now, true);
}

UNSEEN static void note(void *at, size_t size, bool read, bool write, bool atomic, const void *from) {
    if (!watching) return;
    watching = false;
    forget_reads();
    if (++steps > TURN) {
        all_steps += steps;
        steps = 0;
        current->state = READY;
        to_scheduler();
    }
    char *p = (char *)at;
    unsigned place = (char *)from - module_begin;
    Touch now = {block_number, epoch, warp_clocks[current->number][current->number % WARP], clock_now, place, block_now,
                 (unsigned short)current->number, atomic};
    acquired = acquired || atomic;
    if (atomic) took[current->number] = clock_now;
    bool found = true;
    if (p >= module_begin && p + size <= module_end && in_shared_variable(p, size))
        note_shared(module_cells + (p - module_begin), p, size, read, write, now);
    else if (p >= dynamic_memory && p + size <= dynamic_memory + dynamic_size)
        note_shared(dynamic_cells + (p - dynamic_memory), p, size, read, write, now);
    else if (p >= __start_cuda_gap_before && p < __stop_cuda_gap_after)
        found = false;
    else if (p >= module_begin && p + size <= module_end) {
        if (write && p >= __start_cuda_constant && p < __stop_cuda_constant) to_constant(p, size, place);
        if (launched->all_races) look_for_races(module_cells + (p - module_begin), p, size, write, now, false);
    } else if (!(p >= current->stack && p + size <= current->stack + STACK)) {
        found = false;
        for (size_t i = 0; i < argument_count && !found; i++) {
            const Argument &one = arguments_begin[i];
            found = one.size != NO_ARRAY && p >= one.begin && p + size <= one.begin + one.size;
        }
        for (size_t i = 0; i < region_count && found && launched->all_races; i++) {
            const Region &one = regions[i];
            if (one.cells && p >= one.begin && p < one.begin + one.size)
                look_for_races(one.cells + (p - one.begin) / one.grain, p, size, write, now, false, one.grain);
        }
    }
    if (!found) outside(p, size, write, place);
    watching = true;
}

UNSEEN void touch_atomic(void *p, unsigned size, bool read, const void *place) {
    note(p, size, read, true, true, place);
}

// After a fence, threads and blocks that see an atomic change also see everything the fencing thread did before it.
UNSEEN void fence() {
    Unwatched here;
    fences[block_number] = fenced[current->number] = took[current->number] = ++clock_now;
    acquired = true;
}

static unsigned accesses_since() {
    unsigned found = all_steps + steps;
    if (found > TURN) all_steps = steps = 0;
    return found;
}

static void pass_block() { epoch++; }
static void pass_warp(unsigned first, unsigned mask) {
    unsigned all[WARP] = {};
    for (unsigned i = 0; i < WARP; i++)
        for (unsigned j = 0; j < WARP && mask >> i & 1; j++) all[j] = std::max(all[j], warp_clocks[first + i][j]);
    for (unsigned i = 0; i < WARP; i++) all[i] += mask >> i & 1;
    for (unsigned i = 0; i < WARP; i++)
        if (mask >> i & 1) memcpy(warp_clocks[first + i], all, sizeof all);
}
static void poison(char *begin, size_t size);
static void begin_block() {
    for (size_t i = 0; i < launched->variable_count; i++)  // those of templates too
        poison(module_begin + launched->variables[2 * i], launched->variables[2 * i + 1]);
    acquired = false;
    fences.resize(block_number + 1);
}

// ------------------------------------------------------------------------------------------ memory

static int find_module(dl_phdr_info *found, size_t, void *) {
    char *here = (char *)&launched, *begin = nullptr, *end = nullptr;
    for (int i = 0; i < found->dlpi_phnum; i++) {
        if (found->dlpi_phdr[i].p_type != PT_LOAD) continue;
        char *first = (char *)found->dlpi_addr + found->dlpi_phdr[i].p_vaddr;
        begin = begin ? begin : first;
        end = first + found->dlpi_phdr[i].p_memsz;
    }
    if (here < begin || here >= end) return 0;
    module_begin = begin;
    module_end = end;
    return 1;
}

static char *mapped(size_t size, int protection) {
    void *p = mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        perror("simulator: no memory for a kernel's arrays");
        abort();
    }
    return (char *)p;
}

// The resources of a launch, while it lasts.
struct Watch {
    Watch(Launch &what, size_t count) {
        launched = &what;
        what.race[0] = 0;
        if (!module_begin) dl_iterate_phdr(find_module, nullptr);
        array_arguments.assign(count, {nullptr, NO_ARRAY, 0});
        regions_kept.clear();
        unwritten.now.block = 0;
        doubt.size = steps = all_steps = epoch = clock_now = 0;
        block_number = 0;
        fences.assign(1, 0);
        std::fill(fenced, fenced + 1024, 0);
        std::fill(took, took + 1024, 0);
        std::vector<size_t> order;
        for (size_t i = 0; i < count; i++)
            if (what.sizes[i] != NO_ARRAY) order.push_back(i);
        auto host = [&](size_t i) { return *(char **)what.arguments[i]; };
        std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return host(a) < host(b); });
        for (size_t i : order) {  // arrays that share memory share a region
            char *end = host(i) + what.sizes[i];
            if (!regions_kept.empty() && host(i) < regions_kept.back().host + regions_kept.back().size)
                regions_kept.back().size = std::max(regions_kept.back().host + regions_kept.back().size, end) -
                                           regions_kept.back().host;
            else
                regions_kept.push_back({nullptr, what.sizes[i], host(i), nullptr, nullptr, 8});
        }
        for (size_t i : order)
            for (Region &one : regions_kept)
                if (host(i) >= one.host && host(i) < one.host + one.size)
                    one.grain = std::min(one.grain, (size_t)1 << __builtin_ctzll(what.grains[i] | (size_t)host(i)));
        for (Region &one : regions_kept) open(one, what.all_races);
        for (size_t i : order)
            for (Region &one : regions_kept)
                if (host(i) >= one.host && (host(i) < one.host + one.size || !what.sizes[i])) {
                    array_arguments[i] = {one.begin + (host(i) - one.host), what.sizes[i], what.items[i]};
                    if (what.sizes[i]) break;
                }
        for (size_t i : order) *(char **)what.arguments[i] = array_arguments[i].begin;
        module_cells = (Cell *)mapped(module_cells_size(), PROT_READ | PROT_WRITE);
        dynamic_cells = (Cell *)mapped(dynamic_cells_size(), PROT_READ | PROT_WRITE);
        dynamic = {nullptr, dynamic_size, nullptr, nullptr, nullptr, 1};
        open(dynamic, false);
        dynamic_memory = dynamic.begin;
        arguments_begin = array_arguments.data();
        argument_count = array_arguments.size();
        regions = regions_kept.data();
        region_count = regions_kept.size();
    }
    ~Watch() {
        for (Region &one : regions_kept) close(one);
        close(dynamic);
        munmap(module_cells, module_cells_size());
        munmap(dynamic_cells, dynamic_cells_size());
    }

   private:
    Region dynamic;

    static size_t module_cells_size() { return (module_end - module_begin) * sizeof(Cell); }
    static size_t dynamic_cells_size() { return (dynamic_size + 1) * sizeof(Cell); }
    static size_t pages_of(const Region &one) { return (one.size + 16 + PAGE - 1) / PAGE * PAGE; }
    static size_t cells_of(const Region &one) { return (one.size / one.grain + 2) * sizeof(Cell); }

    void open(Region &one, bool with_cells) {
        size_t off = (size_t)one.host % 16, pages = pages_of(one);  // keeps its alignment
        one.mapped = mapped(pages + 2 * GAP, PROT_NONE);
        mprotect(one.mapped + GAP, pages, PROT_READ | PROT_WRITE);
        one.begin = one.mapped + GAP + off;
        if (one.host) memcpy(one.begin, one.host, one.size);
        if (with_cells) one.cells = (Cell *)mapped(cells_of(one), PROT_READ | PROT_WRITE);
    }
    void close(Region &one) {
        if (one.host && memcmp(one.begin, one.host, one.size)) memcpy(one.host, one.begin, one.size);
        munmap(one.mapped, pages_of(one) + 2 * GAP);
        if (one.cells) munmap(one.cells, cells_of(one));
    }
};

// A finding of UndefinedBehaviorSanitizer begins with its source location. A type is four bytes, then its name.
struct Found {
    const char *file;
    unsigned line, column;
    const char *type, *other;
};
struct FoundAccess {
    const char *file;
    unsigned line, column;
    const char *type;
    unsigned char alignment;  // its binary logarithm; 0 if the variable is too small for the access
};

}  // namespace sim

// ------------------------------------------------------------------------------------------ called by g++'s code

#define SIM_NOTED(name, size, write) \
    UNSEEN void name(void *p) { sim::note(p, size, !write, write, false, __builtin_return_address(0)); }
#define SIM_NOTED_BOTH(size)                  \
    SIM_NOTED(__tsan_read##size, size, false) \
    SIM_NOTED(__tsan_write##size, size, true) \
    SIM_NOTED(__tsan_unaligned_read##size, size, false) \
    SIM_NOTED(__tsan_unaligned_write##size, size, true)

#pragma GCC visibility push(hidden)
extern "C" {
SIM_NOTED_BOTH(1) SIM_NOTED_BOTH(2) SIM_NOTED_BOTH(4) SIM_NOTED_BOTH(8) SIM_NOTED_BOTH(16)
UNSEEN void __tsan_read_range(void *p, size_t size) { sim::note(p, size, true, false, false, __builtin_return_address(0)); }
UNSEEN void __tsan_write_range(void *p, size_t size) { sim::note(p, size, false, true, false, __builtin_return_address(0)); }
UNSEEN void __tsan_init() {}
UNSEEN void __tsan_func_entry(void *) {}
UNSEEN void __tsan_func_exit() {}
UNSEEN void __tsan_vptr_update(void **, void *) {}
UNSEEN void __tsan_vptr_read(void **) {}
UNSEEN char __tsan_atomic8_load(const volatile char *p, int) { return *p; }  // whether a static variable is initialised

#define SIM_FOUND(place, words, ...)                                                     \
    sim::watching = false;                                                               \
    sim::fail(words ", at %s:%u", __VA_ARGS__ __VA_OPT__(,) (place)->file, (place)->line); \
    sim::stop();

UNSEEN void __ubsan_handle_out_of_bounds(sim::Found *place, void *index) {
    SIM_FOUND(place, "index %td is out of bounds for type %s", (ptrdiff_t)index, place->type + 4)
}
UNSEEN void __ubsan_handle_type_mismatch_v1(sim::FoundAccess *place, void *at) {
    if (!place->alignment && sim::beside_shared_memory((char *)at)) return;  // `note` will report it in more detail
    if (!place->alignment) { SIM_FOUND(place, "accesses %s out of bounds of its variable", place->type + 4) }
    SIM_FOUND(place, "accesses %s at an address that is not a multiple of %u bytes", place->type + 4,
              1u << place->alignment)
}
UNSEEN void __ubsan_handle_divrem_overflow(sim::Found *place, void *, void *) {
    SIM_FOUND(place, "divides an integer by zero")
}
UNSEEN void __ubsan_handle_shift_out_of_bounds(sim::Found *place, void *, void *by) {
    SIM_FOUND(place, "shifts %s by a number of bits that it does not have", place->type + 4)
}
UNSEEN void __ubsan_handle_float_cast_overflow(sim::Found *place, void *) {
    SIM_FOUND(place, "converts a number of type %s that does not fit in %s", place->type + 4, place->other + 4)
}
}
#pragma GCC visibility pop
