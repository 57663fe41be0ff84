#include "flight.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <string.h>

#include "bus.h"
#include "codes.h"
#include "converters.h"
#include "pins.h"

#define FIRE_EARLY (16u * TICKS_A_US)  /* an interrupt is entered, and another one may hold it up */
#define MARK_TIME (36u * TICKS_A_US)   /* what it takes to keep a pulse's mark */
#define BYTE_TIME (6u * TICKS_A_US)    /* and each byte of what else is kept */
#define BYTES_MORE 6u                  /* order and address, and the call */
#define FIRST_LOOK (12u * TICKS_A_US)  /* the current has come to stand */
#define LOOK_AGAIN (300u * TICKS_A_US) /* in a long phase an over-current is looked for so often */
#define LOOK_TIME (120u * TICKS_A_US)  /* what a look and the end take, at most */
#define VOLT_EARLY (48u * TICKS_A_US)  /* two conversions, then the edge */
#define COARSE_EARLY (32u * TICKS_A_US) /* one */
#define NARROW_US 130u                  /* a phase in which not all seven conversions find room */
#define SPIN (40u * TICKS_A_US)        /* a gap so short is waited for */
#define DEAD (3u * TICKS_A_US)         /* between the two sides of the bridge, where no gap is asked for */
#define ARM_TIME (40u * TICKS_A_US)    /* from the counter to the compare register, in board_arm */
#define SOON 6u                        /* ticks: nearer than that no interrupt comes */

enum step { NONE_YET, FIRST_EDGE, FIRST_LOOKS, FIRST_END, SECOND_EDGE, SECOND_LOOKS, SECOND_END, OVER };

static const struct pulse *given; /* the core keeps it until its reading is taken */
static volatile uint8_t step;
static uint16_t begin_tick, edge_tick, end_tick, cut_code;
static int16_t sums[2];
static uint16_t volts[2];
static uint8_t looks[2];
static uint8_t cut_channel;
static volatile bool halted; /* until the stage is enabled anew no pulse begins */
static uint16_t took_ticks;

void flight_boot(void)
{
    DDRB |= 1u << FORWARD | 1u << REVERSE;
    DDRC |= CHANNEL_PINS | 1u << TEST;
    DDRD |= 1u << OUTPUT_ENABLE;
    OCR1A = 0xFFFF; /* the counter runs round: CTC, over 8 */
    TCCR1A = 0;
    TCCR1B = 1u << WGM12 | 1u << CS11;
    TIMSK1 = 1u << OCIE1A;
}

/* --- time ------------------------------------------------------------------------------------------ */

static volatile uint32_t rounds;

ISR(TIMER1_COMPA_vect)
{
    rounds++;
}

uint64_t board_now_us(void)
{
    uint8_t sreg = SREG;
    cli();
    uint16_t tick = TCNT1;
    uint32_t round = rounds;
    if (TIFR1 & 1u << OCF1A && tick < 0x8000u)
        round++; /* it has come round, and nobody has counted it yet */
    SREG = sreg;
    return ((uint64_t)round << 16 | tick) / TICKS_A_US;
}

/* --- readings -------------------------------------------------------------------------------------- */

uint8_t ammeter_input(uint8_t channel)
{
    return (uint8_t)(channel - 1u);
}

int16_t quarters_of(uint16_t code)
{
    return (int16_t)(((int16_t)code - ADC_ZERO) * QUARTERS_A_STEP);
}

static uint16_t size_of(int16_t value)
{
    return (uint16_t)(value < 0 ? -value : value);
}

uint16_t half_mv_now(bool fine)
{
    uint16_t coarse = size_of((int16_t)(adc_read(ADC_VOLT) - ADC_ZERO));
    uint16_t exact = fine ? size_of((int16_t)(adc_read(ADC_VOLT_FINE) - ADC_ZERO)) : 0xFFFFu;
    return exact <= FINE_REACH ? exact : (uint16_t)(coarse * HALF_MV_A_COARSE_STEP);
}

/* --- edges ----------------------------------------------------------------------------------------- */

/* In interrupts, at most 127 us: by the counter's lower byte, of which no step is passed by unseen. */
static void wait_for(uint16_t tick)
{
    uint8_t low = (uint8_t)tick;
    if ((int16_t)(TCNT1 - tick) >= 0)
        return;
    while (TCNT1L != low)
        ;
}

static void cut(uint8_t channel, uint16_t code)
{
    PORTB |= 1u << FORWARD | 1u << REVERSE;
    took_ticks = (uint16_t)(TCNT1 - begin_tick);
    cut_channel = channel;
    cut_code = code;
    step = OVER;
}

static bool is_over(uint16_t code, uint16_t most_ua)
{
    return size_of(quarters_of(code)) > 4u * most_ua;
}

static void look_at_others(void)
{
    for (uint8_t channel = 1; channel <= CHANNELS && step != OVER; channel++) {
        uint16_t code = channel == given->channel ? ADC_ZERO : adc_read(ammeter_input(channel));
        if (is_over(code, given->most_other_ua))
            cut(channel, code);
    }
}

/* Each gives the tick at which the next one is to be entered. */
static uint16_t look(uint8_t phase, uint16_t most_ua, uint16_t early)
{
    uint16_t code = adc_read(ammeter_input(given->channel));
    sums[phase] = (int16_t)(sums[phase] + (int16_t)(code - ADC_ZERO));
    looks[phase]++;
    if (is_over(code, most_ua))
        cut(given->channel, code);
    else if (phase || given->width_us >= NARROW_US)
        look_at_others(); /* where the larger phase is the first, it is the one that shows most */
    if (step == OVER)
        return 0;
    if ((int16_t)(end_tick - TCNT1) > (int16_t)(LOOK_AGAIN + LOOK_TIME))
        return (uint16_t)(TCNT1 + LOOK_AGAIN);
    step++;
    return (uint16_t)(end_tick - early);
}

static uint16_t first_edge(void)
{
    fram_write((uint16_t)(MARKS_AT + given->channel - 1u), &given->mark, 1);
    wait_for(edge_tick);
    PORTB |= 1u << FORWARD;
    begin_tick = edge_tick;
    end_tick = (uint16_t)(edge_tick + given->width_us * TICKS_A_US);
    step = FIRST_LOOKS;
    return (uint16_t)(edge_tick + FIRST_LOOK);
}

static uint16_t second_edge(void)
{
    wait_for(edge_tick);
    PORTB |= 1u << REVERSE;
    end_tick = (uint16_t)(edge_tick + given->second_width_us * TICKS_A_US);
    step = SECOND_LOOKS;
    return (uint16_t)(edge_tick + FIRST_LOOK);
}

static uint16_t first_end(void)
{
    volts[0] = half_mv_now(true);
    wait_for(end_tick);
    PORTB &= (uint8_t)~(1u << FORWARD);
    edge_tick = (uint16_t)(end_tick + (given->gap_us ? given->gap_us * TICKS_A_US : DEAD));
    step = SECOND_EDGE;
    return given->gap_us * TICKS_A_US < SPIN ? second_edge() : (uint16_t)(edge_tick - FIRE_EARLY);
}

static uint16_t second_end(void)
{
    volts[1] = given->second_width_us < NARROW_US ? volts[0] : half_mv_now(false);
    wait_for(end_tick);
    PORTB &= (uint8_t)~(1u << REVERSE);
    took_ticks = (uint16_t)(end_tick - begin_tick);
    step = OVER;
    return 0;
}

static uint16_t next_step(void)
{
    switch (step) {
    case FIRST_EDGE: return first_edge();
    case FIRST_LOOKS: return look(0, given->most_first_ua, VOLT_EARLY);
    case FIRST_END: return first_end();
    case SECOND_EDGE: return second_edge();
    case SECOND_LOOKS: return look(1, given->most_second_ua, COARSE_EARLY);
    case SECOND_END: return second_end();
    default: return 0;
    }
}

ISR(TIMER1_COMPB_vect)
{
    if ((int16_t)(OCR1B - TCNT1) > (int16_t)SOON)
        return; /* an old match: the flag is not cleared by hand, which costs simavr 1.6 a match of the other register */
    for (;;) {
        uint16_t tick = next_step();
        if (step == OVER || step == NONE_YET) {
            TIMSK1 &= (uint8_t)~(1u << OCIE1B);
            if (halted)
                PORTD &= (uint8_t)~(1u << OUTPUT_ENABLE);
            return;
        }
        OCR1B = tick;
        if ((int16_t)(tick - TCNT1) > (int16_t)SOON)
            return;
    }
}

/* --- what the core asks for ------------------------------------------------------------------------ */

/* With interrupts off. A pulse that is on its way is completed; one that waits goes on waiting, until it is disarmed. */
void flight_halt(void)
{
    if (PORTC & 1u << TEST)
        return; /* nothing is connected */
    halted = true;
    if (step > FIRST_EDGE && step < OVER)
        return;
    TIMSK1 &= (uint8_t)~(1u << OCIE1B);
    PORTD &= (uint8_t)~(1u << OUTPUT_ENABLE);
}

void board_stage(bool enabled)
{
    halted = !enabled;
    if (!enabled) {
        (void)board_disarm();
        PORTD &= (uint8_t)~(1u << OUTPUT_ENABLE);
        return;
    }
    PORTB &= (uint8_t)~(1u << FORWARD | 1u << REVERSE); /* a discharge goes on until then */
    PORTC &= (uint8_t)~CHANNEL_PINS;
    PORTD |= 1u << OUTPUT_ENABLE;
}

void board_arm(const struct pulse *pulse)
{
    given = pulse;
    dac_set(DAC_CODE(pulse->first_ua), DAC_CODE(pulse->second_ua));
    PORTC = (uint8_t)((PORTC & ~CHANNEL_PINS) | 1u << (pulse->channel - 1u));
    memset(sums, 0, sizeof sums);
    memset(looks, 0, sizeof looks);
    memset(volts, 0, sizeof volts);
    cut_channel = 0;
    uint64_t soon_us = board_now_us() + (MARK_TIME + FIRE_EARLY + ARM_TIME) / TICKS_A_US;
    edge_tick = (uint16_t)((pulse->at_us > soon_us ? pulse->at_us : soon_us) * TICKS_A_US);
    uint8_t sreg = SREG;
    cli();
    step = FIRST_EDGE;
    OCR1B = (uint16_t)(edge_tick - MARK_TIME - FIRE_EARLY);
    if (!halted)
        TIMSK1 |= 1u << OCIE1B;
    SREG = sreg;
}

static bool mark_is_near(uint16_t ticks)
{
    uint8_t sreg = SREG;
    cli();
    bool near = step == FIRST_EDGE && TIMSK1 & 1u << OCIE1B && (int16_t)(OCR1B - TCNT1) < (int16_t)ticks;
    SREG = sreg;
    return near;
}

/* The bus is the mark's just before an edge: what would not be done by then waits for it. */
void board_keep(uint16_t address, const void *data, uint8_t size)
{
    uint16_t takes = (uint16_t)((size + BYTES_MORE) * BYTE_TIME);
    while (mark_is_near(takes))
        ;
    fram_write(address, data, size);
}

bool board_disarm(void)
{
    uint8_t sreg = SREG;
    cli();
    bool waited = step == FIRST_EDGE;
    if (waited) {
        step = NONE_YET;
        TIMSK1 &= (uint8_t)~(1u << OCIE1B);
    }
    SREG = sreg;
    return waited;
}

static int16_t mean_of(uint8_t phase)
{
    return looks[phase] ? (int16_t)(sums[phase] * QUARTERS_A_STEP / looks[phase]) : 0;
}

enum flight board_pulse(struct reading *reading)
{
    uint8_t now = step;
    if (now == NONE_YET)
        return NO_PULSE;
    if (now != OVER)
        return now == FIRST_EDGE ? WAITS : FLIES;
    step = NONE_YET;
    reading->first = mean_of(0);
    reading->second = (int16_t)-mean_of(1);
    reading->first_v = volts[0];
    reading->second_v = volts[1];
    reading->took_us = took_ticks / TICKS_A_US;
    reading->cut_channel = cut_channel;
    reading->cut_ua = (uint16_t)((size_of(quarters_of(cut_code)) + 2u) / 4u);
    return DONE;
}

bool flight_is_over(void)
{
    return step == OVER;
}
