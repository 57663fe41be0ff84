#include "machine.h"

#include <string.h>

#include "board.h"
#include "flash.h"
#include "kept.h"
#include "limits.h"
#include "output.h"
#include "program.h"
#include "refusal.h"
#include "telemetry.h"

#define ZERO_EVERY_US 1000u        /* while zero is not sure [choice] */
#define ZERO_AGAIN_US 20000u       /* and once it is [choice] */
#define STATUS_EVERY_US 100000u

#define IN(state) (1u << (state))
#define STIMULATES (IN(RAMPING) | IN(RUNNING) | IN(RAMPING_DOWN))

struct machine machine;

/* The table of R-24, as far as commands go: in which states each is heard. */
static const uint16_t HEARD_IN[] IN_FLASH = {
    [E_LOAD] = IN(IDLE) | IN(LOADING) | IN(LOADED) | IN(TESTED),
    [E_SEGMENT] = IN(LOADING),
    [E_DIGEST] = IN(LOADING) | IN(LOADED) | IN(TESTED),
    [E_TEST] = IN(LOADED) | IN(TESTED),
    [E_ARM] = IN(TESTED) | IN(HELD),
    [E_START] = IN(ARMED),
    [E_KEEP_ALIVE] = IN(TESTED) | IN(ARMED) | IN(CHECKING) | STIMULATES | IN(HELD),
    [E_TARGET] = STIMULATES,
    [E_HOLD] = STIMULATES,
    [E_ACKNOWLEDGE] = IN(ENDED) | IN(IDLE),
};

bool machine_allows(enum event_of_table event)
{
    bool not_in_session = event == E_LOAD || event == E_SEGMENT || event == E_TEST;
    bool heard = READ_WORD(&HEARD_IN[event]) >> machine.state & 1u;
    if (not_in_session && session_is_open())
        heard = false;
    if (event == E_KEEP_ALIVE && !session_is_open())
        heard = false;
    return heard || refuse(WRONG_STATE, machine.state, 0);
}

static void cancel(enum timer timer)
{
    machine.due_us[timer] = NEVER;
}

static void watch_zero(uint64_t at_us)
{
    machine.zero = machine.zero_counts = false;
    machine.due_us[T_ZERO] = at_us + ZERO_EVERY_US;
}

void machine_boot(void)
{
    memset(&machine, 0, sizeof machine);
    for (uint8_t timer = 0; timer < (uint8_t)TIMERS; timer++)
        machine.due_us[timer] = NEVER;
    board_stage(false);
    watch_zero(0);
}

static void changed(enum state to, uint64_t at_us, enum reason reason, uint8_t channel, uint32_t value)
{
    if (machine.state == to)
        return;
    machine.state = (uint8_t)to;
    telemetry_event(at_us, reason, channel, value);
}

void machine_move(enum state to, uint64_t at_us)
{
    changed(to, at_us, NONE, 0, 0);
}

uint32_t stimulation_us(void)
{
    if (!machine.runs)
        return kept.session.stimulation_us;
    return machine.run_from_us + (uint32_t)(machine.now_us - machine.run_began_us);
}

uint32_t in_second_us(uint32_t t_us)
{
    return machine.run_second_us + program_in_second(t_us - machine.run_from_us);
}

/* --- ending and holding ------------------------------------------------------------------------- */

/* Outputs off before anything else; then what was given is written down. */
static uint64_t quiet(uint64_t at_us)
{
    bool gave = machine.runs || machine.checks;
    at_us = output_end(at_us);
    if (machine.runs) {
        kept.session.stimulation_us = machine.run_from_us + (uint32_t)(at_us - machine.run_began_us);
        kept.session.second_us = in_second_us(kept.session.stimulation_us);
    }
    if (gave)
        watch_zero(at_us);
    machine.runs = machine.checks = false;
    cancel(T_STIMULATION);
    cancel(T_FALL);
    cancel(T_CHECK);
    cancel(T_TRIP);
    return at_us;
}

/* Counters first: a reset in between finds a session that is open, and counts that are settled. */
static void write_down(void)
{
    for (uint8_t channel = 1; channel <= CHANNELS; channel++)
        if (HAS(kept.session.mask, channel))
            kept_write_channel(channel, NULL);
    kept_write();
}

void machine_end(enum reason reason, uint64_t at_us, uint8_t channel, uint32_t value)
{
    at_us = quiet(at_us);
    cancel(T_WATCHDOG);
    cancel(T_SESSION);
    cancel(T_HOLD);
    cancel(T_ARM);
    changed(ENDED, at_us, reason, channel, value);
    write_down();
    kept.session.end_reason = (uint8_t)reason;
    kept_write();
}

void machine_hold(enum reason reason, uint64_t at_us, uint8_t channel, uint32_t value)
{
    at_us = quiet(at_us);
    machine.due_us[T_HOLD] = at_us + HOLD_US;
    machine.hold_reason = (uint8_t)reason;
    changed(HELD, at_us, reason, channel, value);
    write_down();
}

void machine_stop(void)
{
    if (session_is_open())
        machine_end(STOP, machine.now_us, 0, 0);
    else
        board_stage(false);
}

void machine_trip(enum reason reason, uint64_t at_us, uint8_t channel, uint32_t value)
{
    machine.due_us[T_TRIP] = at_us;
    machine.trip_reason = (uint8_t)reason;
    machine.trip_channel = channel;
    machine.trip_value = value;
}

static void tripped(uint64_t at_us)
{
    enum reason reason = (enum reason)machine.trip_reason;
    if (reason == LEAD_OFF || reason == COMPLIANCE)
        machine_hold(reason, at_us, machine.trip_channel, machine.trip_value);
    else
        machine_end(reason, at_us, machine.trip_channel, machine.trip_value);
}

/* --- what commands bring about ------------------------------------------------------------------ */

void machine_alive(void)
{
    machine.alive_us = machine.now_us;
    if (machine.state != TESTED)
        machine.due_us[T_WATCHDOG] = machine.now_us + WATCHDOG_US;
}

void machine_arm(const struct arming *arming, uint32_t time_to_live_ms)
{
    machine.arming = *arming;
    kept.session.nonce = arming->nonce;
    machine.due_us[T_ARM] = machine.now_us + (uint64_t)time_to_live_ms * 1000u;
    machine_move(ARMED, machine.now_us);
    machine_alive();
    kept_write();
}

static void gives_output(enum state state)
{
    machine.now_us += board_lead_us; /* what is executed takes effect when its first pulse can be given */
    machine_move(state, machine.now_us);
    cancel(T_ARM);
    cancel(T_ZERO);
    machine.zero = machine.zero_counts = false;
}

void machine_start(const uint16_t targets_ua[CHANNELS])
{
    uint32_t left_us = kept.session.limit_us - kept.session.stimulation_us;
    uint32_t steady_us = left_us > program.ramp_down_us ? left_us - program.ramp_down_us : 0;
    gives_output(RAMPING);
    cancel(T_HOLD);
    machine.runs = true;
    machine.run_began_us = machine.now_us;
    machine.run_from_us = kept.session.stimulation_us;
    machine.run_second_us = kept.session.second_us;
    machine.due_us[T_STIMULATION] = machine.now_us + left_us;
    if (program.ramp_down_us)
        machine.due_us[T_FALL] = machine.now_us + steady_us;
    output_begin(targets_ua);
    if (output_at_target())
        machine_move(RUNNING, machine.now_us);
}

void machine_check(void)
{
    gives_output(CHECKING);
    machine.checks = true;
    output_check();
}

void machine_acknowledge(void)
{
    memset(&kept.session, 0, sizeof kept.session);
    memset(totals, 0, sizeof totals);
    memset(&machine.arming, 0, sizeof machine.arming);
    program_forget();
    machine_move(IDLE, machine.now_us);
    kept_write();
}

/* --- what falls due ------------------------------------------------------------------------------ */

static void go_back(uint64_t at_us)
{
    cancel(T_ARM);
    if (machine.due_us[T_HOLD] != NEVER) {
        machine_move(HELD, at_us);
    } else {
        cancel(T_WATCHDOG);
        machine_move(TESTED, at_us);
    }
}

static void check_turn_is_over(uint64_t at_us)
{
    if (output_check_next())
        return;
    (void)quiet(at_us);
    go_back(at_us);
}

static void look_at_zero(uint64_t at_us)
{
    machine.zero_ua = 0;
    for (uint8_t channel = 1; channel <= CHANNELS; channel++) {
        uint16_t ua = board_ammeter_ua(channel);
        if (ua > machine.zero_ua)
            machine.zero_ua = ua;
    }
    if (machine.zero_ua >= ZERO_UA) {
        watch_zero(at_us);
        return;
    }
    if (!machine.zero_counts)
        machine.zero_since_us = at_us;
    machine.zero_counts = true;
    machine.zero = machine.zero || at_us - machine.zero_since_us >= ZERO_WATCH_US;
    machine.due_us[T_ZERO] = at_us + (machine.zero ? ZERO_AGAIN_US : ZERO_EVERY_US);
}

static void status_is_due(uint64_t at_us)
{
    machine.due_us[T_STATUS] = at_us + STATUS_EVERY_US;
    if (machine.runs && !program_holds())
        machine_end(GATE, machine.now_us, 0, 0);
    telemetry_picture();
}

static void do_one(enum timer timer, uint64_t at_us)
{
    cancel(timer);
    switch (timer) {
    case T_WATCHDOG: machine_end(WATCHDOG, at_us, 0, 0); break;
    case T_SESSION: machine_end(SESSION_EXPIRED, at_us, 0, 0); break;
    case T_HOLD: machine_end(HOLD_EXPIRED, at_us, 0, 0); break;
    case T_STIMULATION: machine_end(TIMER, at_us, 0, 0); break;
    case T_TRIP: tripped(at_us); break;
    case T_ARM: go_back(at_us); break;
    case T_FALL: machine_move(RAMPING_DOWN, at_us); break;
    case T_CHECK: check_turn_is_over(at_us); break;
    case T_STATUS: status_is_due(at_us); break;
    case T_ZERO: look_at_zero(machine.now_us); break;
    case TIMERS: break;
    }
}

uint64_t machine_ends_us(void)
{
    uint64_t ends_us = NEVER;
    for (uint8_t timer = T_WATCHDOG; timer <= (uint8_t)T_TRIP; timer++)
        if (machine.due_us[timer] < ends_us)
            ends_us = machine.due_us[timer];
    return ends_us;
}

OWN_FRAME bool machine_do_due(uint64_t now_us)
{
    for (bool did = false;; did = true) {
        uint8_t next = 0;
        for (uint8_t timer = 1; timer < (uint8_t)TIMERS; timer++)
            if (machine.due_us[timer] < machine.due_us[next])
                next = timer;
        uint64_t at_us = machine.due_us[next] < now_us ? machine.due_us[next] : now_us;
        output_pass(at_us);
        if (now_us > machine.now_us)
            machine.now_us = now_us;
        if (machine.due_us[next] > now_us)
            return did;
        do_one((enum timer)next, machine.due_us[next]);
    }
}
