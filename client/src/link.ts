import type { Frame, RoomgateError, Socket } from './types.js';

/** A frame of the protocol, either way. */
export interface Wire {
  type: string;
  ref?: number | string;
  room?: string;
  [key: string]: any;
}

/** What a link tells its owner. Nothing any more once it was dropped. */
export interface Owner {
  opened(): void;
  /** A frame that answers no request of this link. */
  received(data: any): void;
  /** The connection is gone. The owner drops the link. */
  ended(code: number, reason: string): void;
  seen(direction: Frame['direction'], text: string): void;
}

interface Request {
  resolve(answer: Wire): void;
  reject(error: RoomgateError): void;
}

const patience = 5000; // ms for the answer to a ping that asks whether the link lives
const stalled = 1 << 20; // bytes that may wait to be sent

export const failure = (code: string, message: string): RoomgateError => Object.assign(new Error(message), { code });

/** ms, on a clock that nobody sets. */
export const now = () => performance.now();

/** setTimeout, for which more ms than these, or Infinity, would be none at all. */
export const delay = (then: () => void, ms: number) => setTimeout(then, Math.min(ms, 2 ** 31 - 1));

/** One WebSocket from its dial to its end, the requests that wait for an answer, and the watch over its silence. */
export class Link {
  latency?: number;

  #socket: Socket;
  #owner: Owner;
  #raw: boolean;
  #silence: number; // ms. What all clients heard at the same time must not make all ping at the same time: each has its own
  #refs = 0;
  #requests = new Map<unknown, Request>();
  #timers = new Set<ReturnType<typeof delay>>();
  #heard = 0; // when the last frame came
  #chances = 0; // pings that may stay without an answer before the link is ended; 0: it is not in doubt
  #dropped?: RoomgateError;

  constructor(socket: Socket, raw: boolean, silence: number, owner: Owner) {
    this.#socket = socket;
    this.#raw = raw;
    this.#silence = silence * (1 - Math.random() / 4);
    this.#owner = owner;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => owner.opened();
    socket.onmessage = (event: MessageEvent) => this.#received(event.data);
    socket.onclose = (event: CloseEvent) => owner.ended(event.code, event.reason);
    socket.onerror = () => {}; // onclose follows, and says more; without a listener the package ws would throw
  }

  /** Closes the socket, without waiting for the other side, which may be long gone. */
  drop(code: number, reason: string): void {
    const socket = this.#socket;
    try {
      socket.close(code, reason);
    } catch {
      socket.close(); // 1006, and others that nobody may send
    }
    socket.onopen = socket.onmessage = socket.onclose = null;
    for (const timer of this.#timers) clearTimeout(timer);
    const error = this.#dropped = failure('closed', `the connection ended (${code}) before an answer`);
    for (const request of this.#requests.values()) request.reject(error);
  }

  /** Calls then in ms, unless the link is dropped before. */
  later(then: () => void, ms: number): void {
    if (this.#dropped) return;
    const timer = delay(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    this.#timers.add(timer);
  }

  /** Sends a frame, and resolves with its answer, or rejects with the error that is one. */
  ask(type: string, fields?: object): Promise<Wire> {
    return new Promise((resolve, reject) => {
      if (this.#dropped) throw this.#dropped;
      if (this.#socket.bufferedAmount > stalled) throw failure('rate_limited', 'too much unsent');
      const frame: Wire = { type, ...fields, ref: ++this.#refs };
      const text = JSON.stringify(frame);
      this.#socket.send(text); // or throws: then nothing waits
      this.#requests.set(frame.ref, { resolve, reject });
      this.#owner.seen('out', frame.token ? JSON.stringify({ ...frame, token: '…' }) : text);
    });
  }

  async ping(): Promise<number> {
    const start = now();
    await this.ask('ping');
    return (this.latency = now() - start);
  }

  /**
   * Asks whether the link lives, and ends it if no frame comes: none after two pings, since the machine may have slept after
   * the first, and the answer not be read yet. In the midst of that it begins anew. A raw link cannot ask.
   */
  probe(): void {
    if (this.#raw) return;
    const asking = this.#chances;
    this.#chances = 2;
    if (!asking) this.#ask();
  }

  #ask(): void {
    const start = now();
    this.ping().catch(() => {}); // too many messages, say: that is an answer, too
    this.later(() => {
      if (this.#heard >= start) this.#chances = 0;
      else if (--this.#chances) this.#ask();
      else this.#owner.ended(1006, 'no answer to a ping');
    }, patience);
  }

  /** Probes after each silence. */
  watch(): void {
    const quiet = this.#silence - (now() - this.#heard);
    if (quiet <= 0 && !this.#chances) this.probe();
    this.later(() => this.watch(), quiet > 0 ? quiet : patience);
  }

  #received(data: unknown): void {
    this.#heard = now();
    const text = typeof data === 'string';
    this.#owner.seen('in', text ? data : `${(data as ArrayBuffer).byteLength} bytes`);
    if (this.#dropped) return; // by who saw it
    if (this.#raw) return this.#owner.received(text ? data : new Uint8Array(data as ArrayBuffer));
    let frame: Wire;
    try {
      frame = Object(JSON.parse(data as string));
    } catch {
      frame = { type: 'error', code: 'frame', message: 'not JSON: is this a roomgate?' };
    }
    const request = this.#requests.get(frame.ref);
    this.#requests.delete(frame.ref);
    if (request && frame.type === 'error') request.reject(failure(frame.code, frame.message));
    else {
      request?.resolve(frame);
      this.#owner.received(frame);
    }
  }
}
