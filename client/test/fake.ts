// The other side of a socket, in memory: what fake timers can drive. test/real.test.ts has the real one.
import { setMaxListeners } from 'node:events';
import { afterEach, beforeEach, vi } from 'vitest';
import { Roomgate } from '../src/index.js';
import type { Options, RoomgateEventMap } from '../src/index.js';

export class FakeSocket {
  static all: FakeSocket[] = [];

  binaryType = '';
  bufferedAmount = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  sent: any[] = [];
  closed?: unknown[];
  dialed = Date.now();
  url: URL;

  constructor(url: string | URL, public protocols: string | string[] = []) {
    this.url = new URL(url);
    FakeSocket.all.push(this);
  }

  get rooms(): string[] { return this.url.searchParams.getAll('room'); }

  send(text: string): void { this.sent.push(JSON.parse(text)); }
  close(...how: [code?: number, reason?: string]): void {
    const [code, reason = ''] = how;
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999)) throw new DOMException('code', 'InvalidAccessError');
    if (reason.length > 123) throw new DOMException('reason', 'SyntaxError');
    this.closed = how;
  }

  /** The gateway sends a frame. */
  say(frame: object): void { this.onmessage?.({ data: JSON.stringify(frame) }); }
  hello(rooms: string[] = this.rooms): void {
    this.onopen?.();
    this.say({ type: 'hello', v: 1, conn: 'c1', sub: 'u1', rooms, exp: 1767225600, ping: 30 });
  }
  /** The connection ends. */
  end(code: number, reason = ''): void { this.onclose?.({ code, reason }); }
  /** Answers what was asked last of that type. */
  answer(asked: string, frame: object): void {
    this.say({ ...frame, ref: this.sent.findLast((sent) => sent.type === asked).ref });
  }
  of(type: string): any[] { return this.sent.filter((sent) => sent.type === type); }
}

export const sockets = FakeSocket.all;
export const last = (): FakeSocket => sockets.at(-1)!;

/** Runs what is due now: microtasks, and timers of 0 ms. */
export const settle = () => vi.advanceTimersByTimeAsync(0);

/** What looks like a JWT, of that name. */
export const jwt = (name: string) => `h.${name}.s`;

/** A client whose first socket has been dialed; `first` is done in the turn that made it. */
export async function dial(options: Options = {}, first: (gate: Roomgate) => void = () => {}): Promise<Roomgate> {
  const gate = new Roomgate('wss://gate.test/ws', { WebSocket: FakeSocket, ...options });
  made.push(gate);
  first(gate);
  await settle();
  return gate;
}

/** A client that is open. */
export async function open(options: Options = {}, rooms?: string[]): Promise<Roomgate> {
  const gate = await dial(options);
  last().hello(rooms);
  await settle();
  return gate;
}

/** Collects the details of an event. */
export function events<K extends keyof RoomgateEventMap>(gate: Roomgate, type: K): RoomgateEventMap[K]['detail'][] {
  const all: RoomgateEventMap[K]['detail'][] = [];
  gate.addEventListener(type, (event) => { all.push(event.detail); });
  return all;
}

/** A page that a test makes sleep, wake, and lose the network. Its window hears what happens at the document, too, as a browser's does. */
export class Page {
  document = { hidden: false };
  #target = new EventTarget();

  constructor() {
    setMaxListeners(0, this.#target);
    vi.stubGlobal('document', this.document);
    vi.stubGlobal('navigator', { onLine: true });
    vi.stubGlobal('addEventListener', this.#target.addEventListener.bind(this.#target));
  }

  online(yes: boolean, told = true): void {
    vi.stubGlobal('navigator', { onLine: yes });
    if (told) this.#target.dispatchEvent(new Event(yes ? 'online' : 'offline'));
  }
  show(): void { this.#turn(false); }
  hide(): void { this.#turn(true); }
  fromCache(): void { this.#target.dispatchEvent(new Event('pageshow')); }
  resume(): void { this.#target.dispatchEvent(new Event('resume')); }

  #turn(hidden: boolean): void {
    this.document.hidden = hidden;
    this.#target.dispatchEvent(new Event('visibilitychange'));
  }
}

/** Numbers that look random, and are the same in each run. */
function seedRandom(seed = 1): void {
  vi.spyOn(Math, 'random').mockImplementation(() => { // mulberry32
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  });
}

const made: Roomgate[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  seedRandom(); // one draw in a thousand would be a wait of no time at all
  sockets.length = 0;
});

afterEach(async () => {
  for (const gate of made.splice(0)) gate.close();
  await settle();
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left) throw new Error(`${left} timers are left after close()`);
});
