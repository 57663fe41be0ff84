#include "bytes.h"

#include <string.h>

/* Every machine that this runs on is little-endian. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "numbers are copied as they stand in memory"
#endif

uint8_t *put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

uint8_t *put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

uint8_t *put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

uint16_t get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

uint16_t sequence_of(const uint8_t *payload, uint8_t size)
{
    if (size > 2)
        return get16(payload + 1);
    return size > 1 ? payload[1] : 0u;
}
