/* The portable core on this machine, in virtual time: a board whose pulses meet the circuit of world/.
 *
 * For tests and for `sim://?device=firmware-host`. Nothing here runs on a chip. */
#include "host_board.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "circuit.h"
#include "codes.h"
#include "converters.h"
#include "core.h"
#include "frame.h"
#include "telemetry.h"

#define CUT_US 20u
#define MEMORY 2048u
#define OUT 65536u
#define FLOWS 4096u

const struct identity identity = {
    .dac_step_na = DAC_STEP_NA,
    .accuracy_ua = 5,
    .accuracy_permille = 5,
    .net_floor_pc = 3000,
    .compliance_mv = 12000,
    .simulator = 1,
};
const uint16_t board_lead_us = 0, board_replan_us = 0;

static struct {
    uint64_t now_us;
    struct pulse pulse;
    bool armed, enabled;
    double dac_gain[OUTPUTS + 1], dac_stuck_ua[OUTPUTS + 1];
    uint8_t memory[MEMORY];
    uint32_t writes_left; /* bytes until the power goes, for tests, plus 1; 0: it stays */
    uint64_t noise;
    uint8_t out[OUT];
    uint32_t out_size;
    struct host_flow flows[FLOWS];
    uint32_t flow_count;
} host;

static const char MODEL[24] = "stimctl reference", SERIAL[24] = "HOST-0001";
static const uint8_t VERSION[3] = {0, 1, 0};

/* From then on nothing leaves the board, until it is powered on again. */
static bool power_has_gone(void)
{
    return host.writes_left == 1;
}

/* --- what the core asks for ----------------------------------------------------------------------- */

void board_names(uint8_t page, uint8_t *to)
{
    if (page == 0) {
        memcpy(to, MODEL, 24);
        memcpy(to + 24, SERIAL, 24);
    } else if (page == 1) {
        memcpy(to, VERSION, 3);
        memset(to + 3, 0, 32); /* it is no image */
    }
}

uint64_t board_now_us(void)
{
    return host.now_us;
}

void board_stage(bool enabled)
{
    host.enabled = enabled;
    if (!enabled)
        host.armed = false;
}

void board_arm(const struct pulse *pulse)
{
    host.pulse = *pulse;
    host.armed = true;
}

bool board_disarm(void)
{
    host.armed = false;
    return true;
}

static double given_ua(int channel, uint16_t ua)
{
    if (!isnan(host.dac_stuck_ua[channel]))
        return host.dac_stuck_ua[channel];
    uint16_t code = DAC_CODE(ua) < DAC_MOST ? DAC_CODE(ua) : DAC_MOST;
    return code * (DAC_STEP_NA / 1000.0) * host.dac_gain[channel];
}

static int adc(double value, double step)
{
    double code = round(value / step);
    return (int)fmax(-ADC_ZERO, fmin(ADC_ZERO - 1, code));
}

static int quarters(int channel, double at_us)
{
    return adc(circuit_current_ua(channel, at_us), 1.25) * QUARTERS_A_STEP;
}

static uint16_t half_mv(int channel, double at_us)
{
    double volt = fabs(circuit_volt(channel, at_us));
    int fine = adc(volt, 0.0005);
    return (uint16_t)(fine <= FINE_REACH ? fine : adc(volt, 0.008) * HALF_MV_A_COARSE_STEP);
}

static uint16_t ua_of(int quarter)
{
    return (uint16_t)((abs(quarter) + 2) / 4);
}

/* The channel whose ammeter reads too much at this instant, 0 for none. */
static uint8_t looked_at(double at_us, uint16_t most_ua, uint16_t *read_ua)
{
    for (uint8_t channel = 1; channel <= OUTPUTS; channel++) {
        *read_ua = ua_of(quarters(channel, at_us));
        if (*read_ua > (channel == host.pulse.channel ? most_ua : host.pulse.most_other_ua))
            return channel;
    }
    return 0;
}

/* One phase from `at_us` on: the current in it, the voltage at its end; false where it was cut. */
static bool phase(double at_us, uint16_t ua, uint16_t width_us, int sign, uint16_t most_ua, struct reading *reading)
{
    int channel = host.pulse.channel;
    circuit_drive(channel, at_us, DRIVEN, sign * given_ua(channel, ua));
    reading->cut_channel = looked_at(at_us + CUT_US, most_ua, &reading->cut_ua);
    int current = sign * quarters(channel, reading->cut_channel ? at_us + CUT_US : at_us + width_us / 2.0);
    uint16_t voltage = half_mv(channel, at_us + (reading->cut_channel ? CUT_US : width_us));
    if (sign > 0)
        reading->first = (int16_t)current, reading->first_v = voltage;
    else
        reading->second = (int16_t)current, reading->second_v = voltage;
    return reading->cut_channel == 0;
}

static void note_flow(uint16_t first_us, uint16_t second_us, bool cut)
{
    const struct pulse *pulse = &host.pulse;
    if (host.flow_count == FLOWS)
        return;
    host.flows[host.flow_count++] = (struct host_flow){
        .at_us = pulse->at_us, .first_na = (int32_t)lround(given_ua(pulse->channel, pulse->first_ua) * 1000),
        .second_na = (int32_t)lround(given_ua(pulse->channel, pulse->second_ua) * 1000), .first_us = first_us,
        .gap_us = pulse->gap_us, .second_us = second_us, .channel = pulse->channel, .cut = cut,
    };
}

static void fire(struct reading *reading)
{
    const struct pulse *pulse = &host.pulse;
    double at_us = (double)pulse->at_us;
    uint16_t second_at_us = (uint16_t)(pulse->width_us + pulse->gap_us), first_us = pulse->width_us, second_us = 0;
    memset(reading, 0, sizeof *reading);
    if (!phase(at_us, pulse->first_ua, pulse->width_us, 1, pulse->most_first_ua, reading)) {
        first_us = CUT_US;
        reading->took_us = CUT_US;
    } else {
        circuit_drive(pulse->channel, at_us + pulse->width_us, OPEN_CIRCUIT, 0);
        second_us = pulse->second_width_us;
        if (!phase(at_us + second_at_us, pulse->second_ua, second_us, -1, pulse->most_second_ua, reading))
            second_us = CUT_US;
        reading->took_us = (uint16_t)(second_at_us + second_us);
    }
    circuit_drive(pulse->channel, at_us + reading->took_us, reading->cut_channel ? DISCHARGED : OPEN_CIRCUIT, 0);
    note_flow(first_us, second_us, reading->cut_channel != 0);
}

enum flight board_pulse(struct reading *reading)
{
    if (!host.armed || power_has_gone())
        return NO_PULSE;
    if (host.now_us <= host.pulse.at_us)
        return WAITS;
    host.armed = false;
    host.memory[MARKS_AT + host.pulse.channel - 1u] = host.pulse.mark; /* no time passes, and no power goes, until its edge */
    fire(reading);
    return DONE;
}

uint16_t board_ammeter_ua(uint8_t channel)
{
    return ua_of(quarters(channel, (double)host.now_us));
}

uint8_t board_self_test(uint16_t *zero_ua)
{
    static const uint16_t TRIED_UA[] = {100, 500, 1000, 2000};
    uint8_t failures = 0;
    *zero_ua = 0;
    for (int channel = 1; channel <= OUTPUTS; channel++)
        for (unsigned i = 0; i < sizeof TRIED_UA / sizeof *TRIED_UA; i++)
            if (fabs(given_ua(channel, TRIED_UA[i]) - TRIED_UA[i]) > 10 + TRIED_UA[i] / 100.0)
                failures |= 1;
    return failures;
}

void board_keep(uint16_t address, const void *data, uint8_t size)
{
    const uint8_t *from = data;
    for (uint8_t i = 0; i < size && !power_has_gone(); i++) {
        host.memory[address + i] = from[i];
        if (host.writes_left)
            host.writes_left--;
    }
}

void board_recall(uint16_t address, void *data, uint8_t size)
{
    if (size)
        memcpy(data, &host.memory[address], size);
}

void board_noise(uint8_t bytes[32])
{
    for (int i = 0; i < 32; i++) {
        host.noise = host.noise * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(host.noise >> 56);
    }
}

bool board_line_free(void)
{
    return host.out_size + MAX_FRAME <= OUT;
}

void board_send(const uint8_t *frame, uint8_t size)
{
    if (power_has_gone())
        return;
    /* This line is never busy; a Stopped still goes ahead of what nobody has taken yet. */
    uint32_t at = frame[1] == STOPPED ? 0 : host.out_size;
    memmove(&host.out[at + size], &host.out[at], host.out_size - at);
    memcpy(&host.out[at], frame, size);
    host.out_size += size;
}

/* --- what a test or a port does --------------------------------------------------------------------- */

static void settle(void)
{
    do {
        if (power_has_gone())
            return;
        core_poll();
    } while (telemetry_waits() || inbox.stop || inbox.size);
}

void host_power_on(uint32_t seed)
{
    host.now_us = 0;
    host.armed = host.enabled = false;
    host.out_size = host.flow_count = host.writes_left = 0;
    host.noise = seed * 2862933555777941757u + 3037000493u;
    for (int channel = 0; channel <= OUTPUTS; channel++) {
        host.dac_gain[channel] = 1;
        host.dac_stuck_ua[channel] = NAN;
    }
    for (int channel = 1; channel <= OUTPUTS; channel++) {
        outputs[channel - 1].at_us = outputs[channel - 1].cap_volt = 0;
        outputs[channel - 1].drive = OPEN_CIRCUIT;
    }
    core_boot();
    settle();
}

uint64_t host_next_us(void)
{
    if (power_has_gone())
        return UINT64_MAX;
    uint64_t next_us = core_next_us();
    if (host.armed && host.pulse.at_us + 1 < next_us)
        next_us = host.pulse.at_us + 1;
    return next_us > host.now_us ? next_us : host.now_us;
}

void host_advance(uint64_t to_us)
{
    for (uint64_t next_us = host_next_us(); next_us <= to_us; next_us = host_next_us()) {
        if (next_us == host.now_us)
            next_us++; /* what is due now is done; it waits for something */
        if (next_us > to_us)
            break;
        host.now_us = next_us;
        settle();
    }
    host.now_us = to_us > host.now_us ? to_us : host.now_us;
    settle();
}

void host_receive(const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        core_receive(bytes[i]);
        if (bytes[i] == 0)
            settle();
    }
}

uint32_t host_take(uint8_t *to, uint32_t room)
{
    uint32_t size = host.out_size < room ? host.out_size : room;
    memcpy(to, host.out, size);
    memmove(host.out, &host.out[size], host.out_size - size);
    host.out_size -= size;
    return size;
}

uint32_t host_flows(struct host_flow *to, uint32_t room)
{
    uint32_t count = host.flow_count < room ? host.flow_count : room;
    memcpy(to, host.flows, count * sizeof *to);
    host.flow_count = 0;
    return count;
}

void host_connect(int channel, double series_ohm, double cdl_uf, double rct_ohm, int leaks_to, int leak_permille,
                  int earthed_permille)
{
    struct load load = {series_ohm, cdl_uf, rct_ohm, leaks_to, leak_permille, earthed_permille};
    circuit_connect(channel, load);
}

void host_break_dac(int channel, double gain, double stuck_ua)
{
    host.dac_gain[channel] = gain;
    host.dac_stuck_ua[channel] = stuck_ua;
}

uint8_t *host_memory(void)
{
    return host.memory;
}

void host_cut_power_after(uint32_t bytes)
{
    host.writes_left = bytes + 1;
}
