/* What lasts over a reset and without power (section 17): two slots for each record, the older one written over. */
#ifndef KEPT_H
#define KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "codes.h"

struct totals {
    uint32_t pulses[2];
    uint64_t charge_pc[2];  /* as commanded */
    uint64_t measured[2];   /* first phases, in 0.25 pC */
    int64_t net;            /* both phases, in 0.25 pC */
    uint64_t energy;        /* in 0.125 fJ: half a millivolt times a quarter of a microampere times a microsecond */
    uint32_t compliance_hits;
    uint16_t max_quarter_ua;
};

struct session {
    uint64_t digest_head, nonce;
    uint32_t number; /* 0: none is open or waits */
    uint32_t boot_id, limit_us, stimulation_us, second_us;
    uint16_t ceiling_ua;
    uint8_t mask, end_reason;
};

struct kept {
    uint32_t boots, sessions, arms, seed;
    struct session session;
};

/* A pulse that is about to be given is counted before it is. Whether it was, a reset finds by its mark: the board keeps
 * it right before the first edge, as one byte, so that it is there or is not. */
struct about {
    uint32_t t_us;
    uint32_t charge_pc; /* 0: there is none */
    uint32_t second_us; /* of the session's stimulation, by then, in segment 1 */
    uint8_t segment;
};

extern struct kept kept;
extern struct totals totals[CHANNELS];

void kept_boot(void);                                           /* read everything, count the boot */
void kept_write(void);                                          /* all but the channels */
void kept_write_channel(uint8_t channel, const struct about *about); /* `about` may be NULL */
uint8_t kept_mark(uint8_t channel);                             /* of the pulse that was written about */
bool session_is_open(void);
bool session_waits(void);

#endif
