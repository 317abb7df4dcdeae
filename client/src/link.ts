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

const patience = 10_000; // ms for the answer to a ping that asks whether the link lives

export const failure = (code: string, message: string): RoomgateError => Object.assign(new Error(message), { code });

/** One WebSocket from its dial to its end, the requests that wait for an answer, and the watch over its silence. */
export class Link {
  latency?: number;

  #socket: Socket;
  #owner: Owner;
  #raw: boolean;
  #silence: number; // ms. What all clients heard at the same time must not make all ping at the same time: each has its own
  #refs = 0;
  #requests = new Map<unknown, Request>();
  #timers = new Set<unknown>();
  #heard = 0; // when the last frame came
  #probing = false;

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
    this.#timers.forEach(clearTimeout as (timer: unknown) => void);
    for (const request of this.#requests.values()) {
      request.reject(failure('closed', `the connection ended (${code}) before an answer`));
    }
  }

  /** Calls then in ms, unless the link is dropped before. */
  later(then: () => void, ms: number): unknown {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  /** Sends a frame, and resolves with its answer, or rejects with the error that is one. */
  ask(type: string, fields?: object): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const frame: Wire = { type, ...fields, ref: ++this.#refs };
      this.#socket.send(JSON.stringify(frame)); // or throws: then nothing waits
      this.#requests.set(frame.ref, { resolve, reject });
      this.#owner.seen('out', JSON.stringify(frame.token ? { ...frame, token: '…' } : frame));
    });
  }

  async ping(): Promise<number> {
    const start = performance.now();
    await this.ask('ping');
    return (this.latency = performance.now() - start);
  }

  /** Asks whether the link lives, and ends it if no frame comes. A raw link cannot ask. */
  probe(): void {
    if (this.#probing || this.#raw) return;
    this.#probing = true;
    const start = Date.now();
    this.ping().catch(() => {}); // too many messages, say: that is an answer, too
    this.later(() => {
      this.#probing = false;
      if (this.#heard < start) this.#owner.ended(1006, 'no answer to a ping');
    }, patience);
  }

  /** Probes after each silence. */
  watch(): void {
    const quiet = this.#silence - (Date.now() - this.#heard);
    if (quiet <= 0) this.probe();
    this.later(() => this.watch(), quiet > 0 ? quiet : patience);
  }

  #received(data: unknown): void {
    this.#heard = Date.now();
    const text = typeof data === 'string';
    this.#owner.seen('in', text ? data : `${(data as ArrayBuffer).byteLength} bytes`);
    if (this.#raw) return this.#owner.received(text ? data : new Uint8Array(data as ArrayBuffer));
    let frame: Wire;
    try {
      frame = Object(JSON.parse(data as string));
    } catch {
      frame = { type: 'error', code: 'frame', message: 'a frame that is not JSON: is this a roomgate?' };
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
