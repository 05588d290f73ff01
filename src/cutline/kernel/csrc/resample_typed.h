/* Included once a pixel type; see resample.c for PIXEL, REAL, NAME, INTEGER, LOWEST and HIGHEST.

   A patch is worked row by row: place its pixels in the source, weigh their taps, then sum band by band. */

/* Four neighbours of a row, as they lie in memory and as numbers: GCC's and clang's vectors, whose operations are
   elementwise and so the same on every CPU. */
typedef PIXEL NAME(samples) __attribute__((vector_size(4 * sizeof(PIXEL)), aligned(sizeof(PIXEL)), may_alias));
typedef REAL NAME(four) __attribute__((vector_size(4 * sizeof(REAL))));

/* What is known of the pixels of one row of a patch. */
typedef struct {
    int count;
    int32_t col[CUTLINE_STEP], row[CUTLINE_STEP]; /* base sample: the one left of and above the point */
    int32_t at[CUTLINE_STEP];                     /* its place in a plane, where that is inside */
    REAL along[CUTLINE_STEP], down[CUTLINE_STEP]; /* how far the point is from it towards the next, 0 … 1 */
    uint8_t kind[CUTLINE_STEP];
    int uniform;                                  /* every pixel is WHOLE */
} NAME(run);

#ifndef CUTLINE_KINDS
#define CUTLINE_KINDS
enum { SKIP, WHOLE, PARTIAL }; /* nothing to do; all taps are there; some are not: bilinear of those that are */

static inline int32_t floor_to_int(double value) {
    int32_t whole = (int32_t)value;
    return whole - ((double)whole > value);
}
#endif

/* Rounded half up, within the type's range. */
static inline PIXEL NAME(stored)(REAL value) {
#if INTEGER
    REAL shifted = value + (REAL)0.5;
    shifted = shifted < (REAL)LOWEST ? (REAL)LOWEST : shifted;
    shifted = shifted > (REAL)HIGHEST ? (REAL)HIGHEST : shifted;
    const WHOLE_NUMBER whole = (WHOLE_NUMBER)shifted;
    return (PIXEL)(whole - ((REAL)whole > shifted));
#else
    return value;
#endif
}

/* Keys (1981), a = -1/2: weights of the samples before, at, after and two after the point. */
static inline void NAME(cubic_weights)(REAL t, REAL *weight) {
    const REAL half = (REAL)0.5;
    REAL t2 = t * t, t3 = t2 * t;
    weight[0] = half * (2 * t2 - t3 - t);
    weight[1] = half * (3 * t3 - 5 * t2 + 2);
    weight[2] = half * (4 * t2 - 3 * t3 + t);
    weight[3] = half * (t3 - t2);
}

static inline NAME(four) NAME(numbers)(const PIXEL *from) {
    return __builtin_convertvector(*(const NAME(samples) *)from, NAME(four));
}

static inline REAL NAME(sum4)(const PIXEL *from, int64_t row_stride, const REAL *across, const REAL *down) {
    NAME(four) column = NAME(numbers)(from) * down[0];
    column = column + NAME(numbers)(from + row_stride) * down[1];
    column = column + NAME(numbers)(from + 2 * row_stride) * down[2];
    column = column + NAME(numbers)(from + 3 * row_stride) * down[3];
    return ((across[0] * column[0] + across[1] * column[1]) + across[2] * column[2]) + across[3] * column[3];
}

static inline REAL NAME(sum2)(PIXEL upper_left, PIXEL upper_right, PIXEL lower_left, PIXEL lower_right, REAL along,
                              REAL down) {
    const REAL left = (1 - down) * (REAL)upper_left + down * (REAL)lower_left;
    const REAL right = (1 - down) * (REAL)upper_right + down * (REAL)lower_right;
    return (1 - along) * left + along * right;
}

/* Of the four samples around a point, the valid ones, their weights made to sum up to one. */
static REAL NAME(sum_valid)(const cutline_raster *source, const PIXEL *plane, const NAME(run) *run, int i) {
    const REAL along = run->along[i], down = run->down[i];
    REAL sum = 0, weights = 0;
    for (int j = 0; j < 2; j++)
        for (int k = 0; k < 2; k++) {
            const int64_t row = run->row[i] + j, col = run->col[i] + k;
            if (row < 0 || col < 0 || row >= source->rows || col >= source->cols) continue;
            if (source->valid && !source->valid[row * source->cols + col]) continue;
            const REAL weight = (k ? along : 1 - along) * (j ? down : 1 - down);
            sum = sum + weight * (REAL)plane[row * source->row_stride + col];
            weights = weights + weight;
        }
    return sum / weights;
}

/* Where the points of a run may be sampled without a look at borders and validity: every tap is inside the source. */
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

/* Narrow a run that is placed inside by what is wanted and what is valid. */
static void NAME(narrow)(const cutline_job *job, const uint8_t *wanted, NAME(run) *run) {
    const cutline_raster *source = &job->source;
    run->uniform = 1;
    if (!source->valid) {
        for (int i = 0; i < run->count; i++) {
            run->kind[i] = wanted[i] == 1 ? WHOLE : SKIP;
            run->uniform &= run->kind[i];
        }
        return;
    }
    for (int i = 0; i < run->count; i++) {
        const int32_t at = run->row[i] * (int32_t)source->cols + run->col[i];
        int kind = wanted[i] == 1 ? WHOLE : SKIP;
        if (kind) {
            const int32_t nearest = job->method == CUTLINE_NEAREST ? at
                : at + (run->along[i] >= (REAL)0.5) + (run->down[i] >= (REAL)0.5) * (int32_t)source->cols;
            if (!source->valid[nearest]) kind = SKIP;
            else if (job->complete && !job->complete[at]) kind = PARTIAL;
        }
        run->kind[i] = (uint8_t)kind;
        run->uniform &= kind == WHOLE;
    }
}

/* The same near the border of the source, point by point. */
static void NAME(place_at_border)(const cutline_job *job, const double *x, const double *y, const uint8_t *wanted,
                                  NAME(run) *run) {
    const cutline_raster *source = &job->source;
    const int nearest = job->method == CUTLINE_NEAREST;
    const int before = job->method == CUTLINE_CUBIC ? 1 : 0, after = job->method == CUTLINE_CUBIC ? 2 : 1;
    const double left = (double)job->first_col - 0.5, top = (double)job->first_row - 0.5;
    const double right = left + (double)source->cols, bottom = top + (double)source->rows;
    run->uniform = 0;
    for (int i = 0; i < run->count; i++) {
        run->kind[i] = SKIP;
        /* Written so that NaN is outside too. */
        if (wanted[i] != 1 || !(x[i] >= left && x[i] < right && y[i] >= top && y[i] < bottom)) continue;
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
                        const uint8_t *wanted, NAME(run) *run) {
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
        NAME(narrow)(job, wanted, run);
    } else {
        NAME(place_at_border)(job, x, y, wanted, run);
    }
}

static void NAME(sum_nearest)(const cutline_raster *source, const PIXEL *plane, const NAME(run) *run, PIXEL *to) {
    for (int i = 0; i < run->count; i++)
        if (run->kind[i]) to[i] = plane[run->row[i] * source->row_stride + run->col[i]];
}

static void NAME(sum_bilinear)(const cutline_raster *source, const PIXEL *plane, const NAME(run) *run, PIXEL *to) {
    const int64_t stride = source->row_stride;
    if (run->uniform && run->count == CUTLINE_STEP) { /* gather first, so that the arithmetic runs in vectors */
        PIXEL a[CUTLINE_STEP], b[CUTLINE_STEP], c[CUTLINE_STEP], d[CUTLINE_STEP];
        for (int i = 0; i < CUTLINE_STEP; i++) {
            const PIXEL *from = plane + run->at[i];
            a[i] = from[0];
            b[i] = from[1];
            c[i] = from[stride];
            d[i] = from[stride + 1];
        }
        for (int i = 0; i < CUTLINE_STEP; i++)
            to[i] = NAME(stored)(NAME(sum2)(a[i], b[i], c[i], d[i], run->along[i], run->down[i]));
        return;
    }
    for (int i = 0; i < run->count; i++) {
        if (run->kind[i] == WHOLE) {
            const PIXEL *from = plane + run->row[i] * stride + run->col[i];
            to[i] = NAME(stored)(NAME(sum2)(from[0], from[1], from[stride], from[stride + 1], run->along[i], run->down[i]));
        } else if (run->kind[i] == PARTIAL) {
            to[i] = NAME(stored)(NAME(sum_valid)(source, plane, run, i));
        }
    }
}

static void NAME(sum_cubic)(const cutline_raster *source, const PIXEL *plane, const NAME(run) *run,
                            REAL across[][4], REAL down[][4], PIXEL *to) {
    const int64_t stride = source->row_stride;
    if (run->uniform && run->count == CUTLINE_STEP) {
        REAL sum[CUTLINE_STEP];
        for (int i = 0; i < CUTLINE_STEP; i++)
            sum[i] = NAME(sum4)(plane + run->at[i] - stride - 1, stride, across[i], down[i]);
        for (int i = 0; i < CUTLINE_STEP; i++) to[i] = NAME(stored)(sum[i]);
        return;
    }
    for (int i = 0; i < run->count; i++) {
        const PIXEL *from = plane + (run->row[i] - 1) * stride + run->col[i] - 1;
        if (run->kind[i] == WHOLE)
            to[i] = NAME(stored)(NAME(sum4)(from, stride, across[i], down[i]));
        else if (run->kind[i] == PARTIAL)
            to[i] = NAME(stored)(NAME(sum_valid)(source, plane, run, i));
    }
}

/* Where an output pixel is wider than a source pixel, and for average and mode: taps as wide as the output pixel. */

/* The weights along one axis of samples around a point that lies `t` (0 … 1) behind its base sample. Returns how many
   there are; `first` is the place of the first, counted from the base sample. */
static int NAME(wide_weights)(int method, REAL t, double scale, REAL *weight, int *first) {
    const REAL shrink = (REAL)scale, half = (REAL)0.5;
    const REAL radius = method == CUTLINE_CUBIC ? 2 : method == CUTLINE_BILINEAR ? 1 : half, reach = radius / shrink;
    const int box = method == CUTLINE_AVERAGE || method == CUTLINE_MODE;
    /* A box counts samples by how much of their pixel lies in it; the others see sample centres. */
    const REAL slack = box ? half : 0;
    const int low = floor_to_int((double)(t - reach - slack)) + 1;
    int high = -floor_to_int((double)(-t - reach - slack)) - 1;
    if (high - low >= CUTLINE_WIDEST) high = low + CUTLINE_WIDEST - 1;
    for (int k = low; k <= high; k++) {
        const REAL away = (REAL)k - t, d = (away < 0 ? -away : away) * shrink, d2 = d * d, d3 = d2 * d;
        if (box) {
            const REAL from = away - half < -reach ? -reach : away - half, to = away + half > reach ? reach : away + half;
            weight[k - low] = to - from;
        } else if (method == CUTLINE_BILINEAR) {
            weight[k - low] = 1 - d;
        } else {
            weight[k - low] = d <= 1 ? half * (3 * d3 - 5 * d2 + 2) : half * (5 * d2 - d3 - 8 * d + 4);
        }
    }
    *first = low;
    return high - low + 1;
}

static PIXEL NAME(most_frequent)(PIXEL *values, int count) {
    for (int i = 1; i < count; i++) { /* insertion sort: there are few, and neighbours are often alike */
        PIXEL value = values[i];
        int j = i;
        for (; j > 0 && values[j - 1] > value; j--) values[j] = values[j - 1];
        values[j] = value;
    }
    PIXEL best = values[0];
    for (int start = 0, longest = 0; start < count;) {
        int end = start;
        while (end < count && values[end] == values[start]) end++;
        if (end - start > longest) longest = end - start, best = values[start];
        start = end;
    }
    return best;
}

/* The weighted mean of the valid samples under a kernel whose first sample is at (row, col). */
static REAL NAME(mean_under)(const cutline_raster *source, const PIXEL *plane, int64_t row, int64_t col, int rows, int cols,
                             const REAL *down, const REAL *across) {
    const int from = col < 0 ? (int)-col : 0, to = source->cols - col < cols ? (int)(source->cols - col) : cols;
    REAL sum = 0, weights = 0;
    for (int j = 0; j < rows; j++) {
        if (row + j < 0 || row + j >= source->rows) continue;
        const PIXEL *sample = plane + (row + j) * source->row_stride + col;
        const uint8_t *valid = source->valid ? source->valid + (row + j) * source->cols + col : 0;
        REAL row_sum = 0, row_weights = 0;
        for (int k = from; k < to; k++) {
            if (valid && !valid[k]) continue;
            row_sum = row_sum + across[k] * (REAL)sample[k];
            row_weights = row_weights + across[k];
        }
        sum = sum + down[j] * row_sum;
        weights = weights + down[j] * row_weights;
    }
    return sum / weights;
}

/* The valid samples that a box touches. Returns how many there are. */
static int NAME(samples_under)(const cutline_raster *source, const PIXEL *plane, int64_t row, int64_t col, int rows, int cols,
                               PIXEL *found) {
    int count = 0;
    for (int64_t r = row < 0 ? 0 : row; r < row + rows && r < source->rows; r++)
        for (int64_t c = col < 0 ? 0 : col; c < col + cols && c < source->cols; c++)
            if (!source->valid || source->valid[r * source->cols + c]) found[count++] = plane[r * source->row_stride + c];
    return count;
}

static void NAME(sum_wide)(const cutline_job *job, const NAME(run) *run, int64_t target_at) {
    const cutline_raster *source = &job->source;
    REAL across[CUTLINE_WIDEST], down[CUTLINE_WIDEST];
    PIXEL found[CUTLINE_WIDEST * CUTLINE_WIDEST];
    for (int i = 0; i < run->count; i++) {
        if (!run->kind[i]) continue;
        int first_col, first_row;
        const int cols = NAME(wide_weights)(job->method, run->along[i], job->scale_x, across, &first_col);
        const int rows = NAME(wide_weights)(job->method, run->down[i], job->scale_y, down, &first_row);
        const int64_t row = run->row[i] + first_row, col = run->col[i] + first_col;
        for (int64_t band = 0; band < source->bands; band++) {
            const PIXEL *plane = (const PIXEL *)source->pixels + band * source->band_stride;
            PIXEL *to = (PIXEL *)job->target.pixels + band * job->target.band_stride + target_at + i;
            if (job->method == CUTLINE_MODE)
                *to = NAME(most_frequent)(found, NAME(samples_under)(source, plane, row, col, rows, cols, found));
            else
                *to = NAME(stored)(NAME(mean_under)(source, plane, row, col, rows, cols, down, across));
        }
    }
}

static void NAME(fill_run)(const cutline_job *job, const NAME(run) *run, int64_t target_at) {
    const cutline_raster *source = &job->source;
    REAL across[CUTLINE_STEP][4], down[CUTLINE_STEP][4];
    if (job->method == CUTLINE_CUBIC)
        for (int i = 0; i < run->count; i++) {
            NAME(cubic_weights)(run->along[i], across[i]);
            NAME(cubic_weights)(run->down[i], down[i]);
        }
    for (int64_t band = 0; band < source->bands; band++) {
        const PIXEL *plane = (const PIXEL *)source->pixels + band * source->band_stride;
        PIXEL *to = (PIXEL *)job->target.pixels + band * job->target.band_stride + target_at;
        if (job->method == CUTLINE_NEAREST) NAME(sum_nearest)(source, plane, run, to);
        else if (job->method == CUTLINE_BILINEAR) NAME(sum_bilinear)(source, plane, run, to);
        else NAME(sum_cubic)(source, plane, run, across, down, to);
    }
}

static void NAME(resample)(const cutline_job *job) {
    const cutline_raster *target = &job->target;
    const int wide = job->method == CUTLINE_AVERAGE || job->method == CUTLINE_MODE ||
                     (job->method != CUTLINE_NEAREST && (job->scale_x < 1 || job->scale_y < 1));
    NAME(run) run;
    for (int64_t p = 0; p < job->patch_count; p++) {
        const cutline_patch *patch = job->patches + p;
        const int first_row = patch->row < 0 ? -patch->row : 0, from = patch->col < 0 ? -patch->col : 0;
        const int64_t rows_left = target->rows - patch->row, cols_left = target->cols - patch->col;
        const int end_row = rows_left < patch->step ? (int)rows_left : patch->step;
        const int to = cols_left < patch->step ? (int)cols_left : patch->step;
        if (to <= from) continue;
        for (int row = first_row; row < end_row; row++) {
            const int64_t at = (patch->row + row) * target->row_stride + patch->col + from;
            uint8_t *valid = target->valid + (patch->row + row) * target->cols + patch->col + from;
            NAME(place)(job, patch, row, from, to, valid, &run);
            if (wide) NAME(sum_wide)(job, &run, at);
            else NAME(fill_run)(job, &run, at);
            for (int i = 0; i < run.count; i++)
                if (run.kind[i]) valid[i] = 2;
        }
    }
}
