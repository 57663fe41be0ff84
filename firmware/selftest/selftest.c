/* What the emulator makes of each peripheral that the firmware rests on: marks on the bridge's pins, whose cycles are
 * compared with the datasheet by tests/firmware/peripherals.py. Built once for each row: -DROW=... */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/wdt.h>

#define MARK() (PORTB |= 1u << 4, PORTB &= (uint8_t)~(1u << 4))
#define TIMER_PERIOD 1
#define ROUNDS 2
#define EARLY_EDGE 3
#define TICK 4
#define LINE 5
#define NOISE 6
#define HANG 7

static volatile uint16_t next = 2000;

#if ROW == TIMER_PERIOD
ISR(TIMER1_COMPA_vect) { MARK(); }
#elif ROW == ROUNDS
ISR(TIMER1_COMPA_vect) { MARK(); }
ISR(TIMER1_COMPB_vect) { next += 2000; OCR1B = next; }
#elif ROW == EARLY_EDGE
ISR(TIMER1_COMPB_vect)
{
    while ((int16_t)(TCNT1 - next) < 0)
        ;
    MARK();
    next += 2000;
    OCR1B = (uint16_t)(next - 32u);
}
ISR(TIMER0_OVF_vect) { for (volatile uint8_t i = 0; i < 6; i++) ; } /* some 4 us, beside it */
#elif ROW == TICK
ISR(TIMER0_OVF_vect) { MARK(); }
#elif ROW == LINE
ISR(USART_UDRE_vect) { UDR0 = 0x55; MARK(); }
#endif

int main(void)
{
    MCUSR = 0;
    wdt_disable();
    DDRB = 1u << 4;
    MARK();
#if ROW == TIMER_PERIOD
    OCR1A = 1599;
    TCCR1B = 1u << WGM12 | 1u << CS10;
    TIMSK1 = 1u << OCIE1A;
#elif ROW == ROUNDS || ROW == EARLY_EDGE
    OCR1A = 0xFFFF;
    OCR1B = ROW == ROUNDS ? 2000 : 2000 - 32;
    TCCR1B = 1u << WGM12 | 1u << CS11;
    TIMSK1 = ROW == ROUNDS ? 1u << OCIE1A | 1u << OCIE1B : 1u << OCIE1B;
    TCCR0B = 1u << CS00;
    TIMSK0 = ROW == EARLY_EDGE ? 1u << TOIE0 : 0;
#elif ROW == TICK
    TCCR0B = 1u << CS01 | 1u << CS00;
    TIMSK0 = 1u << TOIE0;
#elif ROW == LINE
    UCSR0A = 1u << U2X0;
    UBRR0 = 16;
    UCSR0B = 1u << TXEN0 | 1u << UDRIE0;
#elif ROW == NOISE
    ADMUX = 1u << REFS0 | 5;
    ADCSRA = 1u << ADEN | 1u << ADPS2;
    for (;;) {
        ADCSRA |= 1u << ADSC;
        while (ADCSRA & 1u << ADSC)
            ;
        MARK();
    }
#elif ROW == HANG
    wdt_enable(WDTO_30MS);
#endif
    sei();
    for (;;)
        ;
}
