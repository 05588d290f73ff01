/* Where the pixels of a row of a patch lie in the source. Included once a pixel type; see resample.c. */

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

#ifndef CUTLINE_KINDS
#define CUTLINE_KINDS
enum { SKIP, WHOLE, PARTIAL }; /* nothing to do; all taps are there; some are not: bilinear of those that are */

static inline int32_t floor_to_int(double value) {
    int32_t whole = (int32_t)value;
    return whole - ((double)whole > value);
}

/* How many of the pixels of a row of a patch are wanted. */
static inline int count_wanted(const uint8_t *state, int count) {
    uint8_t wanted = 0;
    if (count == CUTLINE_STEP) /* of known length: a few vector instructions */
        for (int i = 0; i < CUTLINE_STEP; i++) wanted += state[i] == 1;
    else
        for (int i = 0; i < count; i++) wanted += state[i] == 1;
    return wanted;
}
#endif

/* Every tap of every point is inside the source. */
static void NAME(place_inside)(const cutline_job *job, const double *x, const double *y, NAME(run) *run) {
    const int32_t first_col = (int32_t)job->first_col, first_row = (int32_t)job->first_row;
    for (int i = 0; i < CUTLINE_STEP; i++) {
        const int32_t whole_x = (int32_t)x[i], whole_y = (int32_t)y[i]; /* inside nothing is negative */
        run->col[i] = whole_x - first_col;
        run->row[i] = whole_y - first_row;
        run->along[i] = (REAL)(x[i] - (double)whole_x);
        run->down[i] = (REAL)(y[i] - (double)whole_y);
    }
    if (job->method == CUTLINE_NEAREST)
        for (int i = 0; i < CUTLINE_STEP; i++) {
            run->col[i] += run->along[i] >= (REAL)0.5;
            run->row[i] += run->down[i] >= (REAL)0.5;
        }
    for (int i = 0; i < CUTLINE_STEP; i++) run->at[i] = run->row[i] * (int32_t)job->source.row_stride + run->col[i];
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
        for (int i = 0; i < run->count; i++) run->kind[i] = state[i] == 1 ? (uint8_t)NAME(kind_of)(job, run, i) : SKIP;
}

/* Near the border of the source: point by point. */
static void NAME(place_at_border)(const cutline_job *job, const double *x, const double *y, const uint8_t *state,
                                  NAME(run) *run) {
    const cutline_raster *source = &job->source;
    const int nearest = job->method == CUTLINE_NEAREST;
    const int before = job->method == CUTLINE_CUBIC ? 1 : 0, after = job->method == CUTLINE_CUBIC ? 2 : 1;
    const double left = (double)job->first_col - 0.5, top = (double)job->first_row - 0.5;
    const double right = left + (double)source->cols, bottom = top + (double)source->rows;
    run->inside = run->whole = 0;
    for (int i = 0; i < run->count; i++) {
        run->kind[i] = SKIP;
        run->along[i] = run->down[i] = 0;
        /* Written so that NaN is outside too. */
        if (state[i] != 1 || !(x[i] >= left && x[i] < right && y[i] >= top && y[i] < bottom)) continue;
        const int32_t whole_x = floor_to_int(x[i]), whole_y = floor_to_int(y[i]);
        const int64_t col = whole_x - job->first_col, row = whole_y - job->first_row;
        const REAL along = (REAL)(x[i] - (double)whole_x), down = (REAL)(y[i] - (double)whole_y);
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
    double x[CUTLINE_STEP], y[CUTLINE_STEP];
    for (int i = 0; i < CUTLINE_STEP; i++) {
        const double q = (double)(from + i) + 0.5;
        x[i] = x0 + dx * q;
        y[i] = y0 + dy * q;
    }
    run->count = to - from;
    /* On a line the ends are the extremes. All 16 are placed, wanted or not, so all must be inside. */
    const double margin = 3;
    const int last = CUTLINE_STEP - 1;
    const double min_x = x[0] < x[last] ? x[0] : x[last], max_x = x[0] < x[last] ? x[last] : x[0];
    const double min_y = y[0] < y[last] ? y[0] : y[last], max_y = y[0] < y[last] ? y[last] : y[0];
    const double left = (double)job->first_col, top = (double)job->first_row;
    if (min_x >= left + margin && max_x < left + (double)job->source.cols - margin && min_y >= top + margin &&
        max_y < top + (double)job->source.rows - margin) {
        NAME(place_inside)(job, x, y, run);
        NAME(narrow)(job, state, wanted, run);
    } else {
        NAME(place_at_border)(job, x, y, state, run);
    }
}
