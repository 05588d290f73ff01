/* Computed values made those that are stored. Included once a pixel type; see resample.c. */

/* Samples of one band; known: set where one counts, left alone elsewhere. No branches, so that it runs in vectors. */
static void NAME(finish_samples)(PIXEL *restrict pixel, const uint8_t *restrict valid, uint8_t *restrict known, int length,
                                 PIXEL empty, int evades, PIXEL beside) {
    for (int i = 0; i < length; i++) {
        const PIXEL value = pixel[i], stored = evades && value == empty ? beside : value;
        const int counts = (valid[i] != 0) & (value - value == 0); /* infinities and NaN are no numbers */
        pixel[i] = counts ? stored : empty;
        known[i] |= (uint8_t)counts;
    }
}

static void NAME(finish)(cutline_raster *raster, const void *empty, const void *beside) {
    const PIXEL *no_data = empty, *other = beside ? beside : empty;
    for (int64_t row = 0; row < raster->rows; row++)
        for (int64_t col = 0; col < raster->cols; col += CUTLINE_BLOCK) {
            const int64_t left = raster->cols - col;
            const int length = left < CUTLINE_BLOCK ? (int)left : CUTLINE_BLOCK;
            uint8_t *valid = raster->valid + row * raster->cols + col, known[CUTLINE_BLOCK] = {0};
            for (int64_t band = 0; band < raster->bands; band++) {
                PIXEL *pixel = (PIXEL *)raster->pixels + band * raster->band_stride + row * raster->row_stride + col;
                NAME(finish_samples)(pixel, valid, known, length, *no_data, beside != NULL, *other);
            }
            if (!INTEGER)
                for (int i = 0; i < length; i++) valid[i] = known[i];
        }
}
