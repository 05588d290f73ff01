/* Pixels as a TIFF block has them before it is compressed. */
#ifndef CUTLINE_PACK_H
#define CUTLINE_PACK_H

#include "resample.h"

/* TIFF 6.0 section 14, and Adobe's technical note 3 of 2005 for floats. Differences wrap around. */
enum cutline_predictor { CUTLINE_AS_THEY_ARE = 1, CUTLINE_DIFFERENCES = 2, CUTLINE_FLOAT_DIFFERENCES = 3 };

typedef struct {
    cutline_raster source;  /* its valid is not looked at */
    int64_t row, col, edge; /* the block: edge x edge pixels, the upper left of them at (row, col) */
    const void *empty;      /* a sample: stands where the source has ended */
    int32_t sample_bytes;   /* 1, 2, 4 or 8 */
    int32_t predictor;
    uint8_t *block;         /* edge * edge * bands samples, row by row, pixel by pixel, band by band; little-endian */
    uint8_t *scratch;       /* a row of them */
} cutline_packing;

/* Fill the block. Returns 1; or 0, with nothing done, where every sample of it has the very bits of `empty`; or -1 for
   a size or predictor that is none. */
CUTLINE_API int cutline_pack(const cutline_packing *packing);

#endif
