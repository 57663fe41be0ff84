/* The ATmega328P at 16 MHz: line, converters, memory and chance. Pulses are in flight.c. */
#include "board.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <avr/wdt.h>
#include <util/delay.h>

#include "bus.h"
#include "codes.h"
#include "converters.h"
#include "core.h"
#include "flight.h"
#include "limits.h"
#include "pins.h"
#include "telemetry.h"

#define RING 64u
#define BAUD_DIVIDER 16u /* 16 MHz / 8 / 17: 115 200 baud and 2.12 % (R-83) */
#define SETTLE_US 60
#define RAIL_TOLERANCE_MV 600u /* 5 % [choice] */
#define NAP_US 1100u           /* a tick of timer 0 is 1 024 us */

#ifdef SIMULATOR
#define SERIAL "EMULATED-0001"
#else
#define SIMULATOR 0
#define SERIAL "UNO-0001"
#endif

const struct identity identity = {
    .dac_step_na = DAC_STEP_NA,
    .accuracy_ua = 5,
    .accuracy_permille = 5,
    .net_floor_pc = 3000,
    .compliance_mv = 12000,
    .simulator = SIMULATOR,
};
const uint16_t board_lead_us = 6000, board_replan_us = 2000;

static const char NAMES[48] PROGMEM = "stimctl reference\0\0\0\0\0\0\0" SERIAL;
static const char IMAGE[35] PROGMEM = "\0\1\0<image's SHA-256 is put in here>"; /* by firmware/stamp.py */

void board_names(uint8_t page, uint8_t *to)
{
    if (page == 0)
        memcpy_P(to, NAMES, sizeof NAMES);
    else if (page == 1)
        memcpy_P(to, IMAGE, sizeof IMAGE);
}

/* --- the line -------------------------------------------------------------------------------------- */

static volatile uint8_t ring[RING], ring_in;
static uint8_t ring_out;
static const uint8_t *volatile sending;
static volatile uint8_t to_send;

#ifndef USART_RX_vect /* the Mega 2560 has four of them */
#define USART_RX_vect USART0_RX_vect
#define USART_UDRE_vect USART0_UDRE_vect
#endif

/* The Stop that hosts send, behind the end of another frame. The loop may be busy for two milliseconds, so that the
 * outputs are taken away here; all else about a Stop is done when its turn comes. */
static const uint8_t STOP_ON_LINE[10] PROGMEM = {0x00, 0x02, 0x1F, 0x01, 0x05, 0x5F, 0x3D, 0x3B, 0xE8, 0x00};

ISR(USART_RX_vect)
{
    static uint8_t matched = 1;
    uint8_t place = ring_in, byte = UDR0;
    ring[place] = byte;
    ring_in = (uint8_t)((place + 1u) % RING);
    matched = byte == pgm_read_byte(&STOP_ON_LINE[matched]) ? (uint8_t)(matched + 1u) : byte == 0;
    if (matched == sizeof STOP_ON_LINE) {
        matched = 1;
        flight_halt();
    }
}

ISR(USART_UDRE_vect)
{
    if (to_send == 0) {
        UCSR0B &= (uint8_t)~(1u << UDRIE0);
        return;
    }
    to_send--;
    UDR0 = *sending++;
}

static void line_boot(void)
{
    UCSR0A = 1u << U2X0; /* first: simavr takes the rate from what stands there when the divider is written */
    UBRR0 = BAUD_DIVIDER;
    UCSR0B = 1u << RXEN0 | 1u << TXEN0 | 1u << RXCIE0;
}

bool board_line_free(void)
{
    return to_send == 0;
}

void board_send(const uint8_t *frame, uint8_t size)
{
    sending = frame;
    to_send = size;
    UCSR0B |= 1u << UDRIE0;
}

/* --- readings -------------------------------------------------------------------------------------- */

static uint16_t size_of(int16_t value)
{
    return (uint16_t)(value < 0 ? -value : value);
}

uint16_t board_ammeter_ua(uint8_t channel)
{
    return (uint16_t)((size_of(quarters_of(adc_read(ammeter_input(channel)))) + 2u) / 4u);
}

static uint16_t difference(uint16_t a, uint16_t b)
{
    return a > b ? a - b : b - a;
}

/* What flows into the resistor, by its voltage, and what the ammeter says of it. */
static uint8_t try_one(uint8_t channel, uint8_t way, uint16_t ua)
{
    uint8_t failures = 0;
    PORTB = (uint8_t)(PORTB | 1u << way);
    _delay_us(SETTLE_US);
    uint16_t read_ua = board_ammeter_ua(channel);
    uint16_t flowing_ua = (uint16_t)(half_mv_now(true) / 2u); /* 1 kohm: as many uA as mV */
    PORTB &= (uint8_t)~(1u << way);
    if (difference(flowing_ua, ua) > 10u + ua / 100u)
        failures |= FAILED_DAC;
    if (difference(flowing_ua, read_ua) > 10u + ua / 100u)
        failures |= FAILED_READBACK;
    return failures;
}

static uint8_t test_channel(uint8_t channel)
{
    static const uint16_t TRIED_UA[] PROGMEM = {100, 500, 1000, 2000};
    uint8_t failures = 0;
    PORTC = (uint8_t)((PORTC & ~CHANNEL_PINS) | 1u << (channel - 1u));
    for (uint8_t i = 0; i < sizeof TRIED_UA / sizeof *TRIED_UA; i++) {
        uint16_t ua = pgm_read_word(&TRIED_UA[i]);
        dac_set(DAC_CODE(ua), DAC_CODE(ua));
        failures |= try_one(channel, FORWARD, ua);
        failures |= try_one(channel, REVERSE, ua);
    }
    PORTC &= (uint8_t)~CHANNEL_PINS;
    return failures;
}

uint8_t board_self_test(uint16_t *zero_ua)
{
    uint8_t failures = 0;
    *zero_ua = 0;
    PORTB &= (uint8_t)~(1u << FORWARD | 1u << REVERSE);
    PORTC |= 1u << TEST;
    PORTD |= 1u << OUTPUT_ENABLE;
    for (uint8_t channel = 1; channel <= CHANNELS; channel++)
        failures |= test_channel(channel);
    PORTD &= (uint8_t)~(1u << OUTPUT_ENABLE);
    PORTC &= (uint8_t)~(1u << TEST);
    if (difference((uint16_t)(adc_read(ADC_RAIL) * RAIL_MV_A_STEP), identity.compliance_mv) > RAIL_TOLERANCE_MV)
        failures |= FAILED_RAIL;
    for (uint8_t channel = 1; channel <= CHANNELS; channel++) {
        uint16_t ua = board_ammeter_ua(channel);
        *zero_ua = ua > *zero_ua ? ua : *zero_ua;
    }
    return *zero_ua < ZERO_UA ? failures : failures | FAILED_ZERO;
}

void board_recall(uint16_t address, void *data, uint8_t size)
{
    fram_read(address, data, size);
}

/* The lowest bits of 256 conversions of an input that nothing is connected to. */
void board_noise(uint8_t bytes[32])
{
    ADMUX = 1u << REFS0 | OPEN_INPUT;
    ADCSRA = 1u << ADEN | 1u << ADPS2; /* over 16 */
    for (uint8_t i = 0; i < 32; i++) {
        for (uint8_t bit = 0; bit < 8; bit++) {
            ADCSRA |= 1u << ADSC;
            while (ADCSRA & 1u << ADSC)
                ;
            bytes[i] = (uint8_t)((uint8_t)(bytes[i] << 1) | (ADC & 1u));
        }
    }
    ADCSRA = 0;
}

/* --- the loop -------------------------------------------------------------------------------------- */

ISR(TIMER0_OVF_vect) {} /* wakes the loop */

/* The pulse behind one that is over may be half a millisecond away: bytes wait. */
static void take_bytes(void)
{
    while (ring_out != ring_in && !flight_is_over()) {
        core_receive(ring[ring_out]);
        ring_out = (uint8_t)((ring_out + 1u) % RING);
    }
}

/* Sleep to the next interrupt, unless something is to be done before timer 0's next tick. */
static void nap(void)
{
    if (flight_is_over() || core_next_us() < board_now_us() + NAP_US)
        return;
    cli();
    if (ring_out == ring_in && !flight_is_over() && !(telemetry_waits() && to_send == 0)) {
        sleep_enable();
        sei();
        sleep_cpu();
        sleep_disable();
    }
    sei();
}

int main(void)
{
    MCUSR = 0;
    wdt_disable();
    bus_boot();
    flight_boot();
    line_boot();
    TCCR0B = 1u << CS01 | 1u << CS00; /* over 64 */
    TIMSK0 = 1u << TOIE0;
    sei();
    core_boot();
    wdt_enable(WDTO_30MS);
    for (;;) {
        wdt_reset();
        take_bytes();
        core_poll();
        nap();
    }
}
