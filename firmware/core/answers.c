#include "answers.h"

#include <string.h>

#include "flash.h"
#include "board.h"
#include "bytes.h"
#include "crc.h"
#include "kept.h"
#include "limits.h"
#include "machine.h"
#include "output.h"

#define UNITS_A_NJ 8000000u /* 0.125 fJ */

static enum kind sized(const uint8_t *to, const uint8_t *end, uint8_t *size, enum kind kind)
{
    *size = (uint8_t)(end - to);
    return kind;
}

/* Every answer but Refused, Welcome and the identity's pages ends with its time. */
static enum kind timed(uint8_t *to, uint8_t *end, uint8_t *size, enum kind kind)
{
    return sized(to, put64(end, machine.now_us), size, kind);
}

OWN_FRAME uint32_t answer_chance(uint32_t seed, uint32_t arms)
{
    uint8_t bytes[40];
    board_noise(bytes);
    put32(put32(&bytes[32], seed), arms);
    return crc_of(bytes, sizeof bytes);
}

uint8_t answer_welcome(uint8_t *to)
{
    uint8_t *at = put32(put16(to, PROTOCOL_VERSION), kept.boots);
    *at++ = identity.simulator;
    *at++ = machine.state;
    at = put32(at, session_waits() ? kept.session.number : 0);
    return (uint8_t)(at - to);
}

static uint8_t *put_bytes(uint8_t *at, const void *from, uint8_t count)
{
    memcpy(at, from, count);
    return at + count;
}

static uint8_t *put_ranges(uint8_t *at)
{
    at = put32(at, identity.calibrated_on);
    *at++ = CHANNELS;
    at = put16(at, CAPABILITIES);
    at = put16(at, MAX_AMPLITUDE_UA);
    at = put32(at, identity.dac_step_na);
    at = put16(at, identity.accuracy_ua);
    at = put16(at, identity.accuracy_permille);
    at = put32(at, identity.net_floor_pc);
    at = put16(at, identity.compliance_mv);
    return put16(at, WATCHDOG_US / 1000u);
}

enum kind answer_identity(uint8_t *to, uint8_t *size, uint8_t page)
{
    board_names(page, to);
    if (page == 0)
        return sized(to, to + 48, size, MAKER);
    if (page == 1)
        return sized(to, to + 35, size, FIRMWARE);
    return sized(to, put_ranges(to), size, RANGES);
}

enum kind answer_echo(uint8_t *to, uint8_t *size, enum kind kind, const uint8_t *fields, uint8_t count)
{
    return timed(to, put_bytes(to, fields, count), size, kind);
}

enum kind answer_timed(uint8_t *to, uint8_t *size, enum kind kind, uint8_t count)
{
    return timed(to, to + count, size, kind);
}

enum kind answer_armed(uint8_t *to, uint8_t *size, const uint8_t *fields)
{
    uint8_t *at = put32(put_bytes(to, fields, 10), kept.session.number);
    return timed(to, put64(at, machine.arming.nonce), size, ARMED_NOW);
}

enum kind answer_started(uint8_t *to, uint8_t *size, const uint8_t *targets)
{
    return timed(to, put32(put_bytes(to, targets, 8), stimulation_us()), size, STARTED);
}

enum kind answer_state(uint8_t *to, uint8_t *size, enum kind kind)
{
    *to = machine.state;
    return timed(to, to + 1, size, kind);
}

enum kind answer_target(uint8_t *to, uint8_t *size, const uint8_t *fields, uint32_t t_us)
{
    return timed(to, put32(put_bytes(to, fields, 3), t_us), size, TARGET_SET);
}

enum kind answer_holding(uint8_t *to, uint8_t *size)
{
    *to = machine.state;
    return timed(to, put32(to + 1, kept.session.stimulation_us), size, HOLDING);
}

enum kind answer_impedance(uint8_t *to, uint8_t *size, uint8_t channel)
{
    const struct impedance *of = &impedances[channel - 1u];
    uint16_t pulses = of->pulses;
    *to = channel;
    uint8_t *at = put16(to + 1, pulses ? ohm_of(of->voltage, of->current) : 0);
    at = put16(at, pulses);
    at = put16(at, pulses ? CHECK_UA : 0);
    at = put16(at, pulses ? (uint16_t)((of->current / pulses + 2u) / 4u) : 0);
    return timed(to, put32(at, (uint32_t)pulses * CHECK_UA * CHECK_WIDTH_US), size, IMPEDANCE);
}

enum kind answer_session(uint8_t *to, uint8_t *size)
{
    const struct session *session = &kept.session;
    uint32_t t_us = stimulation_us(), second_us = machine.runs ? in_second_us(t_us) : session->second_us;
    uint8_t *at = put32(put32(to, session->number), session->boot_id);
    *at++ = session->end_reason;
    at = put16(at, session->ceiling_ua);
    *at++ = session->mask;
    at = put32(at, t_us);
    at = put32(at, t_us - second_us);
    at = put32(at, second_us);
    at = put64(put64(at, session->digest_head), session->nonce);
    return timed(to, at, size, SESSION_RECORD);
}

enum kind answer_counters(uint8_t *to, uint8_t *size, uint8_t channel)
{
    const struct totals *of = &totals[channel - 1u];
    *to = channel;
    uint8_t *at = put32(to + 1, kept.session.number);
    at = put32(put32(at, of->pulses[0]), of->pulses[1]);
    return timed(to, put64(put64(at, of->charge_pc[0]), of->charge_pc[1]), size, COUNTERS);
}

enum kind answer_measured(uint8_t *to, uint8_t *size, uint8_t channel)
{
    const struct totals *of = &totals[channel - 1u];
    *to = channel;
    uint8_t *at = put32(to + 1, kept.session.number);
    at = put64(put64(at, (of->measured[0] + 2u) / 4u), (of->measured[1] + 2u) / 4u);
    at = put64(at, (uint64_t)((of->net + 2) >> 2));
    at = put16(at, (uint16_t)((of->max_quarter_ua + 2u) / 4u));
    at = put32(at, of->compliance_hits);
    return timed(to, put64(at, (of->energy + UNITS_A_NJ / 2u) / UNITS_A_NJ), size, MEASURED);
}

enum kind answer_acknowledged(uint8_t *to, uint8_t *size, const uint8_t *fields)
{
    to[4] = machine.state;
    return timed(to, put_bytes(to, fields, 4) + 1, size, ACKNOWLEDGED);
}
