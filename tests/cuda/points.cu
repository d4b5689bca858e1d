// The points that random.cu makes of given words, so that its ends can be seen, which a draw hardly ever meets.
#include "random.cu"

// A thread owns a point: two words, two numbers.
KERNEL void points(float *points, const unsigned *words, wide count) {
    EACH(i, count) {
        float r = radius(words[2 * i]);
        Point p = direction(words[2 * i + 1]);
        points[2 * i] = r * p.x;
        points[2 * i + 1] = r * p.y;
    }
}
