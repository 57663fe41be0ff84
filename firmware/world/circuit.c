#include "circuit.h"

#include <math.h>

struct output outputs[OUTPUTS];

static struct output *of(int channel)
{
    return &outputs[channel - 1];
}

/* The interfaces go from one voltage toward another. */
static double toward(double from, double to, double for_us, double tau_us)
{
    return tau_us > 0 ? to + (from - to) * exp(-for_us / tau_us) : to;
}

static double tau_us(const struct load *load)
{
    return load->rct_ohm * load->cdl_uf;
}

/* Two interfaces alike act as one: half the capacitance beside twice the resistance, here behind `ohm`. */
static double tau_behind_us(const struct load *load, double ohm)
{
    return load->cdl_uf / 2 / (1 / ohm + 1 / (2 * load->rct_ohm));
}

/* So long a current is held before the interfaces leave no room for it under the rail. */
static double free_us(const struct load *load, double ua, double cap_volt)
{
    double room_volt = RAIL_VOLT - ua * 1e-6 * load->series_ohm, final_volt = ua * 1e-6 * 2 * load->rct_ohm;
    if (cap_volt >= room_volt)
        return 0;
    if (final_volt <= room_volt || load->cdl_uf <= 0)
        return INFINITY;
    return tau_us(load) * log((cap_volt - final_volt) / (room_volt - final_volt));
}

/* The interfaces after `ua` forward for so long, as far as the rail allows. */
static double driven(const struct load *load, double ua, double cap_volt, double for_us)
{
    if (load->cdl_uf <= 0)
        return 0;
    double until_us = free_us(load, ua, cap_volt), free_for_us = until_us < for_us ? until_us : for_us;
    cap_volt = toward(cap_volt, ua * 1e-6 * 2 * load->rct_ohm, free_for_us, tau_us(load));
    if (until_us >= for_us)
        return cap_volt;
    double final_volt = RAIL_VOLT * 2 * load->rct_ohm / (load->series_ohm + 2 * load->rct_ohm);
    return toward(cap_volt, final_volt, for_us - until_us, tau_behind_us(load, load->series_ohm));
}

static void advance(struct output *output, double at_us)
{
    double for_us = at_us - output->at_us, sign = output->drive_ua < 0 ? -1 : 1;
    const struct load *load = &output->load;
    if (for_us <= 0)
        return;
    output->at_us = at_us;
    if (load->cdl_uf <= 0)
        output->cap_volt = 0;
    else if (output->drive == DRIVEN)
        output->cap_volt = sign * driven(load, sign * output->drive_ua, sign * output->cap_volt, for_us);
    else if (output->drive == OPEN_CIRCUIT)
        output->cap_volt = toward(output->cap_volt, 0, for_us, tau_us(load));
    else
        output->cap_volt = toward(output->cap_volt, 0, for_us, tau_behind_us(load, load->series_ohm + DISCHARGE_OHM));
}

static double flowing_ua(const struct output *output)
{
    double sign = output->drive_ua < 0 ? -1 : 1;
    if (output->drive == OPEN_CIRCUIT)
        return 0;
    if (output->drive == DISCHARGED)
        return -output->cap_volt / (output->load.series_ohm + DISCHARGE_OHM) * 1e6;
    double most_ua = (RAIL_VOLT - sign * output->cap_volt) / output->load.series_ohm * 1e6;
    return sign * fmin(sign * output->drive_ua, most_ua);
}

void circuit_connect(int channel, struct load load)
{
    of(channel)->load = load;
}

void circuit_drive(int channel, double at_us, enum drive drive, double drive_ua)
{
    advance(of(channel), at_us);
    of(channel)->drive = drive;
    of(channel)->drive_ua = drive_ua;
}

double circuit_current_ua(int channel, double at_us)
{
    double ua = 0;
    for (int other = 1; other <= OUTPUTS; other++) {
        advance(of(other), at_us);
        double own_ua = flowing_ua(of(other));
        if (other != channel && of(other)->load.leaks_to == channel)
            ua += own_ua * of(other)->load.leak_permille / 1000;
        if (other == channel)
            ua += own_ua < 0 ? own_ua * (1000 - of(other)->load.earthed_permille) / 1000 : own_ua;
    }
    return ua;
}

double circuit_volt(int channel, double at_us)
{
    struct output *output = of(channel);
    advance(output, at_us);
    return output->drive == DRIVEN ? flowing_ua(output) * 1e-6 * output->load.series_ohm + output->cap_volt : 0;
}
