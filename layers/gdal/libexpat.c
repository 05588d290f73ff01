/* A libexpat that reads nothing.
 *
 * The GDAL of rasterio's wheels wants libexpat.so.1 from the system, and Lambda's has none: without one, rasterio cannot
 * be imported (rasterio-wheels#136). GDAL uses it for vector formats (KML, GPX, GML, spreadsheets), which the functions
 * with this layer never open: theirs are raster files, by an allow-list of drivers. So every attempt to read XML here
 * fails as a broken document does, and no parser of strangers' XML is on the machine.
 *
 * These are the functions that libgdal imports; layers/check.py compares.
 */
#include <stddef.h>

#define API __attribute__((visibility("default")))

enum { STATUS_ERROR = 0, ERROR_NO_MEMORY = 1 };

/* GDAL passes what it got back to the functions below, none of which looks at it. */
API void *XML_ParserCreate_MM(const char *encoding, const void *memory, const char *separator) {
    (void)encoding, (void)memory, (void)separator;
    return NULL;
}

API void XML_ParserFree(void *parser) { (void)parser; }
API void XML_SetUserData(void *parser, void *data) { (void)parser, (void)data; }
API void XML_SetElementHandler(void *parser, void *start, void *end) { (void)parser, (void)start, (void)end; }
API void XML_SetCharacterDataHandler(void *parser, void *handler) { (void)parser, (void)handler; }

API void XML_SetUnknownEncodingHandler(void *parser, void *handler, void *data) {
    (void)parser, (void)handler, (void)data;
}

API int XML_Parse(void *parser, const char *text, int length, int last) {
    (void)parser, (void)text, (void)length, (void)last;
    return STATUS_ERROR;
}

API int XML_StopParser(void *parser, unsigned char resumable) {
    (void)parser, (void)resumable;
    return STATUS_ERROR;
}

API int XML_GetErrorCode(void *parser) {
    (void)parser;
    return ERROR_NO_MEMORY;
}

API const char *XML_ErrorString(int code) {
    (void)code;
    return "XML is not read here";
}

API unsigned long XML_GetCurrentLineNumber(void *parser) {
    (void)parser;
    return 0;
}

API unsigned long XML_GetCurrentColumnNumber(void *parser) {
    (void)parser;
    return 0;
}
