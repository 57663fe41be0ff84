#include "program.h"

#include <string.h>

#include "flash.h"
#include "bytes.h"
#include "codes.h"
#include "crc.h"
#include "refusal.h"
#include "sha256.h"

#define HEAD_SIZE 8u
#define SEGMENT_SIZE 15u
#define MAX_QUANTUM_UA 100u

struct program program;

uint16_t span_us(const struct segment *segment)
{
    return (uint16_t)(segment->width_us + segment->gap_us + segment->second_width_us);
}

void program_forget(void)
{
    memset(&program, 0, sizeof program);
}

bool program_begin(const uint8_t *fields)
{
    uint8_t count = fields[0], mask = fields[1];
    uint16_t slope_ua_per_s = get16(&fields[2]);
    uint32_t ramp_down_us = get32(&fields[4]);
    if (!between(count, 1, MAX_SEGMENTS) || !mask_is_lawful(mask))
        return false;
    if (!between(slope_ua_per_s, MIN_SLOPE_UA_PER_S, MAX_SLOPE_UA_PER_S) || !between(ramp_down_us, 0, MAX_RAMP_DOWN_US))
        return false;
    program_forget();
    program.count = count;
    program.mask = mask;
    program.slope_ua_per_s = slope_ua_per_s;
    program.ramp_down_us = ramp_down_us;
    return true;
}

static uint16_t divisor_of(uint16_t a, uint16_t b)
{
    while (b) {
        uint16_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* amplitudes in steps of it have second phases of whole microamperes, in every segment. */
static uint32_t quantum_with(const struct segment *segment)
{
    uint16_t own = segment->second_width_us / divisor_of(segment->second_width_us, segment->width_us);
    uint16_t before = program.given ? program.quantum_ua : 1u;
    return (uint32_t)own / divisor_of(own, before) * before;
}

/* The shortest time from a channel's last pulse in the band to its first in the next one. */
static uint32_t shortest_rest_us(const struct segment *segment)
{
    uint32_t shortest_us = UINT32_MAX;
    for (uint8_t channel = 0; channel < CHANNELS; channel++) {
        if (!HAS(program.mask, channel + 1u))
            continue;
        uint32_t room_us = segment->dwell_us - channel * SLOT_US - span_us(segment);
        uint32_t rest_us = segment->dwell_us - room_us / segment->period_us * segment->period_us;
        if (rest_us < shortest_us)
            shortest_us = rest_us;
    }
    return shortest_us;
}

static bool segment_is_lawful(const struct segment *segment)
{
    bool alone = program.count == 1;
    return between(segment->period_us, MIN_PERIOD_US, MAX_PERIOD_US) &&
           between(segment->width_us, MIN_WIDTH_US, MAX_WIDTH_US) && between(segment->gap_us, 0, MAX_GAP_US) &&
           between(segment->second_width_us, segment->width_us, MAX_SECOND_WIDTH_US) &&
           between(segment->dwell_us, alone ? 0 : MIN_DWELL_US, alone ? 0 : MAX_DWELL_US);
}

bool program_add(const uint8_t *fields)
{
    uint8_t index = fields[0];
    struct segment segment = {
        .period_us = get32(&fields[1]),
        .width_us = get16(&fields[5]),
        .gap_us = get16(&fields[7]),
        .second_width_us = get16(&fields[9]),
        .dwell_us = get32(&fields[11]),
    };
    if (!between(index, 0, program.count - 1u) || !between(index, program.given, program.given))
        return false;
    if (!segment_is_lawful(&segment))
        return false;
    if (program.count > 1 && !between(shortest_rest_us(&segment), MIN_PERIOD_US, UINT32_MAX))
        return false;
    uint32_t quantum_ua = quantum_with(&segment);
    if (quantum_ua > MAX_QUANTUM_UA)
        return refuse(UNBALANCED, quantum_ua, MAX_QUANTUM_UA);
    program.segments[program.given++] = segment;
    program.quantum_ua = (uint8_t)quantum_ua;
    return true;
}

/* the fields as they stand on the wire, made from what stands in memory. */
static uint8_t wired(uint8_t bytes[HEAD_SIZE + MAX_SEGMENTS * SEGMENT_SIZE])
{
    uint8_t *at = bytes;
    *at++ = program.count;
    *at++ = program.mask;
    at = put16(at, program.slope_ua_per_s);
    at = put32(at, program.ramp_down_us);
    for (uint8_t index = 0; index < program.count; index++) {
        const struct segment *segment = &program.segments[index];
        *at++ = index;
        at = put32(at, segment->period_us);
        at = put16(at, segment->width_us);
        at = put16(at, segment->gap_us);
        at = put16(at, segment->second_width_us);
        at = put32(at, segment->dwell_us);
    }
    return (uint8_t)(at - bytes);
}

OWN_FRAME bool program_seal(uint8_t digest[32])
{
    uint8_t bytes[HEAD_SIZE + MAX_SEGMENTS * SEGMENT_SIZE];
    if (!between(program.given, program.count, program.count))
        return false;
    uint8_t size = wired(bytes);
    sha256(digest, bytes, size);
    program.seal = crc_of(bytes, size);
    program.digest_head = get64(digest);
    return true;
}

OWN_FRAME bool program_holds(void)
{
    uint8_t bytes[HEAD_SIZE + MAX_SEGMENTS * SEGMENT_SIZE];
    if (program.count < 1 || program.count > MAX_SEGMENTS)
        return false;
    return crc_of(bytes, wired(bytes)) == program.seal;
}

uint8_t program_band(uint32_t pattern_us, uint32_t *left_us)
{
    uint32_t first_us = program.segments[0].dwell_us, cycle_us = first_us + program.segments[1].dwell_us;
    *left_us = 0;
    if (program.count == 1)
        return 0;
    uint32_t into_us = pattern_us % cycle_us;
    *left_us = (into_us < first_us ? first_us : cycle_us) - into_us;
    return into_us >= first_us;
}

uint32_t program_in_second(uint32_t pattern_us)
{
    uint32_t first_us = program.segments[0].dwell_us, second_us = program.segments[1].dwell_us;
    if (program.count == 1)
        return 0;
    uint32_t cycles = pattern_us / (first_us + second_us), into_us = pattern_us - cycles * (first_us + second_us);
    return cycles * second_us + (into_us > first_us ? into_us - first_us : 0);
}
