/* Where an output pixel is wider than a source pixel, and for average and mode: taps as wide as the output pixel.
   Included once a pixel type; see resample.c. */

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
        int end = start + 1; /* NaN does not equal even itself */
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
