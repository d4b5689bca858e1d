// Rows of a matrix summed by the segment that each belongs to, whatever order their threads run in: without atomics.
#include "common.h"

// order (n,): the rows of the first segment, then those of the next, each segment's in the order they came in. A thread
// owns a row and counts those that come before it. All threads of a warp read one number at a time.
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

// sums (count, C), zero before. A thread owns a column of a segment: the one at the segment's first place in `order`,
// from which it goes on to its last. Neighbouring threads have neighbouring columns.
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
