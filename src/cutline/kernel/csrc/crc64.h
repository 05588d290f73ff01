/* A checksum of bytes: CRC-64, reflected, 16 bytes a step. Whose polynomial it is, the tables say. */

static inline uint64_t word_at(const uint8_t *bytes) { /* in this order on every CPU; compilers make one load of it */
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

/* What 8 bytes leave in the remainder behind them; row k of the tables is that of a byte with k more behind it. */
static inline uint64_t remainder_of(uint64_t word, const uint64_t *tables) {
    uint64_t remainder = 0;
    for (int i = 0; i < 8; i++) remainder ^= tables[256 * (7 - i) + ((word >> (8 * i)) & 0xff)];
    return remainder;
}

static uint64_t crc64(uint64_t crc, const uint8_t *bytes, int64_t length, const uint64_t *tables) {
    for (; length >= 16; bytes += 16, length -= 16) {
        const uint64_t behind = remainder_of(word_at(bytes + 8), tables); /* first: it need not wait for crc */
        crc = behind ^ remainder_of(word_at(bytes) ^ crc, tables + 8 * 256);
    }
    for (; length; bytes++, length--) crc = (crc >> 8) ^ tables[(crc ^ *bytes) & 0xff];
    return crc;
}
