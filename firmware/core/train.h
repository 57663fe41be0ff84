/* When a channel's pulses fall and how high each is (section 13). Times are stimulation time. */
#ifndef TRAIN_H
#define TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#define NO_MORE UINT32_MAX

struct train {
    uint32_t next_us;   /* its next scheduled pulse, NO_MORE when there is none */
    uint32_t band_us;   /* when that one's segment began */
    uint32_t before_us; /* its previous scheduled pulse */
    uint16_t target_ua, level_ua;
    uint8_t segment;
    bool first;   /* none was scheduled before in this run */
    bool reached; /* its level has been its target once */
};

void train_begin(struct train *train, uint8_t channel, uint32_t start_us, uint32_t limit_us, uint16_t target_ua);
void train_aim(struct train *train, uint16_t target_ua);
uint16_t train_level(const struct train *train, uint32_t limit_us); /* of its next scheduled pulse */
void train_pass(struct train *train, uint8_t channel, uint32_t limit_us, uint16_t level_ua);

#endif
