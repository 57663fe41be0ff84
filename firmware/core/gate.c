#include "gate.h"

#include "limits.h"

static bool gives_output(enum state state)
{
    return state == CHECKING || state == RAMPING || state == RUNNING || state == RAMPING_DOWN;
}

static bool shape_is_lawful(const struct pulse *pulse)
{
    return pulse->width_us >= MIN_WIDTH_US && pulse->width_us <= MAX_WIDTH_US && pulse->gap_us <= MAX_GAP_US &&
           pulse->second_width_us <= MAX_SECOND_WIDTH_US; /* not shorter than the first: by the areas */
}

static bool charge_is_lawful(const struct pulse *pulse)
{
    uint32_t first_pc = (uint32_t)pulse->first_ua * pulse->width_us;
    uint32_t second_pc = (uint32_t)pulse->second_ua * pulse->second_width_us;
    return pulse->second_ua <= pulse->first_ua && first_pc <= MAX_CHARGE_PC && first_pc == second_pc;
}

bool gate_permits(const struct permission *permission, const struct pulse *pulse)
{
    if (!gives_output(permission->state))
        return false;
    if (pulse->channel < 1 || pulse->channel > CHANNELS || !HAS(permission->armed_mask, pulse->channel))
        return false;
    if (pulse->first_ua == 0 || pulse->first_ua > permission->ceiling_ua || pulse->first_ua > MAX_AMPLITUDE_UA)
        return false;
    if (pulse->first_ua > permission->last_ua + MAX_RISE_UA)
        return false;
    if (permission->state == CHECKING && pulse->first_ua > CHECK_UA)
        return false;
    return charge_is_lawful(pulse) && shape_is_lawful(pulse);
}

uint16_t over_current_ua(uint16_t applied_ua)
{
    uint16_t tenth_ua = applied_ua / 10u;
    uint16_t margin_ua = tenth_ua > OVER_CURRENT_MARGIN_UA ? tenth_ua : OVER_CURRENT_MARGIN_UA;
    uint16_t most_ua = (uint16_t)(applied_ua + margin_ua);
    return most_ua < OVER_CURRENT_UA ? most_ua : OVER_CURRENT_UA;
}
