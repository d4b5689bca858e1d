// The sum of the rows in each segment, without atomics: the result does not depend on the order of threads.
#include "common.h"

// order (n,): the rows of the first segment, then those of the next, in their original order within each segment. A
// thread owns a row and counts the rows that come before it. All threads of a warp read the same number at a time.
KERNEL void __launch_bounds__(256) order_by_segment(const wide *__restrict__ segments, wide *__restrict__ order,
                                                    wide n) {
    EACH(row, n) {
        wide own = segments[row], place = 0;
#pragma unroll 8
        for (wide other = 0; other < n; other++) {
            wide segment = segments[other];
            place += segment < own || (segment == own && other < row);
        }
        order[place] = row;
    }
}

// sums (count, C), initially zero. A thread at a segment's first place in `order` owns one column of that segment and
// walks to its last place; other threads do nothing. Neighbouring threads have neighbouring columns.
KERNEL void __launch_bounds__(256) segment_sums(const real *__restrict__ rows, const wide *__restrict__ segments,
                                                const wide *__restrict__ order, real *__restrict__ sums, wide n,
                                                wide C) {
    EACH(i, n *C) {
        wide place = i / C, column = i % C, segment = segments[order[place]];
        if (place > 0 && segments[order[place - 1]] == segment) continue;
        double sum = 0;
        for (; place < n && segments[order[place]] == segment; place++) sum += rows[order[place] * C + column];
        sums[segment * C + column] = sum;
    }
}
