/* The gate that every pulse passes before it leaves, and what a comparator is told to cut at. */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "codes.h"

struct permission {
    enum state state;
    uint8_t armed_mask;
    uint16_t ceiling_ua;
    uint16_t last_ua; /* the channel's pulse before; 0 for a run's first, and behind an amplitude of 0 */
};

bool gate_permits(const struct permission *permission, const struct pulse *pulse);
uint16_t over_current_ua(uint16_t applied_ua);

#endif
