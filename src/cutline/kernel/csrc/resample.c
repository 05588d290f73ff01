/* The entry points, and one instance of the loops (instance.h) for each pixel type. */
#include "resample.h"
#include "crc64.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

/* PIXEL: the type stored; REAL: what it is computed in, wide enough to hold every value of PIXEL exactly;
   WHOLE_NUMBER: an integer that holds every value and one more. */
#define INTEGER 1
#define WHOLE_NUMBER int32_t
#define PIXEL uint8_t
#define REAL float
#define NAME(f) JOIN(f, u8)
#define LOWEST 0
#define HIGHEST 255
#include "instance.h"
#define PIXEL int8_t
#define REAL float
#define NAME(f) JOIN(f, i8)
#define LOWEST (-128)
#define HIGHEST 127
#include "instance.h"
#define PIXEL uint16_t
#define REAL float
#define NAME(f) JOIN(f, u16)
#define LOWEST 0
#define HIGHEST 65535
#include "instance.h"
#define PIXEL int16_t
#define REAL float
#define NAME(f) JOIN(f, i16)
#define LOWEST (-32768)
#define HIGHEST 32767
#include "instance.h"
#undef WHOLE_NUMBER
#define WHOLE_NUMBER int64_t
#define PIXEL uint32_t
#define REAL double
#define NAME(f) JOIN(f, u32)
#define LOWEST 0
#define HIGHEST 4294967295.0
#include "instance.h"
#define PIXEL int32_t
#define REAL double
#define NAME(f) JOIN(f, i32)
#define LOWEST (-2147483648.0)
#define HIGHEST 2147483647.0
#include "instance.h"
#undef INTEGER
#define INTEGER 0
#define PIXEL float
#define REAL float
#define NAME(f) JOIN(f, f32)
#include "instance.h"
#define PIXEL double
#define REAL double
#define NAME(f) JOIN(f, f64)
#include "instance.h"

/* Call the instance of f for a type and return 0; or return 1. */
#define DISPATCH(type, f, ...)                          \
    switch (type) {                                     \
    case CUTLINE_U8: JOIN(f, u8)(__VA_ARGS__); break;   \
    case CUTLINE_I8: JOIN(f, i8)(__VA_ARGS__); break;   \
    case CUTLINE_U16: JOIN(f, u16)(__VA_ARGS__); break; \
    case CUTLINE_I16: JOIN(f, i16)(__VA_ARGS__); break; \
    case CUTLINE_U32: JOIN(f, u32)(__VA_ARGS__); break; \
    case CUTLINE_I32: JOIN(f, i32)(__VA_ARGS__); break; \
    case CUTLINE_F32: JOIN(f, f32)(__VA_ARGS__); break; \
    case CUTLINE_F64: JOIN(f, f64)(__VA_ARGS__); break; \
    default: return 1;                                  \
    }                                                   \
    return 0

int cutline_resample(const cutline_job *job) {
    if (job->method < CUTLINE_NEAREST || job->method > CUTLINE_MODE) return 1;
    DISPATCH(job->type, resample, job);
}

int cutline_halve(const cutline_raster *source, cutline_raster *target, int32_t type, int32_t average) {
    DISPATCH(type, halve, source, target, average);
}

int cutline_summarise(const cutline_raster *source, int64_t band, int32_t type, double *summary) {
    DISPATCH(type, summarise, source, band, summary);
}

int cutline_finish(cutline_raster *raster, const void *empty, const void *beside, int32_t type) {
    DISPATCH(type, finish, raster, empty, beside);
}

uint64_t cutline_crc64(uint64_t crc, const uint8_t *bytes, int64_t length, const uint64_t *tables) {
    return crc64(crc, bytes, length, tables);
}

/* to[i] = 1 where all of `count` flags are set, the first of them flags[i], each `step` behind the one before. */
static void all_set(const uint8_t *restrict flags, uint8_t *restrict to, int64_t length, int64_t count, int64_t step) {
    for (int64_t i = 0; i < length; i++) to[i] = flags[i] != 0;
    for (int64_t k = 1; k < count; k++)
        for (int64_t i = 0; i < length; i++) to[i] &= flags[k * step + i] != 0;
}

/* Separable: a run of valid samples down the column, then a run of such runs along the row. */
void cutline_complete(const uint8_t *valid, uint8_t *complete, uint8_t *scratch, int64_t rows, int64_t cols,
                      int64_t before, int64_t after) {
    const int64_t taps = before + 1 + after, inner_cols = cols - before - after;
    for (int64_t row = 0; row < rows; row++) {
        uint8_t *to = complete + row * cols;
        memset(to, 0, (size_t)cols);
        if (row < before || row >= rows - after || inner_cols <= 0) continue;
        all_set(valid + (row - before) * cols, scratch, cols, taps, cols);
        all_set(scratch, to + before, inner_cols, taps, 1);
    }
}
