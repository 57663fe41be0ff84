/* State, session and time (sections 6 to 12): what falls due is done in order, each at its own time. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "codes.h"

#define NEVER UINT64_MAX

/* At one instant the lower number goes first: what ends or holds leads. */
enum timer { T_WATCHDOG, T_SESSION, T_HOLD, T_STIMULATION, T_TRIP, T_ARM, T_FALL, T_CHECK, T_STATUS, T_ZERO, TIMERS };

enum event_of_table { E_LOAD, E_SEGMENT, E_DIGEST, E_TEST, E_ARM, E_START, E_KEEP_ALIVE, E_TARGET, E_HOLD, E_ACKNOWLEDGE };

struct arming {
    uint64_t nonce;
    uint16_t ceiling_ua;
    uint8_t purpose, mask; /* mask 0: nothing is armed since the boot or the last acknowledge */
};

struct machine {
    uint64_t now_us, due_us[TIMERS], alive_us, zero_since_us;
    uint64_t run_began_us;     /* the instant of Start */
    uint32_t run_from_us;      /* stimulation time at it */
    uint32_t run_second_us;    /* of that in segment 1 */
    struct arming arming;
    uint16_t zero_ua;          /* the largest current of the last look */
    uint8_t state, hold_reason;
    bool runs, checks, greeted, zero, zero_counts;
    uint8_t trip_reason, trip_channel;
    uint32_t trip_value;
};

extern struct machine machine;

void machine_boot(void);
bool machine_allows(enum event_of_table event); /* refuses with WRONG_STATE */
void machine_move(enum state to, uint64_t at_us);
void machine_end(enum reason reason, uint64_t at_us, uint8_t channel, uint32_t value);
void machine_hold(enum reason reason, uint64_t at_us, uint8_t channel, uint32_t value);
void machine_stop(void);
void machine_trip(enum reason reason, uint64_t at_us, uint8_t channel, uint32_t value);
void machine_arm(const struct arming *arming, uint32_t time_to_live_ms);
void machine_alive(void);
void machine_start(const uint16_t targets_ua[CHANNELS]);
void machine_check(void);
void machine_acknowledge(void);
bool machine_do_due(uint64_t now_us); /* everything that is due by now; whether anything was */
uint64_t machine_ends_us(void);       /* no pulse may begin then or later */
uint32_t stimulation_us(void);
uint32_t in_second_us(uint32_t t_us); /* of the session, by then in this run */

#endif
