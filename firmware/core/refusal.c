#include "refusal.h"

#include "limits.h"

struct refused refused;

bool refuse(enum refusal reason, uint32_t detail, uint32_t limit)
{
    refused = (struct refused){detail, limit, (uint8_t)reason};
    return false;
}

bool between(uint32_t value, uint32_t lowest, uint32_t highest)
{
    if (value < lowest)
        return refuse(BELOW_LIMIT, value, lowest);
    return value <= highest || refuse(ABOVE_LIMIT, value, highest);
}

static uint8_t bits_of(uint8_t mask)
{
    uint8_t count = 0;
    for (; mask; mask &= (uint8_t)(mask - 1u))
        count++;
    return count;
}

bool mask_is_lawful(uint8_t mask)
{
    if (mask >> CHANNELS)
        return refuse(UNKNOWN_VALUE, mask, (1u << CHANNELS) - 1u);
    if (bits_of(mask) > MAX_CHANNELS)
        return refuse(TOO_MANY_CHANNELS, bits_of(mask), MAX_CHANNELS);
    return between(mask, 1, mask);
}
