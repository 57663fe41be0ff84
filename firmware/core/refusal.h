/* Why a command is not carried out (section 18). Checks give false and leave the reason here. */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "codes.h"

struct refused {
    uint32_t detail, limit;
    uint8_t reason;
};

extern struct refused refused;

bool refuse(enum refusal reason, uint32_t detail, uint32_t limit); /* always false */
bool between(uint32_t value, uint32_t lowest, uint32_t highest);
bool mask_is_lawful(uint8_t mask);

#endif
