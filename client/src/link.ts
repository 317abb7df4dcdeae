import type { Frame, RoomgateError, Socket } from './types.js';

// Names that begin with _ are of this package's own modules only: build.mjs gives them short ones.

/** A frame of the protocol, either way. */
export interface Wire {
  type: string;
  ref?: number | string;
  room?: string;
  [key: string]: any;
}

/** What a link tells its owner. Nothing any more once it was dropped. */
export interface Owner {
  _opened(): void;
  /** A frame that answers no request of this link. */
  _received(data: any): void;
  /** The connection is gone. The owner drops the link. */
  _ended(code: number, reason: string): void;
  _seen(direction: Frame['direction'], text: string): void;
}

interface Request {
  _resolve(answer: Wire): void;
  _reject(error: RoomgateError): void;
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
  _latency?: number;

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
    socket.onopen = () => owner._opened();
    socket.onmessage = (event: MessageEvent) => this.#received(event.data);
    socket.onclose = (event: CloseEvent) => owner._ended(event.code || 1006, event.reason); // Deno has 0 for it
    socket.onerror = () => {}; // onclose follows, and says more; without a listener the package ws would throw
  }

  /** Closes the socket, without waiting for the other side, which may be long gone. */
  _drop(code: number, reason: string): void {
    const socket = this.#socket;
    try {
      socket.close(code, reason);
    } catch {
      socket.close(); // 1006, and others that nobody may send
    }
    socket.onopen = socket.onmessage = socket.onclose = null;
    for (const timer of this.#timers) clearTimeout(timer);
    const error = this.#dropped = failure('closed', `the connection ended (${code}) before an answer`);
    for (const request of this.#requests.values()) request._reject(error);
  }

  /** Calls then in ms, unless the link is dropped before. */
  _later(then: () => void, ms: number): void {
    if (this.#dropped) return;
    const timer = delay(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    this.#timers.add(timer);
  }

  /** Sends a frame, and resolves with its answer, or rejects with the error that is one. */
  _ask(type: string, fields?: object): Promise<Wire> {
    return new Promise((resolve, reject) => {
      if (this.#dropped) throw this.#dropped;
      if (this.#socket.bufferedAmount > stalled) throw failure('rate_limited', 'too much unsent');
      const frame: Wire = { type, ...fields, ref: ++this.#refs };
      const text = JSON.stringify(frame);
      this.#socket.send(text); // or throws: then nothing waits
      this.#requests.set(frame.ref, { _resolve: resolve, _reject: reject });
      this.#owner._seen('out', frame.token ? text.replace(frame.token, '…') : text);
    });
  }

  async _ping(): Promise<number> {
    const start = now();
    await this._ask('ping');
    return (this._latency = now() - start);
  }

  /**
   * Asks whether the link lives, and ends it if no frame comes: none after two pings, since the machine may have slept after
   * the first, and the answer not be read yet. In the midst of that it begins anew. A raw link cannot ask.
   */
  _probe(): void {
    if (this.#raw) return;
    const asking = this.#chances;
    this.#chances = 2;
    if (!asking) this.#ask();
  }

  #ask(): void {
    const start = now();
    this._ping().catch(() => {}); // too many messages, say: that is an answer, too
    this._later(() => {
      if (this.#heard >= start) this.#chances = 0;
      else if (--this.#chances) this.#ask();
      else this.#owner._ended(1006, 'no answer to a ping');
    }, patience);
  }

  /** Probes after each silence. */
  _watch(): void {
    const quiet = this.#silence - (now() - this.#heard);
    if (quiet <= 0 && !this.#chances) this._probe();
    this._later(() => this._watch(), quiet > 0 ? quiet : patience);
  }

  #received(data: unknown): void {
    this.#heard = now();
    const text = typeof data === 'string';
    this.#owner._seen('in', text ? data : `${(data as ArrayBuffer).byteLength} bytes`);
    if (this.#dropped) return; // by who saw it
    if (this.#raw) return this.#owner._received(text ? data : new Uint8Array(data as ArrayBuffer));
    let frame: Wire;
    try {
      frame = Object(JSON.parse(data as string));
    } catch {
      frame = { type: 'error', code: 'frame', message: 'not JSON: is this a roomgate?' };
    }
    const request = this.#requests.get(frame.ref);
    this.#requests.delete(frame.ref);
    if (request && frame.type === 'error') request._reject(failure(frame.code, frame.message));
    else {
      request?._resolve(frame);
      this.#owner._received(frame);
    }
  }
}
