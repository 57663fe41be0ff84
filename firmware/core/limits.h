/* The device's own limits (section 14). Nothing that a host sends widens them.
 * [source] the document that the project starts from, [lit] read in public material, [calc] from figures beside it,
 * [choice] the project's decision. */
#ifndef LIMITS_H
#define LIMITS_H

#define MIN_CEILING_UA 500u               /* [source] */
#define MAX_AMPLITUDE_UA 2000u            /* [source] */
#define MAX_CHARGE_PC 1200000ul           /* 2.0 mA for 0.6 ms [calc] */
#define MIN_PERIOD_US 10000ul             /* 100 Hz [source] */
#define MAX_PERIOD_US 1000000ul           /* 1 Hz [source] */
#define MIN_WIDTH_US 100u                 /* [choice] */
#define MAX_WIDTH_US 600u                 /* [choice] */
#define MAX_GAP_US 100u                   /* [choice] */
#define MAX_SECOND_WIDTH_US 1200u         /* [choice] */
#define MIN_DWELL_US 500000ul             /* [choice] */
#define MAX_DWELL_US 60000000ul           /* [choice] */
#define MAX_SEGMENTS 2u
#define MAX_CHANNELS 3u                   /* FDA K130768 precedent [lit] */
#define MIN_SLOPE_UA_PER_S 100u           /* [choice] */
#define MAX_SLOPE_UA_PER_S 380u           /* at least 5 s from 0 to 2.0 mA [choice] */
#define MAX_RISE_UA 100u                  /* from one pulse to the next, and of a target [choice] */
#define RAISE_INTERVAL_US 1000000ul       /* [choice] */
#define MAX_RAMP_DOWN_US 30000000ul       /* [choice] */
#define MIN_STIMULATION_US 1000000ul
#define MAX_STIMULATION_US 1800000000ul   /* 30 min [source] */
#define MIN_TIME_TO_LIVE_MS 100u          /* [choice] */
#define MAX_TIME_TO_LIVE_MS 10000u        /* [choice] */
#define WATCHDOG_US 1000000ul             /* [choice] */
#define HOLD_US 600000000ul               /* 10 min [choice] */
#define SESSION_US 2700000000ull          /* 45 min [choice] */
#define SLOT_US 2500u                     /* channel n starts n-1 slots late [choice] */

#define OVER_CURRENT_UA 2200u             /* [choice] */
#define OVER_CURRENT_MARGIN_UA 100u       /* or a tenth of what is applied, when that is more [choice] */
#define SHORT_OHM 50u                     /* [choice] */
#define LEAD_OFF_OHM 5000u                /* [choice] */
#define OHM_FLOOR_UA 100u                 /* below it a load is not judged */
#define TRIP_PULSES 3u                    /* [choice] */
#define MEAN_DC_UA 1u                     /* [choice] */
#define DC_WINDOW_US 1000000ul
#define ZERO_UA 20u                       /* [choice] */
#define ZERO_WATCH_US 20000u              /* [choice] */

#define CHECK_UA 100u                     /* [choice] */
#define CHECK_WIDTH_US 200u               /* [choice] */
#define CHECK_PULSES 10u                  /* [choice] */
#define CHECK_PERIOD_US 10000u            /* [choice] */
#define CHECK_TURN_US 100000u

#endif
