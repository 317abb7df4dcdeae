/// <reference lib="esnext.disposable" preserve="true" />
import { address } from './address.js';
import { failure, Link, type Wire } from './link.js';
import { Rooms, type Listener } from './rooms.js';
import { asked, stops, wait } from './rule.js';
import { offline, onWake } from './wake.js';
import type { Closed, Message, Options, RoomgateError, RoomgateEventMap, SocketConstructor, State } from './types.js';

const dialing = 20_000; // ms for token, handshake and hello together
const proven = 10_000; // ms after which a connection counts as good, and the next backoff begins anew
// Rooms beyond these are asked for by frames: proxies refuse long URLs, and a gateway that has been given too many rooms; by its default, more than 100.
const urlLength = 2000;
const urlRooms = 100;
const buffered = 1000; // messages that may wait for a slow loop over messages()

export interface Roomgate {
  addEventListener<K extends keyof RoomgateEventMap>(
    type: K, listener: (this: Roomgate, event: RoomgateEventMap[K]) => void, options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof RoomgateEventMap>(
    type: K, listener: (this: Roomgate, event: RoomgateEventMap[K]) => void, options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

/** A connection to roomgate that comes back by itself, and the rooms that it is in. */
export class Roomgate extends EventTarget {
  #url: URL;
  #options: Options;
  #raw: boolean;
  #Socket: SocketConstructor;
  #rooms: Rooms;
  #state: State = 'connecting';
  #link?: Link;
  #only?: string; // raw: the room, if the URL named exactly one
  #turn = 0; // counts dials and ends: who awaits something finds out whether it still matters
  #timer?: ReturnType<typeof setTimeout>; // while connecting: patience; while waiting: the next attempt
  #due = 0; // when the gateway wants us back, and not before; 0 if it did not say
  #after?: number; // of `bye`
  #since = 0; // when this connection opened; 0 before
  #attempt = 0; // connections in a row that did not last
  #end = new AbortController(); // for good

  /**
   * Connects at once.
   * @param url such as `wss://host/ws`, `https://host/ws`, `host/ws`, or, of the page's own host, `/ws`
   * @throws TypeError if it is none, or if there is no WebSocket
   */
  constructor(url: string | URL, options: Options = {}) {
    super();
    this.#url = address(url);
    this.#options = options;
    this.#raw = options.format === 'raw';
    this.#Socket = options.WebSocket ?? globalThis.WebSocket;
    if (!this.#Socket) throw new TypeError('no WebSocket here: pass one as options.WebSocket, such as that of the package ws');
    options.rooms?.forEach(check);
    this.#rooms = new Rooms(options.rooms ?? []);
    const { signal } = options;
    if (signal?.aborted) this.close();
    signal?.addEventListener('abort', () => this.close(), { signal: this.#end.signal });
    if (this.#end.signal.aborted) return;
    onWake(() => this.#wake(), this.#end.signal);
    this.#go();
  }

  get state(): State { return this.#state; }

  /** The rooms that this connection is in, as the gateway says; with `raw`, none. */
  get rooms(): readonly string[] { return [...this.#rooms.joined]; }

  /** ms that the last ping of this connection took. */
  get latency(): number | undefined { return this.#link?.latency; }

  /**
   * Calls `listener` with each message of a room, until the function that it returns is called or the signal is aborted. The room is
   * joined again on each connection, and left when its last listener has gone.
   * @throws TypeError if no room can have that name
   */
  subscribe<T = any>(room: string, listener?: (data: T, message: Message<T>) => void, { signal }: { signal?: AbortSignal } = {}): () => void {
    check(room);
    const own: Listener = (message) => listener?.(message.data as T, message as Message<T>);
    const leave = () => {
      signal?.removeEventListener('abort', leave);
      this.#rooms.remove(room, own);
      this.#sync();
    };
    if (!signal?.aborted) {
      const known = this.#rooms.wanted.has(room);
      signal?.addEventListener('abort', leave);
      this.#rooms.add(room, own);
      this.#sync();
      if (this.#raw && this.#link && !known) this.reconnect(); // only a URL can name a room
    }
    return leave;
  }

  /**
   * The messages of a room, for `for await`. Ends when the signal is aborted or the client is closed. If the loop is slow 1000 messages
   * wait for it; then the oldest go, and there is a `gap` with the reason `overload`. It listens from the first `next()` on.
   */
  async *messages<T = any>(room: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<T, void, undefined> {
    const waiting: T[] = [];
    let behind = false;
    let wake = () => {};
    const leave = this.subscribe<T>(room, (data) => {
      if (waiting.push(data) > buffered) {
        waiting.shift();
        if (!behind) this.#emit('gap', { room, reason: 'overload', after: 0 });
        behind = true;
      }
      wake();
    }, options);
    const call = () => wake();
    this.addEventListener('state', call);
    options.signal?.addEventListener('abort', call);
    try {
      while (this.#state !== 'closed' && !options.signal?.aborted) {
        if (waiting.length) yield waiting.shift()!;
        else {
          behind = false;
          await new Promise<void>((resolve) => { wake = resolve; });
        }
      }
    } finally {
      leave();
      this.removeEventListener('state', call);
      options.signal?.removeEventListener('abort', call);
    }
  }

  /** Publishes JSON to a room. Resolves once Redis has it; rejects if it is refused or the connection ends. Nothing is kept for later. */
  async publish(room: string, data: unknown): Promise<void> {
    await this.#ready('publish').ask('publish', { room, data });
  }

  /** Measures the way to the gateway and back, in ms. */
  async ping(): Promise<number> {
    return this.#ready('ping').ping();
  }

  /** Connects at once and anew, also after a close code that ended it. Not after `close()`. */
  reconnect(): void {
    if (this.#end.signal.aborted) return;
    if (this.#link) this.#ended(1000, 'reconnect', 0);
    if (!this.#end.signal.aborted) this.#dial(); // unless a listener has closed it
  }

  /** Closes the connection for good. */
  close(code = 1000, reason = ''): void {
    if (this.#end.signal.aborted) return;
    const open = this.#state !== 'closed';
    this.#end.abort();
    if (open) this.#ended(code, reason);
  }

  [Symbol.dispose](): void { this.close(); }

  async #dial(): Promise<void> {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    this.#timer = setTimeout(() => this.#ended(1006, `not connected in ${dialing / 1000} s`), dialing);
    this.#become('connecting');
    let code = 'token';
    try {
      const token = await this.#options.token?.();
      if (turn !== this.#turn) return;
      // A browser would put what it refuses into the text of its error, which may be logged.
      if (token && !/^[\w.-]+$/.test(token)) throw new TypeError('token() gave something that is no JWT');
      code = 'socket';
      const url = new URL(this.#url);
      const named = [];
      for (const room of this.#rooms.begin(this.#raw)) {
        if (!this.#raw && (named.length === urlRooms || url.href.length + room.length > urlLength)) break;
        url.searchParams.append('room', room);
        named.push(room);
      }
      this.#rooms.named(named);
      this.#only = named.length === 1 ? named[0] : undefined;
      const format = this.#raw ? 'roomgate.raw.v1' : 'roomgate.v1';
      const socket = new this.#Socket(url.href, token ? [format, `bearer.${token}`] : [format]);
      this.#link = new Link(socket, this.#raw, this.#options.silence ?? 30_000, {
        opened: () => { if (this.#raw) this.#opened(); },
        received: (data) => this.#raw ? this.#deliver({ room: this.#only, data }) : this.#received(data),
        ended: (code, reason) => this.#ended(code, reason),
        seen: (direction, text) => this.#emit('frame', { direction, text }),
      });
    } catch (error) {
      const { message } = error as Error;
      if (turn === this.#turn) this.#emit('error', { code, message });
      if (turn === this.#turn) this.#ended(1006, message); // unless a listener has closed it
    }
  }

  #opened(hello?: Wire): void {
    clearTimeout(this.#timer);
    this.#since = Date.now();
    this.#become('open');
    if (this.#state === 'open') this.#emit('open', hello as any); // unless a listener has closed it
    this.#link?.watch();
    this.#sync();
  }

  #received(frame: Wire): void {
    const room = frame.room!;
    switch (frame.type) {
      case 'message':
        return this.#deliver({ room, data: frame.base64 ? bytes(frame.base64) : frame.text ?? frame.data });
      case 'hello':
        this.#rooms.hello(frame.rooms, !this.#since);
        if (this.#since) return; // of a new token
        this.#opened(frame);
        return frame.rooms.forEach((room: string) => this.#emit('join', { room }));
      case 'subscribed':
        this.#rooms.enter(room);
        return this.#emit('join', { room });
      case 'unsubscribed':
        this.#rooms.leave(room, !!frame.code);
        if (frame.code) this.#emit('error', { code: frame.code, message: 'the new token does not allow this room', room });
        return;
      case 'gap':
        return this.#emit('gap', { room, reason: frame.reason, after: frame.after });
      case 'expiring':
        return this.#renew(frame.in * 500);
      case 'error':
        return this.#emit('error', { code: frame.code, message: frame.message, ref: frame.ref });
      case 'bye':
        this.#after = frame.after;
    }
  }

  #deliver(message: Message): void {
    this.#rooms.deliver(message);
    this.#emit('message', message);
  }

  /**
   * Sends a new token within `ms`, drawn at random: those who came together, after a restart, must not ask for tokens together
   * ever after. If there is none, or it is refused, it tries again, as long as the old one lasts.
   */
  #renew(ms: number): void {
    const link = this.#link!;
    const { token } = this.#options;
    if (token) link.later(async () => {
      try {
        const fresh = await token();
        if (link === this.#link) await link.ask('auth', { token: fresh });
      } catch (error) {
        if (link !== this.#link) return;
        const { code = 'token', message } = error as RoomgateError;
        this.#emit('error', { code, message });
        if (ms > 1000) this.#renew(ms / 2);
      }
    }, Math.random() * ms);
  }

  #ended(code: number, reason: string, after?: number): void {
    this.#link?.drop(code, reason);
    this.#link = undefined;
    this.#turn++;
    clearTimeout(this.#timer);
    this.#rooms.joined.clear();
    if (this.#since && Date.now() - this.#since >= proven) this.#attempt = 0;
    this.#since = 0;
    const hope = code === 4003 && !this.#raw && this.#rooms.doubt();
    if (!this.#end.signal.aborted && (hope || !stops(code))) after ??= wait(code, this.#after, this.#attempt++);
    this.#after = undefined;
    this.#due = after && asked(code) ? Date.now() + after : 0;
    if (after !== undefined) this.#timer = setTimeout(() => this.#go(), after);
    this.#become(after === undefined ? 'closed' : resting(), { code, reason, after, attempt: this.#attempt });
  }

  /** The wait is over. */
  #go(): void {
    clearTimeout(this.#timer);
    if (offline()) this.#become('offline');
    else this.#dial();
  }

  /**
   * Something has changed: the network, or the tab. A wait of our own is cut short by that, since it guessed when there would be a network.
   * One that the gateway asked for is not: it spreads its clients, whoever looks at a tab.
   */
  #wake(): void {
    if (this.#state === 'open') this.#link!.probe();
    if (this.#state !== 'waiting' && this.#state !== 'offline') return;
    if (Date.now() < this.#due) this.#become(resting());
    else this.#go();
  }

  /** Makes the gateway agree with the rooms, once this turn of the event loop has named them all. */
  #sync(): void {
    queueMicrotask(() => {
      if (this.#state !== 'open' || this.#raw) return;
      this.#rooms.sync(this.#link!, (room, { code, message }) => this.#emit('error', { code, message, room }));
    });
  }

  #ready(what: string): Link {
    if (this.#raw) throw failure('bad_request', `${what} needs the format json`);
    if (this.#state !== 'open') throw failure('closed', `${what} while ${this.#state}: wait for the event open`);
    return this.#link!;
  }

  #become(state: State, closed?: Closed): void {
    const was = this.#state;
    this.#state = state;
    if (closed) this.#emit('close', closed);
    if (was !== state && this.#state === state) this.#emit('state', state); // unless a listener has closed it
  }

  #emit<K extends keyof RoomgateEventMap>(type: K, detail: RoomgateEventMap[K]['detail']): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const resting = () => (offline() ? 'offline' : 'waiting');

function check(room: string): void {
  if (!/^[\w.:@=+,~/-]{1,128}$/.test(room)) throw new TypeError(`${room}: a room is 1 to 128 of A-Z a-z 0-9 _ . : @ = + , ~ / -`);
}

const bytes = (base64: string) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
