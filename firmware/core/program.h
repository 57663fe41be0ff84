/* The program in memory: taken in piece by piece, sealed, and held against its seal (sections 7 and 28). */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"

struct segment {
    uint32_t period_us, dwell_us;
    uint16_t width_us, gap_us, second_width_us;
};

struct program {
    uint32_t ramp_down_us;
    uint32_t seal; /* CRC of its bytes when it was sealed */
    uint64_t digest_head;
    struct segment segments[MAX_SEGMENTS];
    uint16_t slope_ua_per_s;
    uint8_t count, mask, given;
    uint8_t quantum_ua;
};

extern struct program program;

bool program_begin(const uint8_t *fields);
bool program_add(const uint8_t *fields);
bool program_seal(uint8_t digest[32]);
bool program_holds(void);
void program_forget(void);
uint16_t span_us(const struct segment *segment);
/* Which segment it is at `pattern_us`, and the time to the next switch, 0 without one. */
uint8_t program_band(uint32_t pattern_us, uint32_t *left_us);
/* How much of `pattern_us` lies in segment 1. */
uint32_t program_in_second(uint32_t pattern_us);

#endif
