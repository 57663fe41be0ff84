#include "output.h"

#include <stddef.h>
#include <string.h>

#include "flash.h"
#include "gate.h"
#include "judge.h"
#include "kept.h"
#include "limits.h"
#include "machine.h"
#include "program.h"

/* So long before its time a pulse is planned: less than the shortest period, so that no channel has two pulses planned,
 * and pulses are planned in the order of their times. */
#define AHEAD_US 9000u
#define PLANS 4u /* a pulse on its way, and the next one of each of three channels */

struct channel channels[CHANNELS];
struct impedance impedances[CHANNELS];

/* Pulses in the order of their times: the one on its way or just over, then those that are planned, of which the board
 * has the first when `given`. One of amplitude 0 is only passed. */
static struct planned {
    struct pulse pulse;
    uint32_t t_us;
    uint16_t level_ua;
    uint8_t segment;
} plans[PLANS];

static uint8_t turn, waiting; /* where the one on its way stands, and how many are planned behind it */
static bool given;

static struct planned *nth(uint8_t place)
{
    return &plans[(uint8_t)(turn + place) % PLANS];
}

#define FLYING (*nth(0))
#define NEXT (*nth(1))

/* The impedance check: whose turn it is, since when, and how many pulses it has had. */
static struct {
    uint64_t began_us;
    uint8_t channel, sent;
} check;

static bool is_armed(uint8_t channel)
{
    return HAS(machine.arming.mask, channel);
}

void output_boot(void)
{
    memset(channels, 0, sizeof channels);
    memset(impedances, 0, sizeof impedances);
    memset(plans, 0, sizeof plans);
    waiting = 0;
    given = false;
    memset(&check, 0, sizeof check);
}

void output_new_session(void)
{
    memset(totals, 0, sizeof totals);
    memset(impedances, 0, sizeof impedances);
    for (uint8_t i = 0; i < CHANNELS; i++)
        channels[i].flags = 0, channels[i].ohm = 0;
    for (uint8_t channel = 1; channel <= CHANNELS; channel++)
        kept_write_channel(channel, NULL);
}

/* Nothing is known of a channel's pulses. */
static void forget(struct channel *channel)
{
    channel->last_ua = channel->applied_ua = channel->measured_ua = channel->ohm = 0;
    channel->flags = channel->astray = channel->shorted = 0;
    channel->window_on = false;
}

/* What is planned is not given after all. */
static void drop(void)
{
    waiting = 0;
    given = false;
}

void output_begin(const uint16_t targets_ua[CHANNELS])
{
    for (uint8_t channel = 1; channel <= CHANNELS; channel++) {
        struct channel *own = &channels[channel - 1u];
        forget(own);
        own->train.next_us = NO_MORE;
        own->train.reached = true;
        if (is_armed(channel))
            train_begin(&own->train, channel, machine.run_from_us, kept.session.limit_us, targets_ua[channel - 1u]);
    }
    drop();
    board_stage(true);
}

bool output_at_target(void)
{
    for (uint8_t i = 0; i < CHANNELS; i++)
        if (!channels[i].train.reached)
            return false;
    return true;
}

/* --- an impedance check ------------------------------------------------------------------------- */

void output_check(void)
{
    for (uint8_t i = 0; i < CHANNELS; i++)
        forget(&channels[i]);
    check.channel = 0;
    check.began_us = machine.now_us - CHECK_TURN_US;
    board_stage(true);
    (void)output_check_next();
}

bool output_check_next(void)
{
    drop();
    while (++check.channel <= CHANNELS) {
        if (!is_armed(check.channel))
            continue;
        memset(&impedances[check.channel - 1u], 0, sizeof impedances[0]);
        channels[check.channel - 1u].last_ua = 0;
        check.began_us += CHECK_TURN_US;
        check.sent = 0;
        machine.due_us[T_CHECK] = check.began_us + CHECK_TURN_US;
        return true;
    }
    return false;
}

/* --- the next pulse ----------------------------------------------------------------------------- */

static void shape(struct pulse *pulse, const struct segment *segment, uint16_t amplitude_ua)
{
    pulse->width_us = segment->width_us;
    pulse->gap_us = segment->gap_us;
    pulse->second_width_us = segment->second_width_us;
    pulse->first_ua = pulse->second_ua = amplitude_ua;
    if (segment->second_width_us != segment->width_us)
        pulse->second_ua = (uint16_t)((uint32_t)amplitude_ua * segment->width_us / segment->second_width_us);
    pulse->most_first_ua = over_current_ua(pulse->first_ua);
    pulse->most_second_ua = over_current_ua(pulse->second_ua);
    pulse->most_other_ua = over_current_ua(0);
}

static bool is_planned(uint8_t channel)
{
    for (uint8_t place = 1; place <= waiting; place++)
        if (nth(place)->pulse.channel == channel)
            return true;
    return false;
}

/* When the next pulse that is not planned yet is due, NEVER when there is none; its channel then stands in `next`. */
static uint64_t due_check_us(struct planned *next)
{
    next->pulse.channel = check.channel;
    if (waiting || check.sent >= CHECK_PULSES)
        return NEVER;
    return check.began_us + (uint64_t)(check.sent * (uint32_t)CHECK_PERIOD_US);
}

static uint64_t due_train_us(struct planned *next)
{
    next->t_us = NO_MORE;
    for (uint8_t channel = 1; channel <= CHANNELS; channel++)
        if (is_armed(channel) && channels[channel - 1u].train.next_us < next->t_us && !is_planned(channel)) {
            next->pulse.channel = channel;
            next->t_us = channels[channel - 1u].train.next_us;
        }
    return next->t_us == NO_MORE ? NEVER : machine.run_began_us + (next->t_us - machine.run_from_us);
}

static uint64_t due_us(struct planned *next)
{
    if (machine.due_us[T_TRIP] != NEVER || (!machine.checks && !machine.runs) || waiting == PLANS - 1u)
        return NEVER;
    return machine.checks ? due_check_us(next) : due_train_us(next);
}

static void shape_train(struct planned *next)
{
    const struct train *train = &channels[next->pulse.channel - 1u].train;
    next->segment = train->segment;
    next->level_ua = train_level(train, kept.session.limit_us);
    uint16_t amplitude_ua = next->level_ua;
    if (program.quantum_ua > 1)
        amplitude_ua = (uint16_t)(amplitude_ua - amplitude_ua % program.quantum_ua);
    shape(&next->pulse, &program.segments[train->segment], amplitude_ua);
}

static bool gate_opens(const struct pulse *pulse)
{
    const struct permission permission = {
        (enum state)machine.state, machine.arming.mask, machine.arming.ceiling_ua,
        channels[pulse->channel - 1u].last_ua,
    };
    return gate_permits(&permission, pulse);
}

static void count_ahead(const struct planned *next)
{
    struct about about = {
        .t_us = next->t_us,
        .charge_pc = (uint32_t)next->pulse.first_ua * next->pulse.width_us,
        .second_us = in_second_us(next->t_us),
        .segment = next->segment,
    };
    kept_write_channel(next->pulse.channel, &about);
}

OWN_FRAME bool output_plan(void)
{
    static const struct segment CHECK_SHAPE = {CHECK_PERIOD_US, 0, CHECK_WIDTH_US, 0, CHECK_WIDTH_US};
    struct planned *next = nth((uint8_t)(waiting + 1u));
    uint64_t at_us = due_us(next);
    if (at_us == NEVER || at_us >= machine.now_us + AHEAD_US)
        return false;
    next->pulse.at_us = at_us;
    if (machine.checks)
        shape(&next->pulse, &CHECK_SHAPE, CHECK_UA);
    else
        shape_train(next);
    if (next->pulse.first_ua && !gate_opens(&next->pulse)) {
        if (waiting == 0) /* or those before it are given first */
            machine_trip(GATE, at_us, next->pulse.channel, next->pulse.first_ua);
        return false;
    }
    waiting++;
    if (next->pulse.first_ua && machine.runs)
        count_ahead(next);
    next->pulse.mark = kept_mark(next->pulse.channel);
    return true;
}

void output_give(void)
{
    if (waiting == 0 || given || NEXT.pulse.first_ua == 0 || NEXT.pulse.at_us >= machine_ends_us())
        return;
    board_arm(&NEXT.pulse);
    given = true;
}

static bool passes_only(void)
{
    return waiting && NEXT.pulse.first_ua == 0;
}

uint64_t output_next_us(void)
{
    struct planned unplanned;
    uint64_t at_us = due_us(&unplanned);
    if (at_us != NEVER)
        at_us = at_us < machine.now_us + AHEAD_US ? 0 : at_us - AHEAD_US + 1u; /* 0: at once */
    return passes_only() && NEXT.pulse.at_us < at_us ? NEXT.pulse.at_us + 1u : at_us;
}

uint32_t output_left_us(uint64_t now_us)
{
    const struct pulse *pulse = &FLYING.pulse;
    uint64_t end_us = pulse->at_us + pulse->width_us + pulse->gap_us + pulse->second_width_us;
    return end_us > now_us ? (uint32_t)(end_us - now_us) : 0;
}

bool output_is_near(void)
{
    return given && NEXT.pulse.at_us < machine.now_us + board_replan_us;
}

/* --- what ends or changes it -------------------------------------------------------------------- */

/* The pulse that waits, if any does, is not given. One that has begun is: what ends it, ends behind its start. */
static uint64_t withdrawn(uint64_t at_us)
{
    uint64_t pulse_us = NEXT.pulse.at_us;
    if (!given)
        return at_us;
    if (!board_disarm()) {
        struct reading reading = {0};
        while (board_pulse(&reading) != DONE)
            ; /* it is completed, and counted before anything else is */
        output_done(&reading, false);
        return at_us > pulse_us ? at_us : pulse_us + 1u;
    }
    return at_us < pulse_us ? at_us : pulse_us;
}

uint64_t output_end(uint64_t at_us)
{
    at_us = withdrawn(at_us);
    drop();
    board_stage(false);
    for (uint8_t i = 0; i < CHANNELS; i++) {
        channels[i].applied_ua = channels[i].measured_ua = 0;
        channels[i].train.target_ua = 0;
    }
    return at_us;
}

uint32_t output_instant(void)
{
    uint64_t at_us = withdrawn(machine.now_us);
    drop();
    return machine.run_from_us + (uint32_t)(at_us - machine.run_began_us);
}

/* --- what was given ----------------------------------------------------------------------------- */

static void commit(void)
{
    struct channel *own = &channels[NEXT.pulse.channel - 1u];
    turn = (uint8_t)((turn + 1u) % PLANS);
    waiting--;
    given = false;
    own->last_ua = own->applied_ua = FLYING.pulse.first_ua;
    if (!machine.runs)
        return;
    train_pass(&own->train, FLYING.pulse.channel, kept.session.limit_us, FLYING.level_ua);
    if (machine.state == RAMPING && output_at_target())
        machine_move(RUNNING, FLYING.pulse.at_us);
}

void output_pass(uint64_t at_us)
{
    while (passes_only() && NEXT.pulse.at_us < at_us) {
        channels[NEXT.pulse.channel - 1u].measured_ua = 0;
        commit();
        (void)output_plan();
    }
}

void output_begun(void)
{
    if (!given)
        return;
    if (machine.checks)
        check.sent++;
    commit();
}

static void count(const struct reading *reading)
{
    struct totals *of = &totals[FLYING.pulse.channel - 1u];
    of->pulses[FLYING.segment]++;
    uint32_t charge_pc = (uint32_t)FLYING.pulse.first_ua * FLYING.pulse.width_us;
    of->charge_pc[FLYING.segment] += charge_pc;
    judge_totals(of, FLYING.segment, &FLYING.pulse, reading);
}

static void add_to_check(const struct reading *reading)
{
    struct impedance *of = &impedances[FLYING.pulse.channel - 1u];
    of->current += reading->first > 0 ? (uint16_t)reading->first : 0u;
    of->voltage += reading->first_v;
    of->pulses++;
}

OWN_FRAME void output_done(const struct reading *reading, bool goes_on)
{
    output_begun();
    if (machine.checks)
        add_to_check(reading);
    judge_pulse(&channels[FLYING.pulse.channel - 1u], &FLYING.pulse, reading, FLYING.t_us, machine.checks);
    if (goes_on)
        output_give(); /* the next one may be half a millisecond away: what can wait, waits */
    if (machine.runs)
        count(reading);
}
