/* Where the pixels of a row of a patch lie in the source. Included once a pixel type; see resample.c. */

#ifndef CUTLINE_KINDS
#define CUTLINE_KINDS
enum { SKIP, WHOLE, PARTIAL }; /* nothing to do; all taps are there; some are not: bilinear of those that are */

/* GCC's and clang's vectors, whose operations are elementwise and so the same on every CPU; …_at: anywhere in memory. */
typedef double four_doubles __attribute__((vector_size(4 * sizeof(double))));
typedef int32_t four_ints __attribute__((vector_size(4 * sizeof(int32_t))));
typedef int32_t four_ints_at __attribute__((vector_size(4 * sizeof(int32_t)), aligned(sizeof(int32_t)), may_alias));

/* Where the points of a row of a patch are, between sample centres: at x0 + dx * q, y0 + dy * q for q = first + 0, 1 … */
typedef struct {
    double first, x0, y0, dx, dy;
} line;

static inline int both_within(double one, double other, double low, double high) { /* NaN is not */
    return one >= low && other >= low && one < high && other < high;
}

static inline int32_t floor_to_int(double value) {
    int32_t whole = (int32_t)value;
    return whole - ((double)whole > value);
}

/* How many of the pixels of a row of a patch are wanted. */
static inline int count_wanted(const uint8_t *state, int count) {
    uint8_t wanted = 0;
    if (count == CUTLINE_STEP) /* of known length: a few vector instructions */
        for (int i = 0; i < CUTLINE_STEP; i++) wanted += state[i] == CUTLINE_WANTED;
    else
        for (int i = 0; i < count; i++) wanted += state[i] == CUTLINE_WANTED;
    return wanted;
}
#endif

typedef REAL NAME(four) __attribute__((vector_size(4 * sizeof(REAL))));
typedef REAL NAME(four_at) __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

/* What is known of the pixels of one row of a patch. */
typedef struct {
    int count;
    int32_t col[CUTLINE_STEP], row[CUTLINE_STEP]; /* base sample: the one left of and above the point */
    REAL along[CUTLINE_STEP], down[CUTLINE_STEP]; /* how far the point is from it towards the next, 0 … 1 */
    uint8_t kind[CUTLINE_STEP];
    int whole;  /* there are CUTLINE_STEP pixels and all are WHOLE */
    int inside; /* all taps of CUTLINE_STEP points, be they wanted or not, are in the source, whatever their validity */
    int32_t at[CUTLINE_STEP]; /* if inside: the place of the base sample in a plane */
} NAME(run);

/* Every tap of every point is inside the source. In lanes of four, as nothing else is vector code for sure. */
static void NAME(place_inside)(const cutline_job *job, const line *line, NAME(run) *run) {
    const int32_t first_col = (int32_t)job->first_col, first_row = (int32_t)job->first_row;
    const int32_t row_stride = (int32_t)job->source.row_stride;
    const REAL half = (REAL)0.5;
    four_doubles q = {line->first, line->first + 1, line->first + 2, line->first + 3};
    for (int i = 0; i < CUTLINE_STEP; i += 4, q = q + 4.0) {
        const four_doubles x = line->x0 + line->dx * q, y = line->y0 + line->dy * q;
        /* Inside nothing is negative, so what this cuts off is the fraction. */
        const four_ints whole_x = __builtin_convertvector(x, four_ints), whole_y = __builtin_convertvector(y, four_ints);
        const NAME(four) along = __builtin_convertvector(x - __builtin_convertvector(whole_x, four_doubles), NAME(four));
        const NAME(four) down = __builtin_convertvector(y - __builtin_convertvector(whole_y, four_doubles), NAME(four));
        four_ints col = whole_x - first_col, row = whole_y - first_row;
        if (job->method == CUTLINE_NEAREST) { /* a comparison of lanes that is true is -1 */
            col -= __builtin_convertvector(along >= half, four_ints);
            row -= __builtin_convertvector(down >= half, four_ints);
        }
        *(four_ints_at *)(run->col + i) = col;
        *(four_ints_at *)(run->row + i) = row;
        *(four_ints_at *)(run->at + i) = row * row_stride + col;
        *(NAME(four_at) *)(run->along + i) = along;
        *(NAME(four_at) *)(run->down + i) = down;
    }
}

/* Whether all points of a run that is placed inside are known to have all taps valid, by one look at each. */
static int NAME(all_valid)(const cutline_job *job, const NAME(run) *run) {
    const int32_t cols = (int32_t)job->source.cols;
    const uint8_t *flags = job->method == CUTLINE_NEAREST ? job->source.valid : job->complete;
    if (!job->source.valid) return 1;
    if (!flags) return 0;
    int all = 1;
    for (int i = 0; i < CUTLINE_STEP; i++) all &= flags[run->row[i] * cols + run->col[i]] != 0;
    return all;
}

/* What is to be done with a pixel that is placed inside and wanted. */
static inline int NAME(kind_of)(const cutline_job *job, const NAME(run) *run, int i) {
    const int32_t cols = (int32_t)job->source.cols, at = run->row[i] * cols + run->col[i];
    const int32_t nearest = job->method == CUTLINE_NEAREST ? at
        : at + (run->along[i] >= (REAL)0.5) + (run->down[i] >= (REAL)0.5) * cols;
    if (!job->source.valid) return WHOLE;
    if (!job->source.valid[nearest]) return SKIP;
    return job->complete && !job->complete[at] ? PARTIAL : WHOLE;
}

/* Narrow a run that is placed inside by what is wanted and what is valid. */
static void NAME(narrow)(const cutline_job *job, const uint8_t *state, int wanted, NAME(run) *run) {
    run->inside = 1;
    run->whole = wanted == CUTLINE_STEP && NAME(all_valid)(job, run);
    if (run->whole)
        for (int i = 0; i < CUTLINE_STEP; i++) run->kind[i] = WHOLE;
    else
        for (int i = 0; i < run->count; i++) run->kind[i] = state[i] == CUTLINE_WANTED ? (uint8_t)NAME(kind_of)(job, run, i) : SKIP;
}

/* Near the border of the source: point by point. */
static void NAME(place_at_border)(const cutline_job *job, const line *line, const uint8_t *state, NAME(run) *run) {
    const cutline_raster *source = &job->source;
    const int nearest = job->method == CUTLINE_NEAREST;
    const int before = job->method == CUTLINE_CUBIC ? 1 : 0, after = job->method == CUTLINE_CUBIC ? 2 : 1;
    const double left = (double)job->first_col - 0.5, top = (double)job->first_row - 0.5;
    const double right = left + (double)source->cols, bottom = top + (double)source->rows;
    run->inside = run->whole = 0;
    for (int i = 0; i < run->count; i++) {
        run->kind[i] = SKIP;
        run->along[i] = run->down[i] = 0;
        const double q = line->first + (double)i, x = line->x0 + line->dx * q, y = line->y0 + line->dy * q;
        if (state[i] != CUTLINE_WANTED || !both_within(x, x, left, right) || !both_within(y, y, top, bottom)) continue;
        const int32_t whole_x = floor_to_int(x), whole_y = floor_to_int(y);
        const int64_t col = whole_x - job->first_col, row = whole_y - job->first_row;
        const REAL along = (REAL)(x - (double)whole_x), down = (REAL)(y - (double)whole_y);
        int64_t near_col = col + (along >= (REAL)0.5), near_row = row + (down >= (REAL)0.5);
        near_col = near_col >= source->cols ? source->cols - 1 : near_col;
        near_row = near_row >= source->rows ? source->rows - 1 : near_row;
        if (source->valid && !source->valid[near_row * source->cols + near_col]) continue;
        run->col[i] = (int32_t)(nearest ? near_col : col);
        run->row[i] = (int32_t)(nearest ? near_row : row);
        run->along[i] = along;
        run->down[i] = down;
        const int whole = nearest || (col >= before && row >= before && col + after < source->cols &&
                                      row + after < source->rows && (!job->complete || job->complete[row * source->cols + col]));
        run->kind[i] = whole ? WHOLE : PARTIAL;
    }
}

/* Place the pixels of the row `row` of a patch, from its column `from` up to `to`, in the source. */
static void NAME(place)(const cutline_job *job, const cutline_patch *patch, int row, int from, int to,
                        const uint8_t *state, int wanted, NAME(run) *run) {
    const double side = 1.0 / (double)patch->step, fy = ((double)row + 0.5) * side;
    /* Between sample centres, which lie half a pixel inside their pixels. */
    const double x0 = (patch->x[0] * (1 - fy) + patch->x[2] * fy) - 0.5, y0 = (patch->y[0] * (1 - fy) + patch->y[2] * fy) - 0.5;
    const double x1 = (patch->x[1] * (1 - fy) + patch->x[3] * fy) - 0.5, y1 = (patch->y[1] * (1 - fy) + patch->y[3] * fy) - 0.5;
    const double dx = (x1 - x0) * side, dy = (y1 - y0) * side;
    const line line = {.first = (double)from + 0.5, .x0 = x0, .y0 = y0, .dx = dx, .dy = dy};
    run->count = to - from;
    /* On a line the ends are the extremes. All 16 are placed, wanted or not, so all must be inside. */
    const double margin = 3, last = line.first + (CUTLINE_STEP - 1);
    const double left = (double)job->first_col, right = left + (double)job->source.cols;
    const double top = (double)job->first_row, bottom = top + (double)job->source.rows;
    if (both_within(x0 + dx * line.first, x0 + dx * last, left + margin, right - margin) &&
        both_within(y0 + dy * line.first, y0 + dy * last, top + margin, bottom - margin)) {
        NAME(place_inside)(job, &line, run);
        NAME(narrow)(job, state, wanted, run);
    } else {
        NAME(place_at_border)(job, &line, state, run);
    }
}
