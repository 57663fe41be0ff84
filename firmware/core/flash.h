/* Tables that stand in flash where that is a memory of its own. */
#ifndef FLASH_H
#define FLASH_H

#ifdef __AVR__
#include <avr/pgmspace.h>
#define IN_FLASH PROGMEM
#define FAST __attribute__((optimize("O3"))) /* what is done a thousand times a pulse */
#define READ_BYTE(at) pgm_read_byte(at)
#define READ_WORD(at) pgm_read_word(at)
#define READ_LONG(at) pgm_read_dword(at)
#define OWN_FRAME __attribute__((noinline)) /* its stack is given back where it ends */
#else
#define OWN_FRAME
#define IN_FLASH
#define FAST
#define READ_BYTE(at) (*(at))
#define READ_WORD(at) (*(at))
#define READ_LONG(at) (*(at))
#endif

#endif
