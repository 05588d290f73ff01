#include "pack.h"

#define SAMPLE uint8_t
#define NAME(f) f##_1
#include "pack_sized.h"
#define SAMPLE uint16_t
#define NAME(f) f##_2
#include "pack_sized.h"
#define SAMPLE uint32_t
#define NAME(f) f##_4
#include "pack_sized.h"
#define SAMPLE uint64_t
#define NAME(f) f##_8
#include "pack_sized.h"

int cutline_pack(const cutline_packing *packing) {
    if (packing->predictor < CUTLINE_AS_THEY_ARE || packing->predictor > CUTLINE_FLOAT_DIFFERENCES) return -1;
    switch (packing->sample_bytes) {
    case 1: return pack_1(packing);
    case 2: return pack_2(packing);
    case 4: return pack_4(packing);
    case 8: return pack_8(packing);
    default: return -1;
    }
}
