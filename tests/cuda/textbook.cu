// Kernels as textbooks write them: no word here knows of minigan, and nvcc compiles the file as it stands.
#include <cuda_runtime.h>
#include <math.h>
#include <stdio.h>

#define TILE_WIDTH 8
#define RADIUS 3
#define BLOCK_SIZE 32
#define CHECK_BOUNDS(i, n) if ((i) >= (n)) return

__constant__ float weights[2 * RADIUS + 1] = {0.5f, -1.0f, 2.0f, 3.0f, 2.0f, -1.0f, 0.5f};
__device__ unsigned int blocks_done = 0;

__global__ void vecAdd(const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}

extern "C" __global__ void saxpy(int n, float alpha, const float *x, float *y) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) y[i] = alpha * x[i] + y[i];
}

__global__ void matrixMultiply(float *A, float *B, float *C, int numARows, int numAColumns, int numBColumns) {
    __shared__ float subTileA[TILE_WIDTH][TILE_WIDTH];
    __shared__ float subTileB[TILE_WIDTH][TILE_WIDTH];
    int bx = blockIdx.x, by = blockIdx.y, tx = threadIdx.x, ty = threadIdx.y;
    int row = by * TILE_WIDTH + ty, col = bx * TILE_WIDTH + tx;
    float sum = 0;
    for (int m = 0; m < (numAColumns - 1) / TILE_WIDTH + 1; ++m) {
        subTileA[ty][tx] = row < numARows && m * TILE_WIDTH + tx < numAColumns
                               ? A[row * numAColumns + m * TILE_WIDTH + tx] : 0;
        subTileB[ty][tx] = col < numBColumns && m * TILE_WIDTH + ty < numAColumns
                               ? B[(m * TILE_WIDTH + ty) * numBColumns + col] : 0;
        __syncthreads();
#pragma unroll
        for (int k = 0; k < TILE_WIDTH; ++k) sum += subTileA[ty][k] * subTileB[k][tx];
        __syncthreads();
    }
    if (row < numARows && col < numBColumns) C[row * numBColumns + col] = sum;
}

template <int TILE, typename T>
__global__ void transpose(T *odata, const T *idata, int width, int height) {
    __shared__ T tile[TILE][TILE + 1];
    int x = blockIdx.x * TILE + threadIdx.x, y = blockIdx.y * TILE + threadIdx.y;
    if (x < width && y < height) tile[threadIdx.y][threadIdx.x] = idata[y * width + x];
    __syncthreads();
    x = blockIdx.y * TILE + threadIdx.x;
    y = blockIdx.x * TILE + threadIdx.y;
    if (x < height && y < width) odata[y * height + x] = tile[threadIdx.x][threadIdx.y];
}

__global__ void histogram(const unsigned char *input, unsigned int *bins, unsigned int num_elements,
                          unsigned int num_bins) {
    extern __shared__ unsigned int bins_s[];
    unsigned int tid = blockIdx.x * blockDim.x + threadIdx.x;
    for (unsigned int b = threadIdx.x; b < num_bins; b += blockDim.x) bins_s[b] = 0u;
    __syncthreads();
    for (unsigned int i = tid; i < num_elements; i += blockDim.x * gridDim.x) atomicAdd(&(bins_s[input[i]]), 1u);
    __syncthreads();
    for (unsigned int b = threadIdx.x; b < num_bins; b += blockDim.x) atomicAdd(&(bins[b]), bins_s[b]);
}

__global__ void __launch_bounds__(1024) reduce(float *g_idata, float *g_odata, unsigned int n) {
    extern __shared__ __align__(16) float sdata[];
    unsigned int tid = threadIdx.x, i = blockIdx.x * (blockDim.x * 2) + threadIdx.x;
    sdata[tid] = (i < n ? g_idata[i] : 0) + (i + blockDim.x < n ? g_idata[i + blockDim.x] : 0);
    __syncthreads();
    for (unsigned int s = blockDim.x / 2; s > 0; s >>= 1) {
        if (tid < s) sdata[tid] += sdata[tid + s];
        __syncthreads();
    }
    if (tid == 0) g_odata[blockIdx.x] = sdata[0];
}

__inline__ __device__ int warpReduceSum(int val) {
    for (int offset = warpSize / 2; offset > 0; offset /= 2) val += __shfl_down_sync(0xffffffff, val, offset);
    return val;
}

__inline__ __device__ int blockReduceSum(int val) {
    static __shared__ int shared[32];
    int lane = threadIdx.x % warpSize, wid = threadIdx.x / warpSize;
    val = warpReduceSum(val);
    if (lane == 0) shared[wid] = val;
    __syncthreads();
    val = (threadIdx.x < blockDim.x / warpSize) ? shared[lane] : 0;
    if (wid == 0) val = warpReduceSum(val);
    return val;
}

__global__ void deviceReduce(const int *in, int *out, int N) {
    int sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < N; i += blockDim.x * gridDim.x) sum += in[i];
    sum = blockReduceSum(sum);
    if (threadIdx.x == 0) atomicAdd(out, sum);
}

__global__ void scan(float *g_odata, float *g_idata, int n) {  // exclusive, one block
    extern __shared__ float temp[];
    int thid = threadIdx.x, pout = 0, pin = 1;
    temp[pout * n + thid] = (thid > 0) ? g_idata[thid - 1] : 0;
    __syncthreads();
    for (int offset = 1; offset < n; offset *= 2) {
        pout = 1 - pout;
        pin = 1 - pout;
        if (thid >= offset)
            temp[pout * n + thid] = temp[pin * n + thid] + temp[pin * n + thid - offset];
        else
            temp[pout * n + thid] = temp[pin * n + thid];
        __syncthreads();
    }
    g_odata[thid] = temp[pout * n + thid];
}

__global__ void stencil_1d(const float *in, float *out) {  // in has RADIUS numbers more at each end
    __shared__ float temp[BLOCK_SIZE + 2 * RADIUS];
    int gindex = threadIdx.x + blockIdx.x * blockDim.x + RADIUS;
    int lindex = threadIdx.x + RADIUS;
    temp[lindex] = in[gindex];
    if (threadIdx.x < RADIUS) {
        temp[lindex - RADIUS] = in[gindex - RADIUS];
        temp[lindex + BLOCK_SIZE] = in[gindex + BLOCK_SIZE];
    }
    __syncthreads();
    float result = 0;
    for (int offset = -RADIUS; offset <= RADIUS; offset++) result += temp[lindex + offset] * weights[offset + RADIUS];
    out[gindex - RADIUS] = result;
}

__global__ void softmaxRows(const float *__restrict__ x, float *__restrict__ y, int columns) {  // a warp for a row
    const int row = blockIdx.x * blockDim.y + threadIdx.y, lane = threadIdx.x;
    float largest = -INFINITY, sum = 0.f;
    for (int i = lane; i < columns; i += 32) largest = fmaxf(largest, __ldg(&x[row * columns + i]));
    for (int mask = 16; mask > 0; mask >>= 1) largest = max(largest, __shfl_xor_sync(0xffffffff, largest, mask));
    for (int i = lane; i < columns; i += 32) sum += __expf(x[row * columns + i] - largest);
    for (int mask = 16; mask > 0; mask >>= 1) sum += __shfl_xor_sync(0xffffffff, sum, mask, 32);
    for (int i = lane; i < columns; i += 32) y[row * columns + i] = __fdividef(expf(x[row * columns + i] - largest), sum);
}

__device__ static float atomicMaxFloat(float *address, float val) {
    int *address_as_i = (int *)address;
    int old = *address_as_i, assumed;
    do {
        assumed = old;
        old = atomicCAS(address_as_i, assumed, __float_as_int(fmaxf(val, __int_as_float(assumed))));
    } while (assumed != old);
    return __int_as_float(old);
}

__global__ void largestOf(const float *x, float *largest, int n) {
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    CHECK_BOUNDS(i, n);
    atomicMaxFloat(largest, x[i]);
}

__global__ void compact(const int *in, int *out, int *count, int n) {  // keeps what is positive, in any order of warps
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31, start;
    bool keep = i < n && in[i] > 0;
    unsigned mask = __ballot_sync(0xffffffffu, keep);
    if (lane == 0) start = atomicAdd(count, __popc(mask));
    start = __shfl_sync(0xffffffffu, start, 0);
    if (keep) out[start + __popc(mask & ((1u << lane) - 1))] = in[i];
}

__global__ void sumByLastBlock(const float *x, volatile float *partial, float *total, int n) {
    __shared__ bool last;
    __shared__ float values[BLOCK_SIZE];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    values[threadIdx.x] = i < n ? x[i] : 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        float sum = 0;
        for (int k = 0; k < blockDim.x; k++) sum += values[k];
        partial[blockIdx.x] = sum;
        __threadfence();
        last = atomicInc(&blocks_done, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        float sum = 0;
        for (int k = 0; k < gridDim.x; k++) sum += partial[k];
        *total = sum;
    }
}

__global__ void scaleVectors(float4 *data, float factor, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float4 v = data[i];
    data[i] = make_float4(v.x * factor, v.y * factor, v.z * factor, v.w * factor);
}

__global__ void layerNorm(const float *x, float *y, int columns, float eps) {
    extern __shared__ float row[];
    const float *in = x + (size_t)blockIdx.x * columns;
    float sum = 0, squares = 0;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) {
        row[i] = in[i];
        sum += row[i];
        squares += row[i] * row[i];
    }
    __shared__ float sums[2];
    if (threadIdx.x < 2) sums[threadIdx.x] = 0;
    __syncthreads();
    atomicAdd(&sums[0], sum);
    atomicAdd(&sums[1], squares);
    __syncthreads();
    float mean = sums[0] / columns, variance = sums[1] / columns - mean * mean, inverse = rsqrtf(variance + eps);
    for (int i = threadIdx.x; i < columns; i += blockDim.x) y[(size_t)blockIdx.x * columns + i] = (row[i] - mean) * inverse;
}

__global__ void everyAtomic(int *x, unsigned *u, float *f, double *d) {
    int t = threadIdx.x;
    atomicAdd(&x[0], t);
    atomicSub(&x[1], t);
    atomicMin(&x[2], -t);
    atomicMax(&x[3], t);
    atomicAnd(&u[0], ~(1u << t));
    atomicOr(&u[1], 1u << t);
    atomicXor(&u[2], 3u << t);
    atomicInc(&u[3], 6);
    atomicDec(&u[4], 6);
    atomicExch(&u[5], 7u);
    atomicAdd(f, 0.5f);
    atomicAdd(d, 0.25);
}

__global__ void votes(const int *x, int *result) {
    int positive = x[threadIdx.x] > 0, t = threadIdx.x;
    result[4 * t] = __syncthreads_count(positive);
    result[4 * t + 1] = __syncthreads_and(positive) != 0;
    result[4 * t + 2] = __syncthreads_or(positive) != 0;
    int up = __shfl_up_sync(0xffffffff, t, 1);
    result[4 * t + 3] = up + __any_sync(0xffffffff, positive) + 2 * __all_sync(0xffffffff, positive);
}
__global__ void roundings(const float *x, int *y, unsigned *u) {
    int t = threadIdx.x;
    y[4 * t] = __float2int_rn(x[t]);
    y[4 * t + 1] = __float2int_rz(x[t]);
    y[4 * t + 2] = __float2int_rd(x[t]);
    y[4 * t + 3] = __float2int_ru(x[t]);
    u[t] = __float2uint_rn(x[t]);
}
#ifdef NEVER
__global__ void notThere(float *x) { x[0] = undefined_name; }
#endif
/* __global__ void commentedOut(float *x) { __syncthreads(); } */
