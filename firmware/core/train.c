#include "train.h"

#include "limits.h"
#include "program.h"

static uint16_t lower(uint32_t a, uint32_t b)
{
    return (uint16_t)(a < b ? a : b);
}

/* On to the next segment when the due pulse does not fit into this one, and to the end at the limit. */
static void settle(struct train *train, uint8_t channel, uint32_t limit_us)
{
    const struct segment *segment = &program.segments[train->segment];
    if (program.count > 1 && train->next_us + span_us(segment) > train->band_us + segment->dwell_us) {
        train->band_us += segment->dwell_us;
        train->segment ^= 1u;
        train->next_us = train->band_us + (channel - 1u) * SLOT_US;
        segment = &program.segments[train->segment];
    }
    if (train->next_us + span_us(segment) > limit_us)
        train->next_us = NO_MORE;
}

void train_begin(struct train *train, uint8_t channel, uint32_t start_us, uint32_t limit_us, uint16_t target_ua)
{
    *train = (struct train){
        .next_us = start_us + (channel - 1u) * SLOT_US,
        .band_us = start_us,
        .target_ua = target_ua,
        .first = true,
        .reached = target_ua == 0,
    };
    settle(train, channel, limit_us);
}

void train_aim(struct train *train, uint16_t target_ua)
{
    train->target_ua = target_ua;
    if (target_ua == 0 || target_ua == train->level_ua)
        train->reached = true;
}

static uint16_t aim_of(const struct train *train, uint32_t limit_us)
{
    uint32_t t_us = train->next_us;
    if (program.ramp_down_us == 0 || t_us + program.ramp_down_us < limit_us)
        return train->target_ua;
    uint64_t fallen_ua = (uint64_t)train->target_ua * (limit_us - t_us) / program.ramp_down_us;
    return lower(train->target_ua, (uint32_t)fallen_ua);
}

uint16_t train_level(const struct train *train, uint32_t limit_us)
{
    uint16_t aim_ua = aim_of(train, limit_us);
    if (aim_ua <= train->level_ua)
        return aim_ua;
    uint32_t passed_us = train->first ? program.segments[train->segment].period_us : train->next_us - train->before_us;
    if (passed_us > 1000000ul)
        passed_us = 1000000ul; /* the gentlest slope has come to the largest step by then */
    uint16_t most_ua = (uint16_t)(MAX_RISE_UA - MAX_RISE_UA % program.quantum_ua);
    uint32_t risen_ua = program.slope_ua_per_s * passed_us / 1000000u;
    return lower(aim_ua, (uint32_t)train->level_ua + lower(most_ua, risen_ua));
}

void train_pass(struct train *train, uint8_t channel, uint32_t limit_us, uint16_t level_ua)
{
    train->level_ua = level_ua;
    if (level_ua == train->target_ua)
        train->reached = true;
    train->first = false;
    train->before_us = train->next_us;
    train->next_us += program.segments[train->segment].period_us;
    settle(train, channel, limit_us);
}
