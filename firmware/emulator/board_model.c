#include "board_model.h"

#include <math.h>
#include <string.h>

#include "circuit.h"
#include "converters.h"
#include "pins.h"

uint8_t fram[FRAM_SIZE];
uint32_t fram_writes_left;
bool fram_is_cut;
uint32_t adc_hurried;

#define ADC_HALF_CLOCK 4 /* 250 ns, high or low */
#define ADC_PAUSE 8      /* 500 ns between two conversions */

static void (*set)(char port, int pin, int value);
static void (*tell)(struct change change);
static uint8_t level[3]; /* of ports B, C, D */
static uint16_t dac[2];
static double dac_gain[OUTPUTS + 1], dac_stuck_ua[OUTPUTS + 1];
static double ammeter_gain[OUTPUTS + 1], ammeter_offset_ua[OUTPUTS + 1], leaking_ua[OUTPUTS + 1];

/* One end of a bit-banged bus: bits that came since it was selected. */
static struct {
    uint32_t bits;
    uint32_t count;
} bus, adc_bus;

static struct {
    uint8_t order;
    uint16_t address;
    bool enabled;
} memory;

static struct {
    uint64_t last; /* its clock's or its select's last edge */
    uint8_t input;
    uint16_t code;
} adc;

static bool is_high(char port, int pin)
{
    return level[port - 'B'] >> pin & 1;
}

static void note(uint8_t kind, uint16_t value, uint64_t cycle)
{
    tell((struct change){cycle, value, kind});
}

/* --- outputs ---------------------------------------------------------------------------------------- */

static bool is_selected(int channel)
{
    return is_high('C', channel - 1);
}

/* What the source gives just now, signed; 0 while it is not connected. */
static double source_ua(int channel)
{
    bool forward = is_high('B', FORWARD), reverse = is_high('B', REVERSE);
    if (forward == reverse || !is_high('D', OUTPUT_ENABLE) || !is_selected(channel))
        return 0;
    double ua = dac[reverse] * (DAC_STEP_NA / 1000.0) * dac_gain[channel];
    if (!isnan(dac_stuck_ua[channel]))
        ua = dac_stuck_ua[channel];
    return reverse ? -ua : ua;
}

static void connect(uint64_t cycle)
{
    double at_us = (double)cycle / CYCLES_A_US;
    bool joined = is_high('B', FORWARD) && is_high('B', REVERSE);
    for (int channel = 1; channel <= OUTPUTS; channel++) {
        double ua = is_high('C', TEST) ? 0 : source_ua(channel);
        if (!is_high('D', OUTPUT_ENABLE))
            ua = leaking_ua[channel];
        bool discharged = joined && is_selected(channel) && !is_high('C', TEST);
        circuit_drive(channel, at_us, discharged ? DISCHARGED : ua != 0 ? DRIVEN : OPEN_CIRCUIT, ua);
    }
}

static double test_ua(int channel)
{
    return fmax(-RAIL_VOLT, fmin(RAIL_VOLT, source_ua(channel) * 1e-6 * TEST_OHM)) / TEST_OHM * 1e6;
}

static double volt_at(double at_us)
{
    for (int channel = 1; channel <= OUTPUTS; channel++)
        if (is_selected(channel))
            return is_high('C', TEST) ? test_ua(channel) * 1e-6 * TEST_OHM : circuit_volt(channel, at_us);
    return 0;
}

/* --- MCP3208 ---------------------------------------------------------------------------------------- */

static uint16_t code_of(double steps)
{
    return (uint16_t)fmax(0, fmin(4095, round(steps) + ADC_ZERO));
}

static uint16_t converted(uint8_t input, uint64_t cycle)
{
    double at_us = (double)cycle / CYCLES_A_US;
    if (input < OUTPUTS) {
        double ua = is_high('C', TEST) ? test_ua(input + 1) : circuit_current_ua(input + 1, at_us);
        return code_of((ua * ammeter_gain[input + 1] + ammeter_offset_ua[input + 1]) / 1.25);
    }
    if (input == ADC_RAIL)
        return (uint16_t)(RAIL_VOLT * 1000 / RAIL_MV_A_STEP);
    return code_of(volt_at(at_us) / (input == ADC_VOLT ? 0.008 : 0.0005));
}

/* In on the rising edge, out on the falling one: five bits of order, a clock for the sample, a zero, twelve bits. */
static void adc_edge(bool rising, uint64_t cycle)
{
    if (rising) {
        adc_bus.bits = adc_bus.bits << 1 | is_high('B', ADC_OUT);
        adc_bus.count++;
        if (adc_bus.count == 5)
            adc.input = adc_bus.bits & 7;
        return;
    }
    if (adc_bus.count == 6)
        adc.code = converted(adc.input, cycle);
    if (adc_bus.count >= 7 && adc_bus.count <= 18)
        set('B', ADC_IN, adc.code >> (18 - adc_bus.count) & 1);
    else
        set('B', ADC_IN, 0);
}

/* --- MCP4922 and FM25 ------------------------------------------------------------------------------- */

static void dac_selected_no_more(uint64_t cycle)
{
    uint16_t word = (uint16_t)bus.bits, value = word & 0x1000 ? word & 0x0FFF : 0;
    if (bus.count != 16)
        return; /* as the part has it: anything else is no word */
    dac[word >> 15] = value;
    note(word >> 15 ? C_DAC_B : C_DAC_A, value, cycle);
    connect(cycle);
}

static void fram_byte(uint32_t number, uint8_t byte)
{
    if (number == 0)
        memory.order = byte;
    if (number == 0 && byte == 0x06)
        memory.enabled = true;
    if (number == 1)
        memory.address = (uint16_t)(byte << 8);
    if (number == 2)
        memory.address |= byte;
    if (number < 3 || memory.order != 0x02 || !memory.enabled || fram_is_cut)
        return;
    fram[memory.address++ % FRAM_SIZE] = byte;
    fram_is_cut = fram_writes_left && --fram_writes_left == 0;
}

static void bus_edge(bool rising)
{
    bool fram_is_on = !is_high('D', SELECT_FRAM);
    if (rising) {
        bus.bits = bus.bits << 1 | is_high('D', BUS_OUT);
        bus.count++;
        if (fram_is_on && bus.count % 8 == 0)
            fram_byte(bus.count / 8 - 1, (uint8_t)bus.bits);
        return;
    }
    if (fram_is_on && memory.order == 0x03 && bus.count >= 24) {
        uint32_t bit = bus.count - 24;
        set('D', BUS_IN, fram[(memory.address + bit / 8) % FRAM_SIZE] >> (7 - bit % 8) & 1);
    }
}

static void fram_selected_no_more(void)
{
    if (memory.order != 0x06)
        memory.enabled = false; /* a write ends what enabled it */
    memory.order = 0;
}

/* --- pins ------------------------------------------------------------------------------------------- */

static void adc_has_time(int pin, uint64_t cycle, bool selected)
{
    uint64_t passed = cycle - adc.last, wants = pin == ADC_CLOCK ? ADC_HALF_CLOCK : selected ? ADC_PAUSE : 0;
    adc_hurried += passed < wants;
    adc.last = cycle;
}

static void pin_b(int pin, int value, uint64_t cycle)
{
    if (pin == ADC_CLOCK || pin == ADC_SELECT)
        adc_has_time(pin, cycle, !value);
    if (pin == ADC_SELECT)
        memset(&adc_bus, 0, sizeof adc_bus);
    if (pin == ADC_CLOCK && !is_high('B', ADC_SELECT))
        adc_edge(value, cycle);
    if (pin == FORWARD || pin == REVERSE) {
        note(pin == FORWARD ? C_FORWARD : C_REVERSE, (uint16_t)value, cycle);
        connect(cycle);
    }
}

static void pin_d(int pin, int value, uint64_t cycle)
{
    if (pin == SELECT_DAC && value)
        dac_selected_no_more(cycle);
    if (pin == SELECT_FRAM && value)
        fram_selected_no_more();
    if (pin == SELECT_DAC || pin == SELECT_FRAM)
        memset(&bus, 0, sizeof bus);
    if (pin == BUS_CLOCK)
        bus_edge(value);
    if (pin == OUTPUT_ENABLE) {
        note(C_ENABLE, (uint16_t)value, cycle);
        connect(cycle);
    }
}

void model_pin(char port, int pin, int value, uint64_t cycle)
{
    uint8_t *of = &level[port - 'B'], before = *of;
    *of = (uint8_t)(value ? before | 1 << pin : before & ~(1 << pin));
    if (*of == before)
        return;
    if (port == 'B')
        pin_b(pin, value, cycle);
    if (port == 'D')
        pin_d(pin, value, cycle);
    if (port == 'C') {
        note(pin == TEST ? C_TEST : C_SELECT, pin == TEST ? (uint16_t)value : *of & CHANNEL_PINS, cycle);
        connect(cycle);
    }
}

void model_break_dac(int channel, double gain, double stuck_ua)
{
    dac_gain[channel] = gain;
    dac_stuck_ua[channel] = stuck_ua;
}

void model_break_output(int channel, double gain, double offset_ua, double leak_ua, uint64_t cycle)
{
    ammeter_gain[channel] = gain;
    ammeter_offset_ua[channel] = offset_ua;
    leaking_ua[channel] = leak_ua;
    connect(cycle);
}

void model_boot(void (*set_pin)(char port, int pin, int value), void (*note_change)(struct change change))
{
    set = set_pin;
    tell = note_change;
    for (int channel = 1; channel <= OUTPUTS; channel++) {
        struct load nothing = {10e6, 0, 0, 0, 0, 0};
        model_break_dac(channel, 1, NAN);
        circuit_connect(channel, nothing);
        model_break_output(channel, 1, 0, 0, 0);
    }
}
