#!/usr/bin/env node
// avr8js with our board around it, asked over a pipe exactly as emulator/main.c is (its head says what there is): a
// second opinion on timing. The board model is the same, as WebAssembly.
import { readFileSync, readSync, writeSync } from "node:fs";
import * as avr from "avr8js";

const HZ = 16_000_000, BYTE_CYCLES = 1_389, PAINT = 0xa5, FRAM = 2_048, RAM = [0x100, 0x900], VECTORS = 26;
const PORTS = { B: avr.portBConfig, C: avr.portCConfig, D: avr.portDConfig };

// --- the chip and its board

const flash = new Uint16Array(0x4000);
let cpu, usart, ports, levels = { B: 0, C: 0, D: 0 };
let frameLeft = false, resets = false, arrives = false, powerGoes = false, noise = 1n;
let out = [], changes = [], waiting = [], latencies = fresh();

function fresh() {
  return Array.from({ length: VECTORS }, () => ({ longest: 0, times: 0, flag: 0 }));
}

function loadElf(path) {
  const file = readFileSync(path), bytes = new Uint8Array(flash.buffer);
  const [at, size, count] = [file.readUInt32LE(28), file.readUInt16LE(42), file.readUInt16LE(44)];
  for (let number = 0; number < count; number++) {
    const header = at + number * size;
    const [kind, from, , to, length] = [0, 4, 8, 12, 16].map((field) => file.readUInt32LE(header + field));
    if (kind === 1 && to + length <= bytes.length) bytes.set(file.subarray(from, from + length), to);
  }
}

const board = (await WebAssembly.instantiate(readFileSync(new URL("board.wasm", import.meta.url)), {
  env: {
    exp: Math.exp, log: Math.log, fmax: Math.max, fmin: Math.min,
    round: (of) => Math.sign(of) * Math.round(Math.abs(of)),
    js_set_pin: (port, pin, value) => ports[String.fromCharCode(port)].setPin(pin, value !== 0),
    js_note: (cycle, value, kind) => changes.push([cycle, value, kind]),
  },
})).instance.exports;

function moved(port, value) {
  const changed = value ^ levels[port];
  levels[port] = value;
  for (let pin = 0; pin < 8; pin++)
    if (changed >> pin & 1) board.pin(port.charCodeAt(0), pin, value >> pin & 1, cpu.cycles);
}

function watchInterrupts() {
  const queue = cpu.queueInterrupt.bind(cpu);
  cpu.queueInterrupt = (interrupt) => {
    if (!cpu.pendingInterrupts[interrupt.address]) latencies[interrupt.address >> 1].flag = cpu.cycles;
    queue(interrupt);
  };
}

function entered(address) {
  const of = latencies[address >> 1];
  of.times++;
  of.longest = Math.max(of.longest, cpu.cycles - of.flag);
}

function powerOn(cycle, ram) {
  cpu = new avr.CPU(flash);
  cpu.cycles = cycle;
  cpu.data.set(ram ?? new Uint8Array(RAM[1] - RAM[0]).fill(PAINT), RAM[0]);
  watchInterrupts();
  ports = {};
  for (const [name, config] of Object.entries(PORTS)) {
    ports[name] = new avr.AVRIOPort(cpu, config);
    ports[name].addListener((value) => moved(name, value));
    moved(name, 0);
  }
  const clock = new avr.AVRClock(cpu, HZ);
  for (const timer of [avr.timer0Config, avr.timer1Config]) new avr.AVRTimer(cpu, timer);
  new avr.AVRWatchdog(cpu, avr.watchdogConfig, clock);
  cpu.reset = () => { resets = true; };
  usart = new avr.AVRUSART(cpu, avr.usart0Config, HZ);
  // avr8js 0.21.1 clears UDRE0 when its interrupt is taken, where only a byte does, and lets a write to the status
  // register clear what can only be read: RXC0 and UDRE0.
  usart.UDRE.constant = true;
  const status = avr.usart0Config.UCSRA, written = cpu.writeHooks[status];
  cpu.writeHooks[status] = (value, old, at, mask) => {
    written(value, old, at, mask);
    cpu.data[status] |= old & 0xa0;
    return true;
  };
  usart.onByteTransmit = (byte) => {
    out.push(byte);
    if (byte === 0) cpu.addClockEvent(() => { frameLeft = true; }, BYTE_CYCLES);
  };
  const adc = new avr.AVRADC(cpu, avr.adcConfig);
  adc.onADCRead = () => {
    noise = BigInt.asUintN(64, noise * 6364136223846793005n + 1442695040888963407n);
    cpu.addClockEvent(() => adc.completeADCRead(205 + Number(noise >> 58n)), adc.sampleCycles);
  };
}

function reset(power) {
  powerOn(cpu.cycles, power ? null : cpu.data.slice(...RAM));
  resets = arrives = false;
  waiting = [];
  board.reset_after(0);
}

// avr8js's own `tick`, and a clock beside it.
function tick() {
  const event = cpu.nextClockEvent;
  if (event && event.cycles <= cpu.cycles) {
    event.callback();
    cpu.nextClockEvent = event.next;
  }
  if (!cpu.interruptsEnabled || cpu.nextInterrupt < 0) return;
  const interrupt = cpu.pendingInterrupts[cpu.nextInterrupt];
  entered(interrupt.address);
  avr.avrInterrupt(cpu, interrupt.address);
  if (!interrupt.constant) cpu.clearInterrupt(interrupt);
}

function step() {
  avr.avrInstruction(cpu);
  tick();
  if (board.is_cut()) reset(powerGoes);
  else if (resets) reset(false);
}

// --- requests

function run(request) {
  const until = Number(request.readBigUInt64LE(0)), whole = request[8] !== 0;
  while (cpu.cycles < until && !(whole && frameLeft)) step();
  frameLeft = false;
  const answer = Buffer.alloc(13 + out.length + 4 + changes.length * 11);
  answer.writeBigUInt64LE(BigInt(cpu.cycles), 0);
  answer[8] = 1;
  answer.writeUInt32LE(out.length, 9);
  answer.set(out, 13);
  let at = answer.writeUInt32LE(changes.length, 13 + out.length);
  for (const [cycle, value, kind] of changes) {
    at = answer.writeBigUInt64LE(BigInt(cycle), at);
    at = answer.writeUInt16LE(value, at);
    at = answer.writeUInt8(kind, at);
  }
  out = [];
  changes = [];
  return answer;
}

function byteIn() {
  arrives = waiting.length > 0;
  if (!arrives) return;
  usart.writeByte(waiting.shift(), true);
  cpu.addClockEvent(byteIn, BYTE_CYCLES);
}

function bytesIn(bytes) {
  waiting.push(...bytes);
  if (!arrives && bytes.length) cpu.addClockEvent(byteIn, BYTE_CYCLES);
  arrives ||= bytes.length > 0;
}

function connect(of) {
  const numbers = [1, 9, 17].map((at) => of.readDoubleLE(at));
  board.connect(of[0], ...numbers, ...[25, 29, 33].map((at) => of.readInt32LE(at)));
}

function hang() {
  flash[flash.length - 1] = 0xcfff; // rjmp .-2
  cpu.pc = flash.length - 1;
  cpu.data[95] &= 0x7f;
}

function untouched(from) {
  let count = 0;
  while (from + count < RAM[1] && cpu.data[from + count] === PAINT) count++;
  return Buffer.from([count & 255, count >> 8]);
}

function told() {
  const answer = Buffer.alloc(VECTORS * 16);
  latencies.forEach(({ longest, times, flag }, number) => {
    answer.writeUInt32LE(longest, number * 16);
    answer.writeUInt32LE(times, number * 16 + 4);
    answer.writeBigUInt64LE(BigInt(flag), number * 16 + 8);
  });
  latencies = fresh();
  return answer;
}

const fram = () => new Uint8Array(board.memory.buffer, board.fram(), FRAM);
const SERVED = {
  r: run,
  i: bytesIn,
  l: connect,
  d: (of) => board.break_dac(of[0], of.readDoubleLE(1), of.readDoubleLE(9)),
  x: (of) => reset(of[0] !== 0),
  m: () => Buffer.from(fram()),
  M: (of) => fram().set(of.subarray(0, FRAM)),
  w: (of) => { powerGoes = of[4] !== 0; board.reset_after(of.readUInt32LE(0)); },
  s: (of) => untouched(of.readUInt16LE(0)),
  q: told,
  f: (of) => Buffer.from([(cpu.data[of.readUInt16LE(0)] ^= of[2])]),
  h: hang,
};

function read(size) {
  const data = Buffer.alloc(size);
  for (let have = 0; have < size;) {
    const more = readSync(0, data, have, size - have, null);
    if (more === 0) process.exit(0);
    have += more;
  }
  return data;
}

loadElf(process.argv[2]);
board.boot();
powerOn(0, null);
for (;;) {
  const head = read(5), request = read(head.readUInt32LE(1));
  const answer = SERVED[String.fromCharCode(head[0])]?.(request);
  const body = answer instanceof Uint8Array ? answer : Buffer.alloc(0), size = Buffer.alloc(4);
  size.writeUInt32LE(body.length, 0);
  const whole = Buffer.concat([size, body]);
  for (let sent = 0; sent < whole.length;) sent += writeSync(1, whole, sent);
}
