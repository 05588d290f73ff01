/* How results are stored: finished values, packed blocks, checksums. Part of fuzz.c, on the sources of its jobs. */

#include "pack.h"

static int sample_size(void) { return (int)TYPES[job.type].size; }

static cutline_raster copy_of(const cutline_raster *from) {
    cutline_raster made = *from;
    const size_t size = (size_t)length(from) * (size_t)sample_size(), flags = (size_t)(from->rows * from->cols);
    made.pixels = memcpy(bytes((int64_t)size, 0), from->pixels, size);
    made.valid = memcpy(bytes((int64_t)flags, 0), from->valid, flags);
    return made;
}

/* A sample that some pixels may have: that of one of them, or 0. */
static void draw_sample(const cutline_raster *from, void *sample) {
    memset(sample, 0, 8);
    const int64_t band = below(from->bands), row = below(from->rows), col = below(from->cols);
    if (percent(70)) memcpy(sample, row_of(from, band, row, col), (size_t)sample_size());
}

static void run_finish(void) {
    const cutline_raster *from = &job.source;
    cutline_raster made = copy_of(from);
    uint64_t empty, other;
    draw_sample(from, &empty), draw_sample(from, &other);
    const int evades = percent(50);
    must(cutline_finish(&made, &empty, evades ? &other : NULL, job.type) == 0, "there is such a type to finish");
    for (int64_t row = 0; row < made.rows; row++)
        for (int64_t col = 0; col < made.cols; col++) {
            const int64_t at = row * made.cols + col;
            int any = 0;
            for (int64_t band = 0; band < made.bands; band++) {
                const int64_t pixel = place(from, band, row, col);
                const double value = get(job.type, from->pixels, pixel);
                const int known = from->valid[at] && value - value == 0;
                const void *expected = !known ? (const void *)&empty
                    : evades && value == get(job.type, &empty, 0) ? (const void *)&other
                    : row_of(from, band, row, col);
                must(!memcmp(row_of(&made, band, row, col), expected, (size_t)sample_size()), "what is stored is as it should be");
                any |= known;
            }
            must((made.valid[at] != 0) == (TYPES[job.type].whole ? from->valid[at] != 0 : any), "a pixel stays valid with a known band");
        }
    release(&made);
}

/* What a row of a block was before it was predicted, in place. */
static void unpredict(int predictor, uint8_t *row, int64_t samples, int64_t bands, uint8_t *scratch) {
    const int64_t size = sample_size(), count = samples * size;
    if (predictor == CUTLINE_FLOAT_DIFFERENCES) {
        for (int64_t i = bands; i < count; i++) row[i] = (uint8_t)(row[i] + row[i - bands]);
        memcpy(scratch, row, (size_t)count);
        for (int64_t i = 0; i < samples; i++)
            for (int64_t byte = 0; byte < size; byte++) row[i * size + byte] = scratch[(size - 1 - byte) * samples + i];
    } else if (predictor == CUTLINE_DIFFERENCES) {
        for (int64_t i = bands; i < samples; i++)
            for (int64_t byte = 0, carry = 0; byte < size; byte++) { /* little-endian, byte by byte */
                const int64_t sum = row[i * size + byte] + row[(i - bands) * size + byte] + carry;
                row[i * size + byte] = (uint8_t)sum, carry = sum >> 8;
            }
    }
}

static void run_pack(void) {
    const cutline_raster *from = &job.source;
    const int64_t edge = 1 + below(80), samples = edge * from->bands, size = sample_size();
    uint64_t empty;
    draw_sample(from, &empty);
    const int predictor = 1 + (int)below(3), lonely = percent(10); /* now and then a block with one value in it */
    cutline_packing job_of = {.source = *from, .row = below(from->rows), .col = below(from->cols), .edge = edge};
    job_of.empty = &empty, job_of.sample_bytes = (int32_t)size, job_of.predictor = predictor;
    job_of.block = bytes(edge * samples * size, CANARY), job_of.scratch = bytes(samples * size, CANARY);
    if (lonely)
        for (int64_t i = 0, end = length(from); i < end; i++) memcpy((char *)from->pixels + i * size, &empty, (size_t)size);
    const int packed = cutline_pack(&job_of);
    int any = 0;
    uint8_t *scratch = bytes(samples * size, 0);
    for (int64_t row = 0; row < edge; row++) {
        uint8_t *line = job_of.block + row * samples * size;
        if (packed) unpredict(predictor, line, samples, from->bands, scratch);
        for (int64_t i = 0; i < samples; i++) {
            const int64_t r = job_of.row + row, c = job_of.col + i / from->bands, band = i % from->bands;
            const int inside = r < from->rows && c < from->cols;
            const void *expected = inside ? row_of(from, band, r, c) : (const void *)&empty;
            any |= memcmp(expected, &empty, (size_t)size) != 0;
            if (packed) must(!memcmp(line + i * size, expected, (size_t)size), "a block holds the pixels");
        }
    }
    must(packed == any, "a block is empty where every sample is");
    free(job_of.block), free(job_of.scratch), free(scratch);
}

static void run_crc(void) {
    static uint64_t tables[16][256];
    if (!tables[0][1])
        for (int zeros = 0; zeros < 16; zeros++)
            for (uint64_t byte = 0; byte < 256; byte++) {
                uint64_t rest = zeros ? tables[zeros - 1][byte] : byte;
                for (int i = 0; i < 8; i++) rest = (rest >> 1) ^ (rest & 1 ? 0x9A6C9329AC4BC9B5u : 0);
                tables[zeros][byte] = rest;
            }
    const int64_t count = below(300), cut = below(count + 1);
    uint8_t *content = bytes(count, 0), *rest = bytes(count - cut, 0);
    for (int64_t i = 0; i < count; i++) content[i] = (uint8_t)bits();
    if (count > cut) memcpy(rest, content + cut, (size_t)(count - cut));
    const uint64_t start = bits(), whole = cutline_crc64(start, content, count, tables[0]);
    uint64_t slowly = start;
    for (int64_t i = 0; i < count; i++) slowly = (slowly >> 8) ^ tables[0][(slowly ^ content[i]) & 0xff];
    must(whole == slowly, "a checksum is what it is byte by byte");
    must(whole == cutline_crc64(cutline_crc64(start, content, cut, tables[0]), rest, count - cut, tables[0]), "checksums go on");
    free(content), free(rest);
}
