/* The loops for one pixel type; see resample.c for PIXEL, REAL, NAME, INTEGER, LOWEST and HIGHEST. */
#include "place_typed.h"
#include "sample_typed.h"
#include "wide_typed.h"
#include "resample_typed.h"
#include "halve_typed.h"
#include "summarise_typed.h"
#include "finish_typed.h"

#undef PIXEL
#undef REAL
#undef NAME
#if INTEGER
#undef LOWEST
#undef HIGHEST
#endif
