/// <reference lib="esnext.disposable" preserve="true" />
import { address } from './address.js';
import { delay, failure, Link, now, type Wire } from './link.js';
import { buffered, Rooms, type Listener } from './rooms.js';
import { asked, dialing, proven, remembered, stops, unsure, wait } from './rule.js';
import { offline, onWake } from './wake.js';
import type { Closed, Message, Options, Problem, RoomgateError, RoomgateEventMap, SocketConstructor, State } from './types.js';

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
  #leaving?: Link; // raw: the one that is soon replaced, for rooms that its URL did not name
  #life = new AbortController(); // of the connection, from its dial to its end: who awaits something finds out whether it still matters
  #timer?: ReturnType<typeof setTimeout>; // while connecting: patience; while waiting: the next attempt; while offline: the next look
  #due = 0; // when the gateway wants us back, and not before; 0 if it did not say
  #bye: Partial<Wire> = {}; // the frame, once it has come
  #since = 0; // when the last connection opened
  #lost = -Infinity; // when the last one ended that a gateway may have let in
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
    if (!this.#Socket) throw new TypeError('no WebSocket here: pass one as options.WebSocket');
    options.rooms?.forEach(check);
    this.#rooms = new Rooms(options.rooms ?? []);
    const { signal } = options;
    signal?.addEventListener('abort', () => this.close(), { signal: this.#end.signal });
    if (signal?.aborted) this.close();
    else {
      onWake(() => this.#wake(), this.#end.signal);
      this.#go();
    }
  }

  get state(): State { return this.#state; }

  /** The rooms that this connection is in, as the gateway says; with `raw`, none. */
  get rooms(): readonly string[] { return [...this.#rooms._joined]; }

  /** ms that the last ping of this connection took. */
  get latency(): number | undefined { return this.#link?._latency; }

  /**
   * Calls `listener` with each message of a room, until the function that it returns is called or the signal is aborted. The room is
   * joined again on each connection, and left when its last listener has gone.
   * @throws TypeError if no room can have that name
   */
  subscribe<T = any>(room: string, listener?: (data: T, message: Message<T>) => void, { signal }: { signal?: AbortSignal } = {}): () => void {
    check(room);
    const own: Listener = (message) => {
      if (!this.#end.signal.aborted) listener?.(message.data as T, message as Message<T>); // else another listener has closed it
    };
    const leave = () => {
      signal?.removeEventListener('abort', leave);
      this.#rooms._remove(room, own);
      this.#sync();
    };
    if (!signal?.aborted) {
      signal?.addEventListener('abort', leave, { signal: this.#end.signal });
      this.#rooms._add(room, own);
      this.#sync();
      if (this.#raw && !this.#rooms._named.includes(room) && this.#link !== this.#leaving) {
        // Only a URL can name a room. A component that others follow, or a message that many pages act on, asks for one connection more, not for many at once.
        this.#leaving = this.#link;
        this.#link?._later(() => this.reconnect(), Math.random() * 1000);
      }
    }
    return leave;
  }

  /**
   * The messages of a room, for `for await`. Ends when the signal is aborted, or the client is `closed` and what it had received is taken. If
   * the loop is slow 1000 messages wait for it; then the oldest go, and there is a `gap` with the reason `overload`: one for all
   * of them that came before it, since a refetch has those. It listens from the first `next()` on.
   */
  async *messages<T = any>(room: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<T, void, undefined> {
    const waiting: T[] = [];
    let heard = 0;
    let told = 0; // as many had been heard at the last gap
    let wake = () => {};
    const leave = this.subscribe<T>(room, (data) => {
      heard++;
      if (waiting.push(data) > buffered) {
        waiting.shift();
        if (heard - buffered > told) {
          told = heard;
          this.#emit('gap', { room, reason: 'overload', after: Math.random() * 5000 });
        }
      }
      wake();
    }, options);
    const done = new AbortController();
    const until = { signal: done.signal };
    this.addEventListener('state', () => wake(), until);
    options.signal?.addEventListener('abort', () => wake(), until);
    try {
      while (!options.signal?.aborted) {
        if (waiting.length) yield waiting.shift()!;
        else if (this.#state === 'closed') return;
        else await new Promise<void>((resolve) => { wake = resolve; });
      }
    } finally {
      leave();
      done.abort();
    }
  }

  /** Publishes JSON to a room. Resolves once Redis has it; rejects if it is refused or the connection ends. Nothing is kept for later. */
  async publish(room: string, data: unknown): Promise<void> {
    await this.#ready('publish')._ask('publish', { room, data });
  }

  /** Measures the way to the gateway and back, in ms. */
  async ping(): Promise<number> {
    return this.#ready('ping')._ping();
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
    this.#life.abort();
    const { signal } = this.#life = new AbortController();
    this.#timer = setTimeout(() => this.#ended(1006, 'not connected in 20 s'), dialing);
    this.#become('connecting');
    try {
      const token = await this.#token();
      if (signal.aborted) return;
      const url = new URL(this.#url);
      const rest = this.#rooms._begin(url, this.#raw, this.#attempt % 4 === 3); // a refused URL and a broken network look the same: 1006
      const format = `roomgate.${this.#raw ? 'raw.' : ''}v1`;
      const socket = new this.#Socket(url.href, token ? [format, `bearer.${token}`] : [format]);
      this.#link = new Link(socket, this.#raw, this.#options.silence ?? 30_000, {
        _opened: () => { if (this.#raw) this.#opened(); },
        _received: (data) => this.#raw ? this.#deliver({ room: this.#rooms._only, data }) : this.#received(data),
        _ended: (code, reason) => this.#ended(code, reason),
        _seen: (direction, text) => this.#emit('frame', { direction, text }),
      });
      for (const room of rest) if (!signal.aborted) this.#tell(failure('too_many_rooms', 'no place in the URL'), room);
    } catch (error) {
      // A browser's own text has the URL, and what stands in it, and an event may be logged.
      const problem = (error as RoomgateError).code === 'token' ? error as RoomgateError
        : failure('socket', 'no WebSocket: ws on a page of https?');
      if (!signal.aborted) this.#tell(problem);
      if (!signal.aborted) this.#ended(1006, problem.message); // unless a listener has closed it
    }
  }

  /** What `token` gives, if there is one. All that can go wrong with it is an error with that code. */
  async #token(): Promise<string | undefined> {
    const { token } = this.#options;
    if (!token) return;
    try {
      const jwt = await token(this.#life.signal);
      // Else the gateway would end us for good, for what may be an error page; or a browser put it into the text of its own error.
      if (!/^([\w-]+\.){2}[\w-]+$/.test(jwt)) throw new TypeError('token() gave no JWT');
      return jwt;
    } catch (error) {
      throw failure('token', String((error as Error)?.message ?? error));
    }
  }

  #opened(hello?: Wire): void {
    clearTimeout(this.#timer);
    this.#since = now();
    this.#become('open');
    if (this.#state === 'open') this.#emit('open', hello as any); // unless a listener has closed it
    this.#link?._watch();
    this.#sync();
  }

  #received(frame: Wire): void {
    const room = frame.room!;
    switch (frame.type) {
      case 'message':
        return this.#deliver({ room, data: frame.base64 ? bytes(frame.base64) : frame.text ?? frame.data });
      case 'hello': {
        const first = this.#state !== 'open';
        this.#rooms._hello(frame.rooms, first);
        if (!first) return; // of a new token
        this.#opened(frame);
        for (const room of frame.rooms) if (this.#rooms._joined.has(room)) this.#emit('join', { room }); // unless a listener has closed it
        return;
      }
      case 'subscribed':
        this.#rooms._enter(room);
        return this.#emit('join', { room });
      case 'unsubscribed':
        this.#rooms._leave(room, !!frame.code);
        this.#sync();
        if (frame.code) this.#tell(failure(frame.code, 'not with the new token'), room);
        return;
      case 'gap':
        return this.#emit('gap', { room, reason: frame.reason, after: frame.after });
      case 'expiring':
        return this.#renew(frame.in * 500);
      case 'error':
        return this.#tell(frame as unknown as Problem, room);
      case 'bye':
        this.#bye = frame;
    }
  }

  #deliver(message: Message): void {
    this.#rooms._deliver(message);
    if (!this.#end.signal.aborted) this.#emit('message', message);
  }

  /**
   * Sends a new token within `ms`, drawn at random: those who came together, after a restart, must not ask for tokens together
   * ever after. If there is none, or it is refused, it tries again, as long as the old one lasts.
   */
  #renew(ms: number): void {
    const link = this.#link!;
    if (this.#options.token) link._later(async () => {
      try {
        await link._ask('auth', { token: await this.#token() });
      } catch (error) {
        if (link !== this.#link) return;
        if (ms > 1000) this.#renew(ms / 2);
        this.#tell(error as RoomgateError);
      }
    }, Math.random() * ms);
  }

  #ended(code: number, reason: string, after?: number): void {
    if (this.#link && code !== 4006) this.#lost = now();
    this.#link?._drop(code, reason);
    this.#link = undefined;
    this.#life.abort();
    clearTimeout(this.#timer);
    this.#rooms._joined.clear();
    if (this.#state === 'open' && now() - this.#since >= proven) this.#attempt = 0;
    const { code: rule = code, after: pause } = this.#bye; // which hold even if the close frame is lost
    this.#bye = {};
    if (!this.#end.signal.aborted && (!stops(rule) || this.#hopes(code))) after ??= wait(rule, pause, this.#attempt++);
    this.#due = after && asked(rule) ? now() + after : 0;
    if (after !== undefined) this.#timer = delay(() => this.#go(), after);
    this.#become(after === undefined ? 'closed' : resting(), { code, reason, after, attempt: this.#attempt });
  }

  /** Whether a code that stops us may be for what has changed since: for a connection that has ended, or for rooms that an earlier one was let into. */
  #hopes(code: number): boolean {
    if (code === 4006) return now() - this.#lost < remembered;
    return (code === 4000 || code === 4003) && !this.#raw && this.#rooms._doubt();
  }

  /** The wait is over. */
  #go(): void {
    if (offline()) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#go(), unsure);
      this.#become('offline');
    } else this.#dial();
  }

  /**
   * Something has changed: the network, or the tab. A wait of our own is cut short by that, since it guessed when there would be a network.
   * One that the gateway asked for is not: it spreads its clients, whoever looks at a tab.
   */
  #wake(): void {
    if (this.#state === 'open') this.#link!._probe();
    else if (this.#state === 'waiting' || this.#state === 'offline') {
      if (now() < this.#due) this.#become(resting());
      else this.#go();
    }
  }

  /** Makes the gateway agree with the rooms, once this turn of the event loop has named them all. */
  #sync(): void {
    queueMicrotask(() => {
      if (this.#state !== 'open' || this.#raw) return;
      this.#rooms._sync(this.#link!, (room, error) => this.#tell(error, room));
    });
  }

  #ready(what: string): Link {
    if (this.#raw) throw failure('bad_request', `${what} needs the format json`);
    if (this.#state !== 'open') throw failure('closed', `${what} while ${this.#state}: wait for open`);
    return this.#link!;
  }

  #become(state: State, closed?: Closed): void {
    const was = this.#state;
    this.#state = state;
    if (closed) this.#emit('close', closed);
    if (was !== state && this.#state === state) this.#emit('state', state); // unless a listener has closed it
  }

  #tell({ code, message, ref }: Problem, room?: string): void {
    this.#emit('error', { code, message, ref, room });
  }

  #emit<K extends keyof RoomgateEventMap>(type: K, detail: RoomgateEventMap[K]['detail']): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const resting = () => (offline() ? 'offline' : 'waiting');

function check(room: string): void {
  const name = /^[\w.:@=+,~/-]{1,128}$/;
  if (!name.test(room)) throw new TypeError(`${room}: the name of a room matches ${name}`);
}

const bytes = (base64: string) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
