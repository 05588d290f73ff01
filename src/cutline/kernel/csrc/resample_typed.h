/* The loop over patches. Included once a pixel type; see resample.c.

   A patch is worked row by row: place its pixels in the source, weigh their taps, then sum band by band. */

static void NAME(fill_run)(const cutline_job *job, const NAME(run) *run, int64_t target_at) {
    const cutline_raster *source = &job->source, *target = &job->target;
    NAME(weights) weights;
    if (job->method == CUTLINE_CUBIC) NAME(weigh)(run, &weights);
    for (int64_t band = 0; band < source->bands; band++)
        NAME(sample_run)(job, (const PIXEL *)source->pixels + band * source->band_stride, run, &weights,
                         (PIXEL *)target->pixels + band * target->band_stride + target_at);
}

/* Whether any pixel of a run gets a value. */
static int NAME(anything)(const NAME(run) *run) {
    uint8_t any = (uint8_t)run->whole;
    for (int i = 0; i < run->count; i++) any |= run->kind[i];
    return any;
}

static void NAME(mark_written)(const NAME(run) *run, uint8_t *state) {
    if (run->whole)
        for (int i = 0; i < CUTLINE_STEP; i++) state[i] = CUTLINE_WRITTEN;
    else
        for (int i = 0; i < run->count; i++)
            if (run->kind[i]) state[i] = CUTLINE_WRITTEN;
}

static void NAME(fill_patch)(const cutline_job *job, const cutline_patch *patch, int wide) {
    const cutline_raster *target = &job->target;
    const int first_row = patch->row < 0 ? -patch->row : 0, from = patch->col < 0 ? -patch->col : 0;
    const int64_t rows_left = target->rows - patch->row, cols_left = target->cols - patch->col;
    const int end_row = rows_left < patch->step ? (int)rows_left : patch->step;
    const int to = cols_left < patch->step ? (int)cols_left : patch->step;
    if (to <= from) return;
    NAME(run) run;
    for (int row = first_row; row < end_row; row++) {
        const int64_t at = (patch->row + row) * target->row_stride + patch->col + from;
        uint8_t *state = target->valid + (patch->row + row) * target->cols + patch->col + from;
        const int wanted = count_wanted(state, to - from);
        if (!wanted) continue;
        NAME(place)(job, patch, row, from, to, state, wanted, &run);
        if (!NAME(anything)(&run)) continue;
        if (wide) NAME(sum_wide)(job, &run, at);
        else NAME(fill_run)(job, &run, at);
        NAME(mark_written)(&run, state);
    }
}

static void NAME(resample)(const cutline_job *job) {
    const int wide = job->method == CUTLINE_AVERAGE || job->method == CUTLINE_MODE ||
                     (job->method != CUTLINE_NEAREST && (job->scale_x < 1 || job->scale_y < 1));
    for (int64_t p = 0; p < job->patch_count; p++) NAME(fill_patch)(job, job->patches + p, wide);
}
