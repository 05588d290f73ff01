/* Count, extremes, mean and spread of a band. Included once a pixel type; see resample.c.

   A row is worked in blocks: no branches within one, so that the loops run in vectors. */

#ifndef CUTLINE_SUMMARISED
#define CUTLINE_SUMMARISED
typedef double lanes __attribute__((vector_size(32)));
typedef int64_t lane_masks __attribute__((vector_size(32)));

/* What is summed up in floating point: in lanes, by column, so that additions need not wait in a row. */
typedef struct {
    lanes low, high, sum, squares;
    lane_masks count;
} lane_tally;

static inline lanes chosen(lane_masks mask, lanes yes, lanes no) {
    return (lanes)(((lane_masks)yes & mask) | ((lane_masks)no & ~mask));
}

/* Blocks of samples, and all ones where one counts. */
static void tally_values(lane_tally *tally, const lanes *values, const lane_masks *known, int count) {
    lane_tally own = *tally; /* not by the pointer, so that it stays in registers */
    for (int i = 0; i < count; i++) {
        own.low = chosen(known[i] & (values[i] < own.low), values[i], own.low);
        own.high = chosen(known[i] & (values[i] > own.high), values[i], own.high);
        own.sum += (lanes)((lane_masks)values[i] & known[i]);
        own.count -= known[i];
    }
    *tally = own;
}

static void tally_squares(lane_tally *tally, const lanes *values, const lane_masks *known, int count, double mean) {
    lanes squares = tally->squares;
    for (int i = 0; i < count; i++) {
        const lanes away = (lanes)((lane_masks)(values[i] - mean) & known[i]);
        squares += away * away;
    }
    tally->squares = squares;
}

static inline double sum_of_lanes(lanes value) { return (value[0] + value[1]) + (value[2] + value[3]); }
#endif

#if INTEGER
/* Whole numbers of at most 16 bits add up exactly, squares too, in one pass. */
typedef struct {
    int64_t count, sum, squares;
    PIXEL low, high;
} NAME(tally);

static int64_t NAME(sum_of_squares)(const PIXEL *value, int length) {
    uint32_t low_halves = 0, high_halves = 0;
    for (int i = 0; i < length; i++) {
        const uint32_t square = (uint32_t)value[i] * (uint32_t)value[i];
        low_halves += square & 0xffff;
        high_halves += square >> 16;
    }
    return ((int64_t)high_halves << 16) + low_halves;
}

static void NAME(tally_block)(NAME(tally) *tally, const PIXEL *pixel, const uint8_t *valid, int length) {
    /* What each sum sees of a sample that is not valid. In buffers, since compilers make no vectors of reductions under
       conditions; loaded either way, since there are no vector loads under conditions either. */
    PIXEL kept[CUTLINE_BLOCK], at_least[CUTLINE_BLOCK], at_most[CUTLINE_BLOCK];
    for (int i = 0; i < length; i++) {
        const PIXEL value = pixel[i];
        kept[i] = valid[i] ? value : 0;
        at_least[i] = valid[i] ? value : (PIXEL)HIGHEST;
        at_most[i] = valid[i] ? value : (PIXEL)LOWEST;
    }
    PIXEL low = tally->low, high = tally->high;
    for (int i = 0; i < length; i++) {
        low = at_least[i] < low ? at_least[i] : low;
        high = at_most[i] > high ? at_most[i] : high;
    }
    tally->low = low;
    tally->high = high;
    uint16_t count = 0;
    int32_t sum = 0;
    for (int i = 0; i < length; i++) count += valid[i] != 0;
    for (int i = 0; i < length; i++) sum += kept[i];
    tally->count += count;
    tally->sum += sum;
    tally->squares += NAME(sum_of_squares)(kept, length);
}

static void NAME(summarise_exactly)(const cutline_raster *source, const PIXEL *plane, double *summary) {
    NAME(tally) tally = {.low = (PIXEL)HIGHEST, .high = (PIXEL)LOWEST};
    for (int64_t row = 0; row < source->rows; row++)
        for (int64_t col = 0; col < source->cols; col += CUTLINE_BLOCK) {
            const int64_t left = source->cols - col;
            const int length = left < CUTLINE_BLOCK ? (int)left : CUTLINE_BLOCK;
            const PIXEL *pixel = plane + row * source->row_stride + col;
            const uint8_t *valid = source->valid + row * source->cols + col;
            NAME(tally_block)(&tally, pixel, valid, length);
        }
    if (!tally.count) return;
    const double sum = (double)tally.sum, mean = sum / (double)tally.count, squares = (double)tally.squares - sum * mean;
    summary[0] = (double)tally.count;
    summary[1] = (double)tally.low;
    summary[2] = (double)tally.high;
    summary[3] = mean;
    summary[4] = squares < 0 ? 0 : squares;
}
#endif

/* The samples of a block as numbers, and all ones where one counts: infinities and NaN are no numbers. Filled up to
   whole lanes. Returns how many lanes there are. */
static int NAME(known_block)(const PIXEL *pixel, const uint8_t *valid, int length, lanes *values, lane_masks *known) {
    double *restrict value = (double *)values;
    int64_t *restrict mask = (int64_t *)known;
    for (int i = 0; i < length; i++) {
        const double number = (double)pixel[i];
        value[i] = number;
        mask[i] = -(int64_t)((valid[i] != 0) & (number - number == 0));
    }
    for (int i = length; i % 4; i++) value[i] = 0, mask[i] = 0;
    return (length + 3) / 4;
}

static void NAME(summarise_numbers)(const cutline_raster *source, const PIXEL *plane, double *summary) {
    lanes values[CUTLINE_BLOCK / 4];
    lane_masks known[CUTLINE_BLOCK / 4];
    const lanes zero = {0, 0, 0, 0};
    lane_tally tally = {.low = zero + DBL_MAX, .high = zero - DBL_MAX, .sum = zero, .squares = zero, .count = {0, 0, 0, 0}};
    double count = 0, mean = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t row = 0; row < source->rows; row++)
            for (int64_t col = 0; col < source->cols; col += CUTLINE_BLOCK) {
                const int64_t left = source->cols - col;
                const int length = left < CUTLINE_BLOCK ? (int)left : CUTLINE_BLOCK;
                const int filled = NAME(known_block)(plane + row * source->row_stride + col,
                                                    source->valid + row * source->cols + col, length, values, known);
                if (pass == 0) tally_values(&tally, values, known, filled);
                else tally_squares(&tally, values, known, filled, mean);
            }
        count = (double)((tally.count[0] + tally.count[1]) + (tally.count[2] + tally.count[3]));
        if (count == 0) return;
        mean = sum_of_lanes(tally.sum) / count;
    }
    double low = tally.low[0], high = tally.high[0];
    for (int i = 1; i < 4; i++) {
        low = tally.low[i] < low ? tally.low[i] : low;
        high = tally.high[i] > high ? tally.high[i] : high;
    }
    summary[0] = count;
    summary[1] = low;
    summary[2] = high;
    summary[3] = mean;
    summary[4] = sum_of_lanes(tally.squares);
}

static void NAME(summarise)(const cutline_raster *source, int64_t band, double *summary) {
    const PIXEL *plane = (const PIXEL *)source->pixels + band * source->band_stride;
    for (int i = 0; i < 5; i++) summary[i] = 0;
#if INTEGER
    if (sizeof(PIXEL) <= 2) {
        NAME(summarise_exactly)(source, plane, summary);
        return;
    }
#endif
    NAME(summarise_numbers)(source, plane, summary);
}
