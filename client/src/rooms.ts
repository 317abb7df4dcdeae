import type { Link } from './link.js';
import type { Message, RoomgateError } from './types.js';

export type Listener = (message: Message) => void;

/**
 * How many rooms are joined and left by frames at once, and then in each ten seconds. By default a gateway permits a client
 * 20 messages at once and 100 a minute, and some must be left for what else there is to say.
 */
const batch = 15;

/** The rooms that the program wants, those that the connection is in, and what makes the second agree with the first. */
export class Rooms {
  /** Who listens, room by room. */
  wanted = new Map<string, Set<Listener>>();
  /** Where this connection is in, as the gateway says. */
  joined = new Set<string>();

  #first: readonly string[]; // of the options
  #sure: Set<string>; // may stand in a URL: of the options, or let in before
  #named: string[] = []; // stood in the URL of this connection
  #asked = new Set<string>(); // for on this connection, by URL or frame, whatever came of it
  #own = true; // the token, or rooms.auto, may have rooms of its own
  #left = batch;

  constructor(first: readonly string[]) {
    this.#first = first;
    this.#sure = new Set(first);
    for (const room of first) this.add(room, () => {});
  }

  add(room: string, listener: Listener): void {
    const listeners = this.wanted.get(room);
    if (listeners) listeners.add(listener);
    else this.wanted.set(room, new Set([listener]));
  }

  remove(room: string, listener: Listener): void {
    const listeners = this.wanted.get(room);
    if (!listeners?.delete(listener) || listeners.size) return;
    this.wanted.delete(room);
    this.#sure.delete(room);
  }

  deliver(message: Message): void {
    for (const listener of [...(this.wanted.get(message.room!) ?? [])]) {
      try {
        listener(message);
      } catch (error) {
        queueMicrotask(() => { throw error; }); // as an EventTarget does: it is reported, and the others hear of the message
      }
    }
  }

  /**
   * A connection begins, and these rooms may stand in its URL. If there are any, the gateway does not join those of the token: so there
   * are none, unless the options name rooms or a connection has shown that the token does not. And one that is not allowed ends the
   * connection: so what has not been let in before is asked for later, by frames. Raw has no frames.
   */
  begin(raw: boolean): string[] {
    this.#left = batch;
    if (!raw && this.#own && !this.#first.length) return [];
    return [...this.wanted.keys()].filter((room) => raw || this.#sure.has(room));
  }

  /** The connection has begun, with these rooms in its URL. */
  named(rooms: string[]): void {
    this.#named = rooms;
  }

  /** The rooms of a hello: the first of a connection, or one that answers a refresh. */
  hello(rooms: string[], first: boolean): void {
    if (first && !this.#named.length) this.#own = rooms.length > 0;
    if (first) this.#asked = new Set(this.#named);
    this.joined.clear();
    for (const room of rooms) this.enter(room);
  }

  enter(room: string): void {
    this.joined.add(room);
    if (this.wanted.has(room)) this.#sure.add(room);
  }

  /** The connection is out of a room; if `lost`, without having asked, and asking again would be in vain. */
  leave(room: string, lost: boolean): void {
    this.joined.delete(room);
    this.#sure.delete(room);
    if (lost && this.wanted.has(room)) this.#asked.add(room);
  }

  /** A URL was refused for its rooms. Whether without those that are wanted since, which will come by frames, there is hope. */
  doubt(): boolean {
    this.#sure = new Set(this.#first);
    return this.#named.some((room) => !this.#sure.has(room));
  }

  /** Asks, by frames, for what is missing, and leaves what is not wanted any more. Rooms of the token are not left. */
  sync(link: Link, refused: (room: string, error: RoomgateError) => void): void {
    const again = () => this.sync(link, refused);
    const send = (type: string, room: string) => {
      if (!this.#left) return; // until the timer that the first of them set
      if (this.#left-- === batch) link.later(() => { this.#left = batch; again(); }, 10_000);
      const add = type === 'subscribe';
      const mark = (asked: boolean) => { if (asked) this.#asked.add(room); else this.#asked.delete(room); };
      mark(add);
      link.ask(type, { room }).catch((error: RoomgateError) => {
        if (error.code === 'closed') return;
        refused(room, error);
        if (error.code !== 'rate_limited' && error.code !== 'unavailable') return; // that would not change
        mark(!add);
        link.later(again, 5000 + Math.random() * 5000);
      });
    };
    for (const room of this.#asked) if (!this.wanted.has(room)) send('unsubscribe', room);
    for (const room of this.wanted.keys()) if (!this.#asked.has(room) && !this.joined.has(room)) send('subscribe', room);
  }
}
