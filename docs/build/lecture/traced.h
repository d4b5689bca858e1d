// Records what the threads of a kernel read and write. This is included between sim/simulator.h and the kernels. g++ is
// told to call ThreadSanitizer's functions at every access, and the functions here replace that library.
#pragma once

namespace traced {

struct Access {
    uint64_t address, place;  // place: of the access in the program
    unsigned block, thread, size, write;
};

struct Range {
    uint64_t begin, end;
};

// No std::vectors: their own accesses would be recorded.
static Access *accesses;
static size_t count, room;
static const Range *ranges;  // of the kernel's arrays
static size_t range_count;

UNSEEN static void note(const void *where, unsigned size, unsigned write, const void *place) {
    uint64_t address = (uint64_t)where;
    bool wanted = address >= (uint64_t)sim::__start_cuda_shared && address < (uint64_t)sim::__stop_cuda_shared;
    for (size_t i = 0; i < range_count; i++)
        wanted = wanted || (address >= ranges[i].begin && address < ranges[i].end);
    if (!wanted) return;
    if (count == room) {
        room = room ? 2 * room : 1 << 16;
        accesses = (Access *)realloc(accesses, room * sizeof(Access));
        if (!accesses) abort();
    }
    accesses[count++] = {address, (uint64_t)place, sim::block_now.x, sim::current->number, size, write};
}

}  // namespace traced

#define NOTE(name, size, write) \
    UNSEEN void name(const void *p) { traced::note(p, size, write, __builtin_return_address(0)); }
#define NOTE_BOTH(size)                     \
    NOTE(__tsan_read##size, size, 0)        \
    NOTE(__tsan_write##size, size, 1)       \
    NOTE(__tsan_unaligned_read##size, size, 0) \
    NOTE(__tsan_unaligned_write##size, size, 1)

extern "C" {
NOTE_BOTH(1) NOTE_BOTH(2) NOTE_BOTH(4) NOTE_BOTH(8) NOTE_BOTH(16)
UNSEEN void __tsan_read_range(const void *p, size_t size) { traced::note(p, size, 0, __builtin_return_address(0)); }
UNSEEN void __tsan_write_range(const void *p, size_t size) { traced::note(p, size, 1, __builtin_return_address(0)); }
UNSEEN void __tsan_init() {}
UNSEEN void __tsan_func_entry(void *) {}
UNSEEN void __tsan_func_exit() {}
UNSEEN void __tsan_vptr_update(void **, void *) {}

UNSEEN void trace_begin(const traced::Range *ranges, size_t count) {
    traced::count = 0;
    traced::ranges = ranges;
    traced::range_count = count;
}

// How many accesses there were, and where they are kept until the next launch. The ranges are asked for no longer.
UNSEEN size_t trace_end(const traced::Access **accesses) {
    traced::range_count = 0;
    *accesses = traced::accesses;
    return traced::count;
}
}
