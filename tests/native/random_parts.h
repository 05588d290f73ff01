/* What a random job is made of: chance, pixels of any type, buffers that end where they must, sources, patches. */
#ifndef FUZZ_RANDOM_PARTS_H
#define FUZZ_RANDOM_PARTS_H

#include <math.h> /* NAN and INFINITY only */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "resample.h"

enum { CANARY = 0xA5, LARGEST = 200 };

static const struct { const char *name; size_t size; double lowest, highest; int whole; } TYPES[] = {
    {"u8", 1, 0, 255, 1},
    {"i8", 1, -128, 127, 1},
    {"u16", 2, 0, 65535, 1},
    {"i16", 2, -32768, 32767, 1},
    {"u32", 4, 0, 4294967295.0, 1},
    {"i32", 4, -2147483648.0, 2147483647.0, 1},
    {"f32", 4, -1e4, 1e4, 0},
    {"f64", 8, -1e4, 1e4, 0},
};

/* Chance. No two draws in one expression: a compiler may make either first. */

static uint64_t state;

static uint64_t bits(void) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717u;
}
static double unit(void) { return (double)(bits() >> 11) / 9007199254740992.0; }
static int64_t below(int64_t end) { return (int64_t)(unit() * (double)end); }
static double between(double low, double high) { return low + unit() * (high - low); }
static int percent(int chance) { return below(100) < chance; }
static int64_t side(void) {
    static const int64_t most[] = {1, 20, 60, LARGEST, LARGEST, LARGEST};
    return 1 + below(most[below(6)]);
}

/* Pixels of any type as doubles, which hold all of them exactly. */

static double get(int type, const void *at, int64_t i) {
    switch (type) {
    case CUTLINE_U8: return ((const uint8_t *)at)[i];
    case CUTLINE_I8: return ((const int8_t *)at)[i];
    case CUTLINE_U16: return ((const uint16_t *)at)[i];
    case CUTLINE_I16: return ((const int16_t *)at)[i];
    case CUTLINE_U32: return ((const uint32_t *)at)[i];
    case CUTLINE_I32: return ((const int32_t *)at)[i];
    case CUTLINE_F32: return ((const float *)at)[i];
    default: return ((const double *)at)[i];
    }
}

static void put(int type, void *at, int64_t i, double value) {
    switch (type) {
    case CUTLINE_U8: ((uint8_t *)at)[i] = (uint8_t)value; break;
    case CUTLINE_I8: ((int8_t *)at)[i] = (int8_t)value; break;
    case CUTLINE_U16: ((uint16_t *)at)[i] = (uint16_t)value; break;
    case CUTLINE_I16: ((int16_t *)at)[i] = (int16_t)value; break;
    case CUTLINE_U32: ((uint32_t *)at)[i] = (uint32_t)value; break;
    case CUTLINE_I32: ((int32_t *)at)[i] = (int32_t)value; break;
    case CUTLINE_F32: ((float *)at)[i] = (float)value; break;
    default: ((double *)at)[i] = value;
    }
}

static int64_t place(const cutline_raster *raster, int64_t band, int64_t row, int64_t col) {
    return band * raster->band_stride + row * raster->row_stride + col;
}
/* In pixels; the last row of the last band has no gap behind it. */
static int64_t length(const cutline_raster *raster) {
    return place(raster, raster->bands - 1, raster->rows - 1, raster->cols);
}

/* Buffers, to the byte. */

static void *bytes(int64_t count, int fill) {
    void *made = malloc((size_t)count);
    if (!made && count) abort();
    return count ? memset(made, fill, (size_t)count) : made;
}

/* A raster full of canaries, with gaps between rows and bands where `gaps`; all of it valid (1). */
static cutline_raster raster_of(int type, int64_t bands, int64_t rows, int64_t cols, int gaps) {
    cutline_raster made = {NULL, NULL, bands, rows, cols, 0, cols + (gaps ? below(9) : 0)};
    made.band_stride = rows * made.row_stride + (gaps ? below(99) : 0);
    made.pixels = bytes(length(&made) * (int64_t)TYPES[type].size, CANARY);
    made.valid = bytes(rows * cols, 1);
    return made;
}

static void release(cutline_raster *raster) {
    free(raster->pixels);
    free(raster->valid);
}

/* Sources. */

static void make_flags(uint8_t *flags, int64_t rows, int64_t cols) {
    enum { ALL, SPECKLED, STRIPES, COLUMNS, DIAGONALS };
    const int64_t pattern = percent(35) ? ALL : below(5), period = 1 + below(12);
    const int density = percent(10) ? 0 : (int)below(101);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t col = 0; col < cols; col++) {
            const int64_t stripe = pattern == STRIPES ? row : pattern == COLUMNS ? col : row + col;
            const int speckle = pattern == SPECKLED ? percent(density) : 1;
            flags[row * cols + col] = pattern <= SPECKLED ? speckle : stripe / period % 2 == 0;
        }
}

/* What may never get into a result: it stands in pixels that are not valid and in gaps. */
static double poison(int type, double low) {
    static const double odd[] = {NAN, INFINITY, -INFINITY, 3e38};
    if (!TYPES[type].whole) return odd[below(4)];
    return low > TYPES[type].lowest ? TYPES[type].lowest : TYPES[type].highest;
}

/* Up to 5 bands of up to 200 x 200 pixels. Its valid is NULL now and then, where all are. */
static cutline_raster make_source(int type) {
    static const double spans[] = {0, 1, 40, 255, 1e10};
    const int64_t most_bands = 1 + below(5), bands = 1 + below(most_bands), rows = side(), cols = side();
    cutline_raster made = raster_of(type, bands, rows, cols, percent(40));
    const int whole = TYPES[type].whole;
    const double draw = between(TYPES[type].lowest, TYPES[type].highest), span = spans[below(5)];
    const double low = whole ? (double)(int64_t)draw : draw;
    const double reach = span < TYPES[type].highest - low ? span : TYPES[type].highest - low;
    make_flags(made.valid, made.rows, made.cols);
    for (int64_t i = 0, end = length(&made); i < end; i++) put(type, made.pixels, i, poison(type, low));
    for (int64_t band = 0; band < made.bands; band++)
        for (int64_t row = 0; row < made.rows; row++)
            for (int64_t col = 0; col < made.cols; col++) {
                const double offset = whole ? (double)below((int64_t)reach + 1) : unit() * reach;
                if (!made.valid[row * made.cols + col]) continue;
                put(type, made.pixels, place(&made, band, row, col), low + offset);
            }
    if (!memchr(made.valid, 0, (size_t)(made.rows * made.cols)) && percent(70)) {
        free(made.valid);
        made.valid = NULL;
    }
    return made;
}

/* Patches: a grid of 16, from before the target to beyond it, some of it in quarters, down to single pixels. */

typedef struct {
    double x, y, x_by_col, x_by_row, y_by_col, y_by_row; /* where the target's corner is, and its steps */
    double jitter; /* how far a corner of a patch may be from there */
    int cut, odd;  /* percent of patches that are quartered, that have a coordinate which is no place */
} placement;

static cutline_patch pool[256 * 256];
static int64_t pooled;

/* Source pixels a target pixel with which the target is about as large as the source. */
static double fit(const cutline_job *job) {
    const cutline_raster *from = &job->source, *to = &job->target;
    return (double)(from->rows < from->cols ? from->rows : from->cols) / (double)(to->rows > to->cols ? to->rows : to->cols);
}

static placement make_placement(const cutline_job *job) {
    placement made;
    const double power = (double)((int64_t)1 << below(9)), any = 0.02 * power * between(1, 1.56);
    const double fits = fit(job) * between(0.1, 1.2);
    const double size = percent(30) ? any : fits < 0.02 ? 0.02 : fits > 8 ? 8 : fits; /* source pixels a target pixel */
    const double t = percent(30) ? 0 : between(-3, 3), shear = percent(50) ? 0 : between(-1, 1);
    const double cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
    made.x_by_col = size * cosine, made.x_by_row = size * (shear * cosine - sine);
    made.y_by_col = size * sine, made.y_by_row = size * (shear * sine + cosine);
    /* The target's middle in windows of the source: in it, about its corner, or nowhere near. */
    const double off = percent(80) ? 0 : percent(50) ? 0.5 : 500;
    const double off_x = percent(50) ? off : -off, off_y = percent(50) ? off : -off;
    const double u = off_x + between(0.3, 0.7), v = off_y + between(0.3, 0.7);
    const double mid_col = (double)job->target.cols / 2, mid_row = (double)job->target.rows / 2;
    made.x = (double)job->first_col + u * (double)job->source.cols - made.x_by_col * mid_col - made.x_by_row * mid_row;
    made.y = (double)job->first_row + v * (double)job->source.rows - made.y_by_col * mid_col - made.y_by_row * mid_row;
    made.jitter = percent(15) ? between(0, 6) : 0;
    made.cut = percent(60) ? 0 : (int)below(100);
    made.odd = percent(20) ? 30 : 0;
    if (percent(5)) { /* all of it a hair before the far edges of the window, where the next sample is missing */
        made.x_by_col = made.x_by_row = made.y_by_col = made.y_by_row = made.jitter = 0;
        made.x = (double)(job->first_col + job->source.cols) - 0.5 - (percent(50) ? 1e-9 : 0);
        made.y = (double)(job->first_row + job->source.rows) - 0.5 - (percent(50) ? 1e-9 : 0);
        if (percent(30)) made.x += 0.5 - 1e-9, made.y += 0.5 - 1e-9;
    }
    return made;
}

static void add_patches(const placement *at, int32_t row, int32_t col, int32_t step) {
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 2147483648.0, -2147483649.0, 1e18};
    if (step > 1 && percent(at->cut)) {
        const int32_t half = step / 2;
        for (int32_t i = 0; i < 4; i++) add_patches(at, row + i / 2 * half, col + i % 2 * half, half);
        return;
    }
    if (percent(3)) return;
    cutline_patch *made = pool + pooled++;
    *made = (cutline_patch){row, col, step, 0, {0}, {0}};
    for (int corner = 0; corner < 4; corner++) {
        const double across = col + (corner % 2 ? step : 0), down = row + (corner / 2 ? step : 0);
        made->x[corner] = at->x + at->x_by_col * across + at->x_by_row * down + between(-1, 1) * at->jitter;
        made->y[corner] = at->y + at->y_by_col * across + at->y_by_row * down + between(-1, 1) * at->jitter;
    }
    if (!percent(at->odd)) return;
    double *axis = percent(50) ? made->x : made->y;
    const int64_t which = below(4);
    axis[which] = odd[below(8)];
}

static void make_patches(cutline_job *job) {
    const placement at = make_placement(job);
    const int32_t top = -(int32_t)below(20), left = -(int32_t)below(20), beyond = (int32_t)below(20);
    pooled = 0;
    for (int32_t row = top; row < job->target.rows + beyond; row += 16)
        for (int32_t col = left; col < job->target.cols + beyond; col += 16) add_patches(&at, row, col, 16);
    cutline_patch *made = bytes(pooled * (int64_t)sizeof *made, 0);
    memcpy(made, pool, (size_t)pooled * sizeof *made);
    job->patches = made, job->patch_count = pooled;
}

#endif
