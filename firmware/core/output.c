#include "output.h"

#include <stddef.h>
#include <string.h>

#include "gate.h"
#include "judge.h"
#include "kept.h"
#include "limits.h"
#include "machine.h"
#include "program.h"

#define AHEAD_US 20000u /* so long before its time a pulse is planned; a board's timer reaches further [choice] */

struct channel channels[CHANNELS];
struct impedance impedances[CHANNELS];

/* A pulse: the next one of all, and the one that the board has, which that one is made ready beside. `made` says that
 * it stands here; a pulse of amplitude 0 is only passed. */
static struct plan {
    struct pulse pulse;
    uint32_t t_us;
    uint16_t level_ua;
    uint8_t segment;
    bool made, given;
} plans[2];

static uint8_t turn;

#define plan (plans[turn])        /* the next one */
#define flying (plans[turn ^ 1u]) /* its first edge has come */

static uint32_t number;

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
    memset(&check, 0, sizeof check);
    number = board_begun();
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
    plan.made = false;
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
    plan.made = false;
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

static void shape(const struct segment *segment, uint16_t amplitude_ua)
{
    plan.pulse.width_us = segment->width_us;
    plan.pulse.gap_us = segment->gap_us;
    plan.pulse.second_width_us = segment->second_width_us;
    plan.pulse.first_ua = amplitude_ua;
    plan.pulse.second_ua = (uint16_t)((uint32_t)amplitude_ua * segment->width_us / segment->second_width_us);
    plan.pulse.most_first_ua = over_current_ua(plan.pulse.first_ua);
    plan.pulse.most_second_ua = over_current_ua(plan.pulse.second_ua);
    plan.pulse.most_other_ua = over_current_ua(0);
}

static bool plan_check(void)
{
    static const struct segment SHAPE = {CHECK_PERIOD_US, 0, CHECK_WIDTH_US, 0, CHECK_WIDTH_US};
    if (check.sent >= CHECK_PULSES)
        return false;
    plan.pulse.channel = check.channel;
    plan.pulse.at_us = check.began_us + check.sent * (uint32_t)CHECK_PERIOD_US;
    shape(&SHAPE, CHECK_UA);
    return true;
}

static bool plan_train(void)
{
    uint8_t first = 0;
    uint32_t t_us = NO_MORE;
    for (uint8_t channel = 1; channel <= CHANNELS; channel++)
        if (is_armed(channel) && channels[channel - 1u].train.next_us < t_us) {
            first = channel;
            t_us = channels[channel - 1u].train.next_us;
        }
    if (first == 0)
        return false;
    const struct train *train = &channels[first - 1u].train;
    plan.t_us = t_us;
    plan.segment = train->segment;
    plan.level_ua = train_level(train, kept.session.limit_us);
    plan.pulse.channel = first;
    plan.pulse.at_us = machine.run_began_us + (t_us - machine.run_from_us);
    shape(&program.segments[train->segment], (uint16_t)(plan.level_ua - plan.level_ua % program.quantum_ua));
    return true;
}

static bool gate_opens(void)
{
    const struct permission permission = {
        (enum state)machine.state, machine.arming.mask, machine.arming.ceiling_ua,
        channels[plan.pulse.channel - 1u].last_ua,
    };
    return gate_permits(&permission, &plan.pulse);
}

static void count_ahead(void)
{
    struct about about = {
        .number = plan.pulse.number,
        .t_us = plan.t_us,
        .charge_pc = (uint32_t)plan.pulse.first_ua * plan.pulse.width_us,
        .second_us = in_second_us(plan.t_us),
        .segment = plan.segment,
    };
    kept_write_channel(plan.pulse.channel, &about);
}

static bool is_due(void)
{
    return plan.pulse.at_us < machine.now_us + AHEAD_US;
}

void output_plan(void)
{
    if (plan.made || machine.due_us[T_TRIP] != NEVER || !(machine.checks ? plan_check() : machine.runs && plan_train()))
        return;
    if (!is_due())
        return;
    if (plan.pulse.first_ua && !gate_opens()) {
        machine_trip(GATE, plan.pulse.at_us, plan.pulse.channel, plan.pulse.first_ua);
        return;
    }
    plan.made = true;
    plan.given = false;
    plan.pulse.number = plan.pulse.first_ua ? ++number : number;
    if (plan.pulse.first_ua && machine.runs)
        count_ahead();
}

void output_give(void)
{
    if (!plan.made || plan.given || plan.pulse.first_ua == 0 || plan.pulse.at_us >= machine_ends_us())
        return;
    board_arm(&plan.pulse);
    plan.given = true;
}

static bool passes_only(void)
{
    return plan.made && plan.pulse.first_ua == 0;
}

uint64_t output_next_us(void)
{
    if (passes_only())
        return plan.pulse.at_us + 1u;
    if (plan.made || machine.due_us[T_TRIP] != NEVER || !(machine.checks ? plan_check() : machine.runs && plan_train()))
        return NEVER;
    return is_due() ? machine.now_us : plan.pulse.at_us - AHEAD_US + 1u;
}

bool output_is_near(void)
{
    return plan.made && plan.given && plan.pulse.at_us < machine.now_us + board_replan_us;
}

/* --- what ends or changes it -------------------------------------------------------------------- */

/* The pulse that waits, if any does, is not given. One that has begun is: what ends it, ends behind its start. */
static uint64_t withdrawn(uint64_t at_us)
{
    uint64_t pulse_us = plan.pulse.at_us;
    if (!plan.made || !plan.given)
        return at_us;
    if (!board_disarm()) {
        struct reading reading = {0};
        while (board_pulse(&reading) != DONE)
            ; /* it is completed, and counted before anything else is */
        output_done(&reading);
        return at_us > pulse_us ? at_us : pulse_us + 1u;
    }
    plan.made = false;
    return at_us < pulse_us ? at_us : pulse_us;
}

uint64_t output_end(uint64_t at_us)
{
    at_us = withdrawn(at_us);
    plan.made = false;
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
    plan.made = false;
    return machine.run_from_us + (uint32_t)(at_us - machine.run_began_us);
}

/* --- what was given ----------------------------------------------------------------------------- */

static void commit(void)
{
    struct channel *own = &channels[plan.pulse.channel - 1u];
    own->last_ua = own->applied_ua = plan.pulse.first_ua;
    plan.made = false;
    if (!machine.runs)
        return;
    train_pass(&own->train, plan.pulse.channel, kept.session.limit_us, plan.level_ua);
    if (machine.state == RAMPING && output_at_target())
        machine_move(RUNNING, plan.pulse.at_us);
}

void output_pass(uint64_t at_us)
{
    while (passes_only() && plan.pulse.at_us < at_us) {
        channels[plan.pulse.channel - 1u].measured_ua = 0;
        commit();
        output_plan();
    }
}

void output_begun(void)
{
    if (!plan.made || !plan.given)
        return;
    if (machine.checks)
        check.sent++;
    commit();
    turn ^= 1u;
}

static void count(const struct reading *reading)
{
    struct totals *of = &totals[flying.pulse.channel - 1u];
    of->pulses[flying.segment]++;
    of->charge_pc[flying.segment] += (uint32_t)flying.pulse.first_ua * flying.pulse.width_us;
    judge_totals(of, flying.segment, &flying.pulse, reading);
}

static void add_to_check(const struct reading *reading)
{
    struct impedance *of = &impedances[flying.pulse.channel - 1u];
    of->current += reading->first > 0 ? (uint16_t)reading->first : 0u;
    of->voltage += reading->first_v;
    of->pulses++;
}

void output_done(const struct reading *reading)
{
    output_begun();
    if (machine.checks)
        add_to_check(reading);
    else
        count(reading);
    judge_pulse(&channels[flying.pulse.channel - 1u], &flying.pulse, reading, flying.t_us, machine.checks);
}
