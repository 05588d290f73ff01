/* Overviews: every 2x2 pixels become one. Included once a pixel type; see resample.c. */

static void NAME(halve)(const cutline_raster *source, cutline_raster *target, int average) {
    for (int64_t band = 0; band < source->bands; band++)
        for (int64_t row = 0; row < target->rows; row++) {
            const int below = 2 * row + 1 < source->rows;
            const PIXEL *upper = (const PIXEL *)source->pixels + band * source->band_stride + 2 * row * source->row_stride;
            const PIXEL *lower = below ? upper + source->row_stride : upper;
            const uint8_t *upper_valid = source->valid + 2 * row * source->cols;
            const uint8_t *lower_valid = below ? upper_valid + source->cols : upper_valid;
            PIXEL *to = (PIXEL *)target->pixels + band * target->band_stride + row * target->row_stride;
            uint8_t *to_valid = target->valid + row * target->cols;
            for (int64_t col = 0; col < target->cols; col++) {
                const int64_t left = 2 * col;
                const int beside = left + 1 < source->cols;
                const int64_t right = beside ? left + 1 : left;
                const int a = upper_valid[left] != 0, b = beside & (upper_valid[right] != 0);
                const int c = below & (lower_valid[left] != 0), d = below & beside & (lower_valid[right] != 0);
                if (!average) {
                    to[col] = a ? upper[left] : 0;
                    to_valid[col] = (uint8_t)a;
                    continue;
                }
                const int count = a + b + c + d;
                to_valid[col] = count != 0;
#if INTEGER
                const int64_t sum = (a ? (int64_t)upper[left] : 0) + (b ? (int64_t)upper[right] : 0) +
                                    (c ? (int64_t)lower[left] : 0) + (d ? (int64_t)lower[right] : 0);
                if (count == 4) to[col] = (PIXEL)((sum + 2) >> 2);
                else if (count == 0) to[col] = 0;
                else { /* floor of sum / count + 1/2 */
                    const int64_t twice = 2 * sum + count, by = 2 * count;
                    to[col] = (PIXEL)(twice / by - (twice % by < 0));
                }
#else
                double sum = 0;
                if (a) sum = sum + (double)upper[left];
                if (b) sum = sum + (double)upper[right];
                if (c) sum = sum + (double)lower[left];
                if (d) sum = sum + (double)lower[right];
                to[col] = count ? (PIXEL)(sum / (double)count) : 0;
#endif
            }
        }
}
