#include "judge.h"

#include "limits.h"
#include "machine.h"

#define RAIL_MARGIN_MV 100u /* so near to the highest voltage it counts as reached [choice] */

static uint16_t size_of(int16_t current)
{
    return (uint16_t)(current < 0 ? -current : current);
}

static bool on_rail(const struct reading *reading)
{
    uint16_t rail = (uint16_t)(2u * (identity.compliance_mv - RAIL_MARGIN_MV));
    return reading->first_v >= rail || reading->second_v >= rail;
}

/* Measured net charge of a pulse, 0.25 pC. */
static int32_t net_of(const struct pulse *pulse, const struct reading *reading)
{
    return (int32_t)reading->first * pulse->width_us - (int32_t)reading->second * pulse->second_width_us;
}

static uint64_t energy_of(int16_t current, uint16_t voltage, uint16_t width_us)
{
    return (uint64_t)((uint32_t)size_of(current) * voltage) * width_us;
}

void judge_totals(struct totals *of, uint8_t segment, const struct pulse *pulse, const struct reading *reading)
{
    uint16_t first = size_of(reading->first), second = size_of(reading->second);
    uint32_t charge = (uint32_t)first * pulse->width_us;
    of->measured[segment] += charge;
    of->net += net_of(pulse, reading);
    of->energy += energy_of(reading->first, reading->first_v, pulse->width_us) +
                  energy_of(reading->second, reading->second_v, pulse->second_width_us);
    if (first > of->max_quarter_ua)
        of->max_quarter_ua = first;
    if (second > of->max_quarter_ua)
        of->max_quarter_ua = second;
    of->compliance_hits += on_rail(reading);
}

/* 0.5 mV over 0.25 uA: 2 000 ohm. */
uint16_t ohm_of(uint32_t voltage, uint32_t current)
{
    if (current == 0)
        current = 1;
    if (voltage > UINT32_MAX / 2001u)
        return UINT16_MAX;
    uint32_t ohm = (voltage * 2000u + current / 2u) / current;
    return (uint16_t)(ohm > UINT16_MAX ? UINT16_MAX : ohm < 1 ? 1 : ohm);
}

static uint32_t size_of_net(int32_t net)
{
    return (uint32_t)(net < 0 ? -net : net);
}

/* one pulse alone, then the mean since the window began. The size in pC, or 0. */
static uint32_t unbalanced_pc(struct channel *channel, const struct pulse *pulse, int32_t net, uint32_t t_us, bool clipped)
{
    uint32_t phase_pc = (uint32_t)pulse->first_ua * pulse->width_us, pc = size_of_net(net) / 4u;
    if (!clipped && pc > phase_pc / 100u && pc > identity.net_floor_pc)
        return pc;
    uint32_t passed_us = t_us - channel->window_us;
    if (channel->window_on && passed_us < DC_WINDOW_US) {
        channel->window += net;
        return 0;
    }
    uint32_t sum_pc = channel->window_on ? size_of_net(channel->window) / 4u : 0;
    channel->window_on = true;
    channel->window_us = t_us;
    channel->window = net;
    return sum_pc > MEAN_DC_UA * passed_us ? sum_pc : 0;
}

static void count_load(struct channel *channel, const struct pulse *pulse, bool clipped)
{
    bool judged = pulse->first_ua >= OHM_FLOOR_UA;
    bool lead_off = judged && channel->ohm > LEAD_OFF_OHM, is_short = judged && channel->ohm < SHORT_OHM;
    channel->astray = (uint8_t)(lead_off || clipped ? channel->astray + 1u : 0u);
    channel->shorted = (uint8_t)(is_short ? channel->shorted + 1u : 0u);
    channel->flags = (uint8_t)((clipped ? FLAG_COMPLIANCE : 0) | (lead_off ? FLAG_LEAD_OFF : 0) |
                               (is_short ? FLAG_SHORT : 0));
}

static void judge_load(const struct channel *channel, const struct pulse *pulse, uint64_t end_us)
{
    if (channel->shorted >= TRIP_PULSES)
        machine_trip(SHORT, end_us, pulse->channel, channel->ohm);
    else if (channel->astray >= TRIP_PULSES)
        machine_trip(channel->flags & FLAG_LEAD_OFF ? LEAD_OFF : COMPLIANCE, end_us, pulse->channel, channel->ohm);
}

void judge_pulse(struct channel *channel, const struct pulse *pulse, const struct reading *reading, uint32_t t_us,
                 bool is_check)
{
    uint64_t end_us = pulse->at_us + reading->took_us;
    bool clipped = on_rail(reading);
    channel->measured_ua = (uint16_t)((size_of(reading->first) + 2u) / 4u);
    if (reading->cut_channel) {
        channels[reading->cut_channel - 1u].flags = FLAG_OVER_CURRENT;
        machine_trip(OVER_CURRENT, end_us, reading->cut_channel, reading->cut_ua);
        return;
    }
    channel->ohm = pulse->first_ua >= OHM_FLOOR_UA ? ohm_of(reading->first_v, size_of(reading->first)) : 0;
    count_load(channel, pulse, clipped);
    uint32_t pc = unbalanced_pc(channel, pulse, net_of(pulse, reading), is_check ? (uint32_t)pulse->at_us : t_us, clipped);
    if (pc) {
        channel->flags |= FLAG_NET_CHARGE;
        machine_trip(NET_CHARGE, end_us, pulse->channel, pc);
    } else if (!is_check) {
        judge_load(channel, pulse, end_us);
    }
}
