#include "telemetry.h"

#include <string.h>

#include "flash.h"
#include "board.h"
#include "bytes.h"
#include "kept.h"
#include "limits.h"
#include "machine.h"
#include "output.h"
#include "program.h"

#define EVENTS 7u
#define EVENTS_OF_A_COMMAND 4u
#define STATUS_SIZE 42u
#define CHANNEL_SIZE 53u
#define LATE_US 44000u /* a Channel takes 5.1 ms on the line, and is dropped when it would not be there after 50 ms */

struct event {
    uint64_t at_us;
    uint32_t value;
    uint8_t state, reason, channel;
};

static struct {
    struct event events[EVENTS];
    const uint8_t *answer;
    uint64_t picture_us;
    uint16_t count, stop_sequence;
    uint8_t first_event, event_count;
    uint8_t answer_size;     /* 0: none waits */
    uint8_t events_before;   /* that go before the answer */
    uint8_t parts, sent;     /* of the picture */
    uint8_t status[STATUS_SIZE], channels[MAX_CHANNELS][CHANNEL_SIZE];
    uint8_t frame[MAX_FRAME];
    bool stopped;
} out;

void telemetry_boot(void)
{
    memset(&out, 0, sizeof out);
}

static bool is_greeted(void)
{
    return machine.greeted;
}

void telemetry_event(uint64_t at_us, enum reason reason, uint8_t channel, uint32_t value)
{
    if (!is_greeted() || out.event_count == EVENTS)
        return;
    uint8_t place = (uint8_t)((uint8_t)(out.first_event + out.event_count++) % EVENTS);
    out.events[place] = (struct event){at_us, value, machine.state, (uint8_t)reason, channel};
}

/* A picture of this very instant waits to be sent: what is executed now would go ahead of it and not be in it. */
bool telemetry_shows(uint64_t at_us)
{
    return out.parts && out.sent == 0 && out.picture_us == at_us;
}

bool telemetry_has_room(void)
{
    return out.answer_size == 0 && out.event_count <= EVENTS - EVENTS_OF_A_COMMAND;
}

void telemetry_answer(const uint8_t *payload, uint8_t size)
{
    out.answer = payload;
    out.answer_size = size;
    out.events_before = out.event_count;
}

void telemetry_stopped(uint16_t sequence)
{
    out.stopped = true;
    out.stop_sequence = sequence;
}

/* --- a picture ----------------------------------------------------------------------------------- */

static uint32_t time_left_us(void)
{
    return session_is_open() ? kept.session.limit_us - stimulation_us() : 0;
}

static uint16_t keepalive_age_ms(void)
{
    uint64_t age_ms = (machine.now_us - machine.alive_us) / 1000u;
    if (machine.arming.mask == 0 || kept.session.number == 0)
        return 0;
    return (uint16_t)(age_ms < UINT16_MAX ? age_ms : UINT16_MAX);
}

static uint8_t told_reason(void)
{
    return machine.state == HELD ? machine.hold_reason : machine.state == ENDED ? kept.session.end_reason : NONE;
}

static uint32_t hold_left_ms(void)
{
    uint64_t due_us = machine.due_us[T_HOLD];
    return due_us == NEVER || due_us < machine.now_us ? 0 : (uint32_t)((due_us - machine.now_us) / 1000u);
}

static void picture_status(void)
{
    uint32_t segment_left_us = 0;
    uint8_t segment = 0, *at = out.status;
    if (machine.runs)
        segment = program_band((uint32_t)(machine.now_us - machine.run_began_us), &segment_left_us);
    *at = STATUS;
    at = put64(at + 3, machine.now_us);
    at = put32(at, kept.boots);
    *at++ = machine.state;
    *at++ = segment;
    *at++ = told_reason();
    *at++ = machine.zero;
    *at++ = machine.arming.mask;
    at = put32(at, kept.session.number);
    at = put32(at, stimulation_us());
    at = put32(at, time_left_us());
    at = put32(at, segment_left_us);
    at = put32(at, hold_left_ms());
    put16(at, keepalive_age_ms());
}

static void picture_channel(uint8_t *at, uint8_t channel)
{
    const struct channel *own = &channels[channel - 1u];
    const struct totals *of = &totals[channel - 1u];
    bool gives = machine.runs || machine.checks;
    *at = CHANNEL;
    at += 3;
    *at++ = channel;
    *at++ = own->flags;
    at = put16(at, machine.runs ? own->train.target_ua : 0);
    at = put16(at, gives ? own->applied_ua : 0);
    at = put16(at, gives ? own->measured_ua : board_ammeter_ua(channel));
    at = put16(at, own->ohm);
    at = put32(at, of->pulses[0]);
    at = put32(at, of->pulses[1]);
    at = put64(at, of->charge_pc[0]);
    at = put64(at, of->charge_pc[1]);
    at = put64(at, (uint64_t)((of->net + 2) >> 2));
    put64(at, machine.now_us);
}

OWN_FRAME void telemetry_picture(void)
{
    out.parts = 1;
    out.sent = 0;
    out.picture_us = machine.now_us;
    picture_status();
    for (uint8_t channel = 1; channel <= CHANNELS; channel++)
        if (HAS(machine.arming.mask, channel) && out.parts <= MAX_CHANNELS)
            picture_channel(out.channels[out.parts++ - 1u], channel);
}

/* --- sending -------------------------------------------------------------------------------------- */

static void send(const uint8_t *payload, uint8_t size)
{
    board_send(out.frame, frame_make(out.frame, payload, size));
}

static void send_own(uint8_t *payload, uint8_t size)
{
    put16(payload + 1, ++out.count);
    send(payload, size);
}

static void send_stopped(void)
{
    uint8_t payload[15], *at = payload;
    out.stopped = false;
    *at++ = STOPPED;
    at = put16(at, out.stop_sequence);
    *at++ = machine.state;
    *at++ = machine.zero;
    at = put16(at, machine.zero_ua);
    put64(at, machine.now_us);
    send(payload, sizeof payload);
}

static void send_event(void)
{
    const struct event *event = &out.events[out.first_event];
    uint8_t payload[18], *at = payload;
    *at = EVENT;
    at = put64(at + 3, event->at_us);
    *at++ = event->state;
    *at++ = event->reason;
    *at++ = event->channel;
    put32(at, event->value);
    out.first_event = (uint8_t)((out.first_event + 1u) % EVENTS);
    out.event_count--;
    if (out.events_before)
        out.events_before--;
    send_own(payload, sizeof payload);
}

static void send_answer(void)
{
    uint8_t size = out.answer_size;
    out.answer_size = 0;
    send(out.answer, size);
}

static void send_picture(void)
{
    if (out.sent && machine.now_us - out.picture_us > LATE_US) {
        out.sent = out.parts;
        return;
    }
    if (out.sent == 0)
        send_own(out.status, STATUS_SIZE);
    else
        send_own(out.channels[out.sent - 1u], CHANNEL_SIZE);
    out.sent++;
}

bool telemetry_waits(void)
{
    return out.stopped || out.answer_size || out.event_count || out.sent < out.parts;
}

OWN_FRAME void telemetry_send(void)
{
    if (!board_line_free())
        return;
    if (out.stopped)
        send_stopped();
    else if (out.answer_size && out.events_before == 0)
        send_answer();
    else if (out.event_count)
        send_event();
    else if (out.sent < out.parts)
        send_picture();
}
