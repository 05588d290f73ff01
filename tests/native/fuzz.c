/* Random jobs for the kernel, made to run under sanitizers (sanitize.py): memory safety is theirs to see; what the
   results must hold is asserted here.

   fuzz SEED FIRST COUNT: every case is made of the seed and its own number, so `fuzz 1 17 1` repeats case 17 of seed 1.
   Prints a digest of all results, the same for every compiler and CPU: no libm, and floating point in a fixed order. */
#include "random_parts.h"

#include <signal.h>
#include <stdio.h>

enum { WORK = 100000 /* taps a job may cost, about */ };

static const char *METHODS[] = {"nearest", "bilinear", "cubic", "average", "mode"};

static uint64_t seed, number; /* of the case at work */
static cutline_job job;
static uint8_t *wanted; /* (rows, cols) of the job's target */
static uint64_t digest = 14695981039346656037u, written;

/* What ASan and UBSan read at their start. Wide red zones, so that a whole row beyond a buffer is seen too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "abort_on_error=1:detect_leaks=0:redzone=512:quarantine_size_mb=16"; }
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "abort_on_error=1:print_stacktrace=1"; }

/* Failing. */

static void say_case(void) {
    const cutline_raster *from = &job.source, *to = &job.target;
    fprintf(stderr, "fuzz: repeat it by: fuzz %llu %llu 1\n", (unsigned long long)seed, (unsigned long long)number);
    fprintf(stderr, "fuzz: %s of %s, %d bands, %s, ", METHODS[job.method], TYPES[job.type].name, (int)from->bands,
            from->valid ? "with gaps" : "all valid");
    fprintf(stderr, "%d x %d to %d x %d by %d patches at scale %.17g, %.17g\n", (int)from->rows, (int)from->cols,
            (int)to->rows, (int)to->cols, (int)job.patch_count, job.scale_x, job.scale_y);
}

static void on_signal(int which) {
    say_case();
    signal(which, SIG_DFL);
    raise(which);
}

static void must(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "fuzz: it does not hold that %s\n", what);
    say_case();
    exit(1);
}

static void digest_bytes(const void *from, int64_t count) { /* FNV-1a */
    for (int64_t i = 0; i < count; i++) digest = (digest ^ ((const uint8_t *)from)[i]) * 1099511628211u;
}

/* Properties. */

static const void *row_of(const cutline_raster *raster, int64_t band, int64_t row, int64_t col) {
    return (const char *)raster->pixels + place(raster, band, row, col) * (int64_t)TYPES[job.type].size;
}

static void digest_row(const cutline_raster *raster, int64_t band, int64_t row) {
    digest_bytes(row_of(raster, band, row, 0), raster->cols * (int64_t)TYPES[job.type].size);
}

/* Of the valid pixels of a band. */
static void range_of(const cutline_raster *raster, int64_t band, double *low, double *high) {
    *low = INFINITY, *high = -INFINITY;
    for (int64_t row = 0; row < raster->rows; row++)
        for (int64_t col = 0; col < raster->cols; col++) {
            if (raster->valid && !raster->valid[row * raster->cols + col]) continue;
            const double value = get(job.type, raster->pixels, place(raster, band, row, col));
            *low = value < *low ? value : *low;
            *high = value > *high ? value : *high;
        }
}

/* How far beyond the range of the source a result may lie: floats are rounded, and cubic overshoots. */
static double rounding(double low, double high) {
    return TYPES[job.type].whole ? 0 : 1e-5 * (high > -low ? high : -low);
}

static double slack_of(double low, double high) {
    if (job.method == CUTLINE_CUBIC) return INFINITY;
    return job.method == CUTLINE_NEAREST || job.method == CUTLINE_MODE ? 0 : rounding(low, high);
}

/* What was written lies in the range of the source, all else is as it was. before: the states of a job's target, which
   now say what was written; NULL: every pixel was. */
static void check_pixels(const cutline_raster *made, const uint8_t *before, double (*slack)(double, double)) {
    const int64_t size = (int64_t)TYPES[job.type].size, end = length(made) * size;
    uint8_t *rest = bytes(end, 0);
    memcpy(rest, made->pixels, (size_t)end);
    for (int64_t band = 0; band < made->bands; band++) {
        double low, high;
        range_of(&job.source, band, &low, &high);
        const double more = slack(low, high);
        for (int64_t row = 0; row < made->rows; row++)
            for (int64_t col = 0; col < made->cols; col++) {
                const int64_t at = row * made->cols + col, pixel = place(made, band, row, col);
                if (before && !(before[at] == 1 && made->valid[at] == 2)) continue;
                memset(rest + pixel * size, CANARY, (size_t)size);
                if (!made->valid[at]) continue;
                const double value = get(job.type, made->pixels, pixel);
                must(value - value == 0, "what is written is a number");
                must(value >= low - more && value <= high + more, "what is written lies in the range of the source");
            }
    }
    for (int64_t i = 0; i < end; i++) must(rest[i] == CANARY, "pixels that are not wanted are left alone");
    free(rest);
}

static void check_states(const uint8_t *before, const cutline_raster *made) {
    for (int64_t i = 0; i < made->rows * made->cols; i++) {
        const int filled = before[i] == 1 && made->valid[i] == 2;
        must(filled || made->valid[i] == before[i], "a state goes from 1 to 2 or stays");
        written += (uint64_t)filled;
    }
}

static void check_same(const cutline_raster *whole, const cutline_raster *part, int64_t row, int64_t col) {
    const size_t width = (size_t)part->cols;
    for (int64_t r = 0; r < part->rows; r++) {
        must(!memcmp(whole->valid + (row + r) * whole->cols + col, part->valid + r * part->cols, width),
             "a part of a target, or the same again, gets the same states");
        for (int64_t band = 0; band < part->bands; band++)
            must(!memcmp(row_of(whole, band, row + r, col), row_of(part, band, r, 0), width * TYPES[job.type].size),
                 "a part of a target, or the same again, gets the same bytes");
    }
}

/* Jobs. */

/* Where a window begins: at 0, nearby, far inside a large file, or the largest there can be. */
static int64_t make_first(void) {
    static const int64_t most[] = {1, 1, 1, 100, 100, 1000000, 1000000, 1000000, 2147483000};
    return below(most[below(9)]);
}

static double taps_along(double scale) {
    static const double widths[] = {1, 2, 4, 1, 1};
    return widths[job.method] / scale + 1;
}

/* A window of the job's target, worked as a job of its own. */
static cutline_raster result_of(int64_t row, int64_t col, int64_t rows, int64_t cols) {
    cutline_job part = job;
    cutline_patch *moved = bytes(job.patch_count * (int64_t)sizeof *moved, 0);
    for (int64_t i = 0; i < job.patch_count; i++) {
        moved[i] = job.patches[i];
        moved[i].row -= (int32_t)row;
        moved[i].col -= (int32_t)col;
    }
    part.patches = moved;
    part.target = raster_of(job.type, job.source.bands, rows, cols, percent(40));
    for (int64_t r = 0; r < rows; r++)
        memcpy(part.target.valid + r * cols, wanted + (row + r) * job.target.cols + col, (size_t)cols);
    must(cutline_resample(&part) == 0, "there is such a type and method");
    free(moved);
    return part.target;
}

static uint8_t *make_complete(const uint8_t *valid, int64_t rows, int64_t cols, int64_t before, int64_t after) {
    uint8_t *complete = bytes(rows * cols, CANARY), *scratch = bytes(rows * cols, CANARY);
    cutline_complete(valid, complete, scratch, rows, cols, before, after);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t col = 0; col < cols; col++) {
            int all = row >= before && col >= before && row + after < rows && col + after < cols;
            for (int64_t r = row - before; all && r <= row + after; r++)
                for (int64_t c = col - before; c <= col + after; c++) all &= valid[r * cols + c] != 0;
            must(complete[row * cols + col] == all, "complete is where all taps are valid");
        }
    free(scratch);
    return complete;
}

static void make_job(void) {
    memset(&job, 0, sizeof job);
    job.type = (int32_t)below(8), job.method = (int32_t)below(5);
    job.source = make_source(job.type);
    job.first_row = make_first(), job.first_col = make_first();
    const int narrow = percent(55);
    job.scale_x = narrow || percent(20) ? 1 : between(1.0 / 16, 1);
    job.scale_y = narrow || percent(20) ? 1 : percent(10) ? 1.0 / 16 : between(1.0 / 16, 1);
    const double taps = taps_along(job.scale_x) * taps_along(job.scale_y) * (double)job.source.bands;
    job.target.rows = side(), job.target.cols = side();
    while (job.target.rows > 1 && (double)(job.target.rows * job.target.cols) * taps > WORK) job.target.rows /= 2;
    while (job.target.cols > 1 && (double)(job.target.rows * job.target.cols) * taps > WORK) job.target.cols /= 2;
    make_patches(&job);
    if (job.source.valid && job.scale_x == 1 && job.scale_y == 1 &&
        (job.method == CUTLINE_BILINEAR || job.method == CUTLINE_CUBIC)) {
        const int64_t before = job.method == CUTLINE_CUBIC;
        job.complete = make_complete(job.source.valid, job.source.rows, job.source.cols, before, before + 1);
    }
    wanted = bytes(job.target.rows * job.target.cols, 1);
    if (percent(50)) make_flags(wanted, job.target.rows, job.target.cols);
    const int done = percent(30) ? 5 : 0;
    for (int64_t i = 0; i < job.target.rows * job.target.cols; i++) wanted[i] = percent(done) ? 2 : wanted[i];
}

static void run_job(void) {
    const int64_t rows = job.target.rows, cols = job.target.cols;
    cutline_raster whole = result_of(0, 0, rows, cols), again = result_of(0, 0, rows, cols);
    check_states(wanted, &whole);
    check_pixels(&whole, wanted, slack_of);
    check_same(&whole, &again, 0, 0);
    const int64_t row = below(rows), col = percent(50) ? 0 : below(cols);
    cutline_raster above = result_of(0, 0, row + 1, cols), window = result_of(row, col, rows - row, cols - col);
    check_same(&whole, &above, 0, 0);
    check_same(&whole, &window, row, col);
    digest_bytes(whole.valid, rows * cols);
    for (int64_t band = 0; band < whole.bands; band++)
        for (int64_t r = 0; r < rows; r++) digest_row(&whole, band, r);
    release(&whole), release(&again), release(&above), release(&window);
}

/* The rest of the kernel, on the job's source. */

static void run_halve(int average) {
    const cutline_raster *source = &job.source;
    const int64_t rows = (source->rows + 1) / 2, cols = (source->cols + 1) / 2;
    cutline_raster half = raster_of(job.type, source->bands, rows, cols, percent(40));
    must(cutline_halve(source, &half, job.type, average) == 0, "there is such a type to halve");
    for (int64_t row = 0; row < half.rows; row++)
        for (int64_t col = 0; col < half.cols; col++) {
            int any = 0;
            for (int64_t r = 2 * row; r < source->rows && r <= 2 * row + average; r++)
                for (int64_t c = 2 * col; c < source->cols && c <= 2 * col + average; c++)
                    any |= source->valid[r * source->cols + c] != 0;
            must(half.valid[row * half.cols + col] == any, "a half is valid where a pixel of it is");
        }
    check_pixels(&half, NULL, rounding);
    for (int64_t row = 0; row < half.rows; row++)
        for (int64_t band = 0; band < half.bands; band++) digest_row(&half, band, row);
    release(&half);
}

static void run_summarise(int64_t band) {
    const cutline_raster *source = &job.source;
    double made[5], count = 0, low = 0, high = 0;
    must(cutline_summarise(source, band, job.type, made) == 0, "there is such a type to summarise");
    for (int64_t row = 0; row < source->rows; row++)
        for (int64_t col = 0; col < source->cols; col++) {
            const double value = get(job.type, source->pixels, place(source, band, row, col));
            if (!source->valid[row * source->cols + col] || value - value != 0) continue;
            low = count == 0 || value < low ? value : low;
            high = count == 0 || value > high ? value : high;
            count += 1;
        }
    must(made[0] == count && made[1] == low && made[2] == high, "count, minimum and maximum are exact");
    const double eps = 1e-12 * (high > -low ? high : -low);
    must(made[3] >= low - eps && made[3] <= high + eps, "the mean lies between the minimum and the maximum");
    must(made[4] >= 0, "a sum of squares is not negative");
    digest_bytes(made, sizeof made);
}

#include "storing.h"

static void run_case(void) {
    state = (seed * 6364136223846793005u + number) * 6364136223846793005u + 1442695040888963407u;
    state += !state; /* xorshift stays at 0 */
    for (int i = 0; i < 8; i++) bits();
    make_job();
    run_job();
    if (!job.source.valid) job.source.valid = bytes(job.source.rows * job.source.cols, 1);
    run_halve(0);
    run_halve(1);
    const int64_t before = below(2), band = below(job.source.bands);
    free(make_complete(job.source.valid, job.source.rows, job.source.cols, before, before + 1));
    run_summarise(band);
    memset(job.source.valid, 1, (size_t)(job.source.rows * job.source.cols)); /* NaN and infinities count as well */
    run_summarise(band);
    run_finish();
    run_pack();
    run_crc();
    release(&job.source);
    free((void *)job.complete), free((void *)job.patches), free(wanted);
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "fuzz SEED FIRST COUNT\n"), 2;
    const int ends[] = {SIGABRT, SIGFPE, SIGILL, SIGTERM}; /* SIGSEGV is ASan's, which then aborts */
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) signal(ends[i], on_signal);
    seed = strtoull(argv[1], NULL, 10), number = strtoull(argv[2], NULL, 10);
    const uint64_t count = strtoull(argv[3], NULL, 10);
    for (uint64_t i = 0; i < count; i++, number++) run_case();
    printf("%llu jobs, %llu pixels written, digest %016llx\n", (unsigned long long)count, (unsigned long long)written,
           (unsigned long long)digest);
    return 0;
}
