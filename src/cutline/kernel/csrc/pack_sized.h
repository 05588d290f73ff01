/* Included once a sample size; see pack.c for SAMPLE (unsigned, so that differences wrap around) and NAME. */

static int NAME(is_empty)(const cutline_packing *p, int64_t rows, int64_t cols) {
    const SAMPLE empty = *(const SAMPLE *)p->empty;
    for (int64_t band = 0; band < p->source.bands; band++)
        for (int64_t row = 0; row < rows; row++) {
            const SAMPLE *from = (const SAMPLE *)p->source.pixels + band * p->source.band_stride +
                                 (p->row + row) * p->source.row_stride + p->col;
            SAMPLE other = 0;
            for (int64_t col = 0; col < cols; col++) other |= from[col] ^ empty;
            if (other) return 0;
        }
    return 1;
}

/* One band of one row, samples `stride` apart: as they are, or what each differs from the one before it. */
static void NAME(lay)(const SAMPLE *from, int64_t cols, int64_t edge, int64_t stride, SAMPLE empty, int differences,
                      SAMPLE *to) {
    if (!differences) {
        for (int64_t col = 0; col < cols; col++) to[col * stride] = from[col];
        for (int64_t col = cols; col < edge; col++) to[col * stride] = empty;
        return;
    }
    if (cols > 0) to[0] = from[0];
    for (int64_t col = 1; col < cols; col++) to[col * stride] = (SAMPLE)(from[col] - from[col - 1]);
    if (cols < edge) to[cols * stride] = cols > 0 ? (SAMPLE)(empty - from[cols - 1]) : empty;
    for (int64_t col = cols + 1; col < edge; col++) to[col * stride] = 0;
}

/* A row of samples becomes its bytes by significance, the highest of all samples first, as differences of bytes. */
static void NAME(by_significance)(uint8_t *row, int64_t samples, int64_t stride, uint8_t *scratch) {
    const int64_t size = (int64_t)sizeof(SAMPLE);
    for (int64_t byte = 0; byte < size; byte++)
        for (int64_t at = 0; at < samples; at++) scratch[(size - 1 - byte) * samples + at] = row[at * size + byte];
    for (int64_t at = 0; at < stride; at++) row[at] = scratch[at];
    for (int64_t at = stride; at < samples * size; at++) row[at] = (uint8_t)(scratch[at] - scratch[at - stride]);
}

static int NAME(pack)(const cutline_packing *p) {
    const cutline_raster *source = &p->source;
    const int64_t rows = source->rows - p->row < p->edge ? source->rows - p->row : p->edge;
    const int64_t cols = source->cols - p->col < p->edge ? source->cols - p->col : p->edge;
    const SAMPLE empty = *(const SAMPLE *)p->empty;
    const int64_t samples = p->edge * source->bands;
    if (NAME(is_empty)(p, rows, cols)) return 0;
    for (int64_t row = 0; row < p->edge; row++) {
        SAMPLE *to = (SAMPLE *)p->block + row * samples;
        for (int64_t band = 0; band < source->bands; band++) {
            const SAMPLE *from = (const SAMPLE *)source->pixels + band * source->band_stride +
                                 (p->row + (row < rows ? row : 0)) * source->row_stride + p->col;
            NAME(lay)(from, row < rows ? cols : 0, p->edge, source->bands, empty,
                      p->predictor == CUTLINE_DIFFERENCES, to + band);
        }
        if (p->predictor == CUTLINE_FLOAT_DIFFERENCES)
            NAME(by_significance)((uint8_t *)to, samples, source->bands, p->scratch);
    }
    return 1;
}

#undef SAMPLE
#undef NAME
