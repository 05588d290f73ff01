/* Resampling on an anchored grid: what Python passes to C. ctypes mirrors every struct here, field by field
   (kernel/native.py); change both together.

   C99 with GCC's and clang's vectors: no libm, no allocation, no globals, no threads. Every floating-point operation stands alone and in a
   fixed order, so that a build without contraction and without fast-math gives the same bits on every CPU. */
#ifndef CUTLINE_RESAMPLE_H
#define CUTLINE_RESAMPLE_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define CUTLINE_API __declspec(dllexport)
#else
#define CUTLINE_API __attribute__((visibility("default")))
#endif

/* Pixels of one type as planes: element (band, row, col) is at band * band_stride + row * row_stride + col. */
typedef struct {
    void *pixels;
    uint8_t *valid;     /* (rows, cols), 0 = no data. In a source, NULL means all valid. */
    int64_t bands, rows, cols;
    int64_t band_stride, row_stride;
} cutline_raster;

/* A square of the target whose source coordinates are linear enough to be interpolated from its corners. */
typedef struct {
    int32_t row, col;   /* of its upper left pixel in the target; may lie outside, as may its end */
    int32_t step;       /* pixels along a side, at most CUTLINE_STEP */
    int32_t unused;
    double x[4], y[4];  /* at its upper left, upper right, lower left, lower right corner, in source pixels; pixel
                           (row, col) of the source covers x from col to col + 1 and y from row to row + 1 */
} cutline_patch;

enum {
    CUTLINE_STEP = 16,
    CUTLINE_WANTED = 1, CUTLINE_WRITTEN = 2, /* what a pixel of the target may be, but for 0: left alone */
    CUTLINE_WIDEST = 72, /* taps along an axis: cubic (radius 2) at a scale of 1/16, and some */
    CUTLINE_BLOCK = 1024 /* samples of a row that are worked together: squares of 16 bits, halved, add up in 32 bits */
};

enum cutline_method { CUTLINE_NEAREST, CUTLINE_BILINEAR, CUTLINE_CUBIC, CUTLINE_AVERAGE, CUTLINE_MODE };
enum cutline_type {
    CUTLINE_U8, CUTLINE_I8, CUTLINE_U16, CUTLINE_I16, CUTLINE_U32, CUTLINE_I32, CUTLINE_F32, CUTLINE_F64
};

typedef struct {
    cutline_raster source;
    const uint8_t *complete;  /* (rows, cols) of the source: all taps of the kernel whose base sample this is are
                                 there and valid (cutline_complete); NULL where every pixel is valid */
    int64_t first_row, first_col; /* where the source window begins in the file: coordinates stay in the frame of the
                                     whole file until they are whole numbers, so that no window can matter */
    cutline_raster target;        /* its valid: 1 = wanted, on return also written to; others are not touched */
    const cutline_patch *patches;
    int64_t patch_count;
    double scale_x, scale_y;  /* target pixels a source pixel: below 1 the kernel is that much wider */
    int32_t method;
    int32_t type;
} cutline_job;

/* Fill the wanted pixels of the target. On return its valid is 2 where a value was written. Returns 0, or 1 for a
   type or method that is none. */
CUTLINE_API int cutline_resample(const cutline_job *job);

/* complete[row, col] = 1 where samples row - before … row + after and col - before … col + after are inside and
   valid: the taps of bilinear (0, 1) and cubic (1, 2). scratch: cols bytes. */
CUTLINE_API void cutline_complete(const uint8_t *valid, uint8_t *complete, uint8_t *scratch, int64_t rows, int64_t cols,
                                  int64_t before, int64_t after);

/* Every 2x2 pixels of source (all bands) become one of target; at an odd edge, those that there are. average != 0: the
   mean of the valid ones, halves rounded up; else the upper left one. Returns as cutline_resample. */
CUTLINE_API int cutline_halve(const cutline_raster *source, cutline_raster *target, int32_t type, int32_t average);

/* summary: count, minimum, maximum, mean and sum of squared differences from the mean of the valid and finite pixels of
   a band; zeros where there is none. valid must not be NULL. Returns as cutline_resample. */
CUTLINE_API int cutline_summarise(const cutline_raster *source, int64_t band, int32_t type, double *summary);

/* Values of every band made those that are stored, in place. A value that is known (valid and, in floating point,
   finite) stays, but becomes *beside where it equals *empty; one that is not becomes *empty. beside: NULL where values
   may equal *empty. In floating point, pixels without a known band are valid no more; else valid stays as it is.
   empty, beside: of the type. Returns as cutline_resample. */
CUTLINE_API int cutline_finish(cutline_raster *raster, const void *empty, const void *beside, int32_t type);

/* The CRC-64 of bytes behind those whose remainder is crc. tables: (16, 256), the remainder of every byte with 0 to 15
   zero bytes behind it, in reflected order. Ones at the start and the end are the caller's. */
CUTLINE_API uint64_t cutline_crc64(uint64_t crc, const uint8_t *bytes, int64_t length, const uint64_t *tables);

#endif
