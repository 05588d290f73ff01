/* The value of a pixel from the samples around its point. Included once a pixel type; see resample.c.

   A run that is inside is worked four pixels at a time, all of it whatever is wanted: lanes are pixels. */

/* Four neighbours of a row, as they lie in memory. */
typedef PIXEL NAME(samples) __attribute__((vector_size(4 * sizeof(PIXEL)), aligned(sizeof(PIXEL)), may_alias));

/* Of the pixels of a run. */
typedef struct {
    REAL across[4][CUTLINE_STEP];
    NAME(four) down[CUTLINE_STEP][4]; /* four times the same */
} NAME(weights);

/* Rounded half up, within the type's range. */
static inline PIXEL NAME(stored)(REAL value) {
#if INTEGER
    REAL shifted = value + (REAL)0.5;
    shifted = shifted < (REAL)LOWEST ? (REAL)LOWEST : shifted;
    shifted = shifted > (REAL)HIGHEST ? (REAL)HIGHEST : shifted;
    const WHOLE_NUMBER whole = (WHOLE_NUMBER)shifted;
    return (PIXEL)(LOWEST < 0 ? whole - ((REAL)whole > shifted) : whole); /* which cuts off, so it is the floor from 0 on */
#else
    return value;
#endif
}

static inline NAME(four) NAME(numbers)(const PIXEL *from) {
    return __builtin_convertvector(*(const NAME(samples) *)from, NAME(four));
}

/* Two samples of a row and the two below them. */
static inline NAME(four) NAME(square)(const PIXEL *from, int64_t row_stride) {
    PIXEL both[4];
    memcpy(both, from, 2 * sizeof(PIXEL));
    memcpy(both + 2, from + row_stride, 2 * sizeof(PIXEL));
    return NAME(numbers)(both);
}

/* Lane j of vector i becomes lane i of vector j. */
static inline void NAME(transpose)(NAME(four) *v) {
    const NAME(four) a = v[0], b = v[1], c = v[2], d = v[3];
    for (int j = 0; j < 4; j++) v[j] = (NAME(four)){a[j], b[j], c[j], d[j]};
}

/* Keys (1981), a = -1/2: weights of the samples before, at, after and two after the point. */
static inline void NAME(cubic_weights)(NAME(four) t, NAME(four) *weight) {
    const REAL half = (REAL)0.5, two = 2, three = 3, four = 4, five = 5;
    const NAME(four) t2 = t * t, t3 = t2 * t;
    weight[0] = half * (two * t2 - t3 - t);
    weight[1] = half * (three * t3 - five * t2 + two);
    weight[2] = half * (four * t2 - three * t3 + t);
    weight[3] = half * (t3 - t2);
}

static void NAME(weigh)(const NAME(run) *run, NAME(weights) *weights) {
    for (int i = 0; i < CUTLINE_STEP; i += 4) {
        NAME(four) across[4], down[4];
        NAME(cubic_weights)(*(const NAME(four_at) *)(run->along + i), across);
        NAME(cubic_weights)(*(const NAME(four_at) *)(run->down + i), down);
        for (int j = 0; j < 4; j++) {
            *(NAME(four_at) *)(weights->across[j] + i) = across[j];
            for (int k = 0; k < 4; k++) weights->down[i + k][j] = (NAME(four)){down[j][k], down[j][k], down[j][k], down[j][k]};
        }
    }
}

/* The four columns around a point, each summed up down. */
static inline NAME(four) NAME(columns)(const PIXEL *from, int64_t row_stride, const NAME(four) *down) {
    NAME(four) column = NAME(numbers)(from) * down[0];
    column = column + NAME(numbers)(from + row_stride) * down[1];
    column = column + NAME(numbers)(from + 2 * row_stride) * down[2];
    return column + NAME(numbers)(from + 3 * row_stride) * down[3];
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


/* All points of a run that is inside. */

static void NAME(nearest_inside)(const PIXEL *plane, const NAME(run) *run, PIXEL *to) {
    for (int i = 0; i < CUTLINE_STEP; i++) to[i] = plane[run->at[i]];
}

static void NAME(bilinear_inside)(const PIXEL *plane, int64_t row_stride, const NAME(run) *run, PIXEL *to) {
    REAL sum[CUTLINE_STEP];
    for (int i = 0; i < CUTLINE_STEP; i += 4) {
        NAME(four) around[4];
        for (int k = 0; k < 4; k++) around[k] = NAME(square)(plane + run->at[i + k], row_stride);
        NAME(transpose)(around);
        const NAME(four) along = *(const NAME(four_at) *)(run->along + i), down = *(const NAME(four_at) *)(run->down + i);
        const NAME(four) left = (1 - down) * around[0] + down * around[2];
        const NAME(four) right = (1 - down) * around[1] + down * around[3];
        *(NAME(four_at) *)(sum + i) = (1 - along) * left + along * right;
    }
    for (int i = 0; i < CUTLINE_STEP; i++) to[i] = NAME(stored)(sum[i]);
}

static void NAME(cubic_inside)(const PIXEL *plane, int64_t row_stride, const NAME(run) *run, const NAME(weights) *weights,
                               PIXEL *to) {
    REAL sum[CUTLINE_STEP];
    for (int i = 0; i < CUTLINE_STEP; i += 4) {
        NAME(four) column[4], across[4];
        for (int k = 0; k < 4; k++)
            column[k] = NAME(columns)(plane + run->at[i + k] - row_stride - 1, row_stride, weights->down[i + k]);
        NAME(transpose)(column);
        for (int j = 0; j < 4; j++) across[j] = *(const NAME(four_at) *)(weights->across[j] + i);
        *(NAME(four_at) *)(sum + i) =
            ((across[0] * column[0] + across[1] * column[1]) + across[2] * column[2]) + across[3] * column[3];
    }
    for (int i = 0; i < CUTLINE_STEP; i++) to[i] = NAME(stored)(sum[i]);
}

/* One point whose taps are all there, as above: the same operations in the same order. */

static inline REAL NAME(bilinear_at)(const PIXEL *from, int64_t row_stride, REAL along, REAL down) {
    const REAL left = (1 - down) * (REAL)from[0] + down * (REAL)from[row_stride];
    const REAL right = (1 - down) * (REAL)from[1] + down * (REAL)from[row_stride + 1];
    return (1 - along) * left + along * right;
}

static inline REAL NAME(cubic_at)(const PIXEL *from, int64_t row_stride, const NAME(weights) *weights, int i) {
    const NAME(four) column = NAME(columns)(from - row_stride - 1, row_stride, weights->down[i]);
    return ((weights->across[0][i] * column[0] + weights->across[1][i] * column[1]) + weights->across[2][i] * column[2]) +
           weights->across[3][i] * column[3];
}

static PIXEL NAME(sample)(const cutline_job *job, const PIXEL *plane, const NAME(run) *run, const NAME(weights) *weights,
                          int i) {
    const int64_t row_stride = job->source.row_stride;
    const PIXEL *from = plane + run->row[i] * row_stride + run->col[i];
    if (run->kind[i] == PARTIAL) return NAME(stored)(NAME(sum_valid)(&job->source, plane, run, i));
    if (job->method == CUTLINE_NEAREST) return *from;
    if (job->method == CUTLINE_BILINEAR)
        return NAME(stored)(NAME(bilinear_at)(from, row_stride, run->along[i], run->down[i]));
    return NAME(stored)(NAME(cubic_at)(from, row_stride, weights, i));
}

/* One band of a run. */
static void NAME(sample_run)(const cutline_job *job, const PIXEL *plane, const NAME(run) *run, const NAME(weights) *weights,
                             PIXEL *to) {
    PIXEL some[CUTLINE_STEP], *made = run->whole ? to : some;
    if (run->inside) {
        if (job->method == CUTLINE_NEAREST) NAME(nearest_inside)(plane, run, made);
        else if (job->method == CUTLINE_BILINEAR) NAME(bilinear_inside)(plane, job->source.row_stride, run, made);
        else NAME(cubic_inside)(plane, job->source.row_stride, run, weights, made);
    }
    if (run->whole) return;
    for (int i = 0; i < run->count; i++) {
        if (run->inside && run->kind[i] == WHOLE) to[i] = some[i];
        else if (run->kind[i] != SKIP) to[i] = NAME(sample)(job, plane, run, weights, i);
    }
}
