/* Overviews: every 2x2 pixels become one. Included once a pixel type; see resample.c. */

#ifndef CUTLINE_HALVED
#define CUTLINE_HALVED
enum { CUTLINE_HALVED_BLOCK = 32 }; /* target pixels whose sources are looked at together: mostly all or none are valid */

enum { NONE_VALID, SOME_VALID, ALL_VALID };

/* How many of the sources of a block are valid. */
static inline int validity_of_block(const uint8_t *upper, const uint8_t *lower) {
    uint8_t any = 0, least = 255;
    for (int i = 0; i < 2 * CUTLINE_HALVED_BLOCK; i++) {
        const uint8_t less = upper[i] < lower[i] ? upper[i] : lower[i];
        least = less < least ? less : least;
        any |= upper[i] | lower[i];
    }
    return least ? ALL_VALID : any ? SOME_VALID : NONE_VALID;
}
#endif

/* A row of the target and the one or two rows of the source above it. */
typedef struct {
    const PIXEL *upper, *lower;
    const uint8_t *upper_valid, *lower_valid;
    int64_t source_cols;
    int below; /* there is a lower row; else the lower is the upper one and does not count */
    PIXEL *to;
    uint8_t *to_valid;
} NAME(halving);

/* The mean of 1 to 4 values from their sum, halves rounded up. */
#if INTEGER
typedef WHOLE_NUMBER NAME(total);
static inline PIXEL NAME(mean_of)(WHOLE_NUMBER sum, int count) {
    const WHOLE_NUMBER lift = -(WHOLE_NUMBER)LOWEST; /* to divide by three what is not negative */
    const WHOLE_NUMBER third = (sum + 3 * lift + 1) / 3 - lift;
    const WHOLE_NUMBER many = count == 4 ? (sum + 2) >> 2 : third, few = count == 2 ? (sum + 1) >> 1 : sum;
    return (PIXEL)(count > 2 ? many : few);
}
#else
typedef double NAME(total);
static inline PIXEL NAME(mean_of)(double sum, int count) { return (PIXEL)(count ? sum / (double)count : 0); }
#endif

/* The mean of those of four samples whose flag is set; 0 where there are none. */
static inline PIXEL NAME(mean_of_valid)(PIXEL a, PIXEL b, PIXEL c, PIXEL d, int a_counts, int b_counts, int c_counts,
                                        int d_counts) {
    NAME(total) sum = 0;
    sum = sum + (a_counts ? a : 0);
    sum = sum + (b_counts ? b : 0);
    sum = sum + (c_counts ? c : 0);
    sum = sum + (d_counts ? d : 0);
    return NAME(mean_of)(sum, a_counts + b_counts + c_counts + d_counts);
}

/* Blocks run in vectors: they have no branches, and load what does not count as well. */
static void NAME(average_some)(const NAME(halving) *row, int64_t col) {
    const PIXEL *upper = row->upper + 2 * col, *lower = row->lower + 2 * col;
    const uint8_t *above = row->upper_valid + 2 * col, *below = row->lower_valid + 2 * col;
    PIXEL *restrict to = row->to + col;
    uint8_t *restrict to_valid = row->to_valid + col;
    for (int i = 0; i < CUTLINE_HALVED_BLOCK; i++)
        to_valid[i] = (above[2 * i] | above[2 * i + 1] | below[2 * i] | below[2 * i + 1]) != 0;
    for (int i = 0; i < CUTLINE_HALVED_BLOCK; i++)
        to[i] = NAME(mean_of_valid)(upper[2 * i], upper[2 * i + 1], lower[2 * i], lower[2 * i + 1], above[2 * i] != 0,
                                    above[2 * i + 1] != 0, below[2 * i] != 0, below[2 * i + 1] != 0);
}

static void NAME(average_all)(const NAME(halving) *row, int64_t col) {
    const PIXEL *upper = row->upper + 2 * col, *lower = row->lower + 2 * col;
    PIXEL *restrict to = row->to + col;
    for (int i = 0; i < CUTLINE_HALVED_BLOCK; i++)
        to[i] = NAME(mean_of_valid)(upper[2 * i], upper[2 * i + 1], lower[2 * i], lower[2 * i + 1], 1, 1, 1, 1);
    for (int i = 0; i < CUTLINE_HALVED_BLOCK; i++) row->to_valid[col + i] = 1;
}

static void NAME(average_none)(const NAME(halving) *row, int64_t col) {
    for (int i = 0; i < CUTLINE_HALVED_BLOCK; i++) row->to[col + i] = 0;
    for (int i = 0; i < CUTLINE_HALVED_BLOCK; i++) row->to_valid[col + i] = 0;
}

/* What lies beside the right edge does not count, and the pixel before it is loaded instead. */
static void NAME(average_at_edge)(const NAME(halving) *row, int64_t col) {
    const int64_t left = 2 * col, beside = left + 1 < row->source_cols, right = left + beside;
    const PIXEL *upper = row->upper, *lower = row->lower;
    const uint8_t *above = row->upper_valid, *below = row->lower_valid;
    const int a = above[left] != 0, b = beside && above[right];
    const int c = row->below && below[left], d = row->below && beside && below[right];
    row->to[col] = NAME(mean_of_valid)(upper[left], upper[right], lower[left], lower[right], a, b, c, d);
    row->to_valid[col] = a | b | c | d;
}

static void NAME(average_row)(const NAME(halving) *row, int64_t cols) {
    const int64_t in_blocks = row->below ? row->source_cols / 2 / CUTLINE_HALVED_BLOCK * CUTLINE_HALVED_BLOCK : 0;
    for (int64_t col = 0; col < in_blocks; col += CUTLINE_HALVED_BLOCK)
        switch (validity_of_block(row->upper_valid + 2 * col, row->lower_valid + 2 * col)) {
        case ALL_VALID: NAME(average_all)(row, col); break;
        case SOME_VALID: NAME(average_some)(row, col); break;
        default: NAME(average_none)(row, col);
        }
    for (int64_t col = in_blocks; col < cols; col++) NAME(average_at_edge)(row, col);
}

static void NAME(nearest_row)(const NAME(halving) *row, int64_t cols) {
    const PIXEL *from = row->upper;
    const uint8_t *valid = row->upper_valid;
    PIXEL *restrict to = row->to;
    uint8_t *restrict to_valid = row->to_valid;
    for (int64_t col = 0; col < cols; col++) {
        const PIXEL value = from[2 * col];
        to[col] = valid[2 * col] ? value : 0;
        to_valid[col] = valid[2 * col] != 0;
    }
}

static void NAME(halve)(const cutline_raster *source, cutline_raster *target, int average) {
    for (int64_t band = 0; band < source->bands; band++)
        for (int64_t row = 0; row < target->rows; row++) {
            const PIXEL *upper = (const PIXEL *)source->pixels + band * source->band_stride + 2 * row * source->row_stride;
            const uint8_t *upper_valid = source->valid + 2 * row * source->cols;
            const int below = 2 * row + 1 < source->rows;
            const NAME(halving) halving = {
                .upper = upper,
                .lower = below ? upper + source->row_stride : upper,
                .upper_valid = upper_valid,
                .lower_valid = below ? upper_valid + source->cols : upper_valid,
                .source_cols = source->cols,
                .below = below,
                .to = (PIXEL *)target->pixels + band * target->band_stride + row * target->row_stride,
                .to_valid = target->valid + row * target->cols,
            };
            if (average) NAME(average_row)(&halving, target->cols);
            else NAME(nearest_row)(&halving, target->cols);
        }
}
