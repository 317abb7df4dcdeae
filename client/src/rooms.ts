import type { Link } from './link.js';
import type { Message, RoomgateError } from './types.js';

/** How many messages may wait for a slow loop over messages(). */
export const buffered = 1000;

export type Listener = (message: Message) => void;

// What stands in a URL, in characters and in rooms. Proxies refuse long URLs; and a gateway more rooms than, by default, 100, with those of rooms.auto.
const urlLength = 2000;
const urlRooms = 50;

/**
 * How many rooms are joined and left by frames in any ten seconds. By default a gateway permits a client
 * 20 messages at once and 100 a minute, and some must be left for what else there is to say.
 */
const batch = 15;

/** The rooms that the program wants, those that the connection is in, and what makes the second agree with the first. */
export class Rooms {
  /** Who listens, room by room. */
  _wanted = new Map<string, Set<Listener>>();
  /** Where this connection is in, as the gateway says, but for those that it is leaving. */
  _joined = new Set<string>();
  /** What the URL of this connection named. */
  _named: string[] = [];
  /** Its room, if that was exactly one. */
  _only?: string;

  #first: readonly string[]; // of the options
  #sure: Set<string>; // may stand in a URL: of the options, or let in before
  #asked = new Set<string>(); // for on this connection, by URL or frame, and not refused
  #refused = new Map<string, string>(); // on this connection, with the code: in vain until somebody subscribes once more
  #left = batch; // frames

  constructor(first: readonly string[]) {
    this.#first = first;
    this.#sure = new Set(first);
    for (const room of first) this._add(room, () => {});
  }

  _add(room: string, listener: Listener): void {
    this.#refused.delete(room);
    (this._wanted.get(room) ?? this._wanted.set(room, new Set()).get(room)!).add(listener);
  }

  _remove(room: string, listener: Listener): void {
    const listeners = this._wanted.get(room);
    if (!listeners?.delete(listener) || listeners.size) return;
    this._wanted.delete(room);
    this.#sure.delete(room);
    this.#refused.delete(room);
  }

  _deliver(message: Message): void {
    const listeners = this._wanted.get(message.room!);
    for (const listener of [...(listeners ?? [])]) {
      if (!listeners!.has(listener)) continue; // another one has removed it
      try {
        listener(message);
      } catch (error) {
        queueMicrotask(() => { throw error; }); // as an EventTarget does: it is reported, and the others hear of the message
      }
    }
  }

  /**
   * A connection begins: names rooms in its URL. Rooms there keep those of the token out, so that there are none unless the options name
   * some. And one that is not allowed ends the connection, so that what has not been let in before is asked for later, by frames.
   * Raw has no frames: all are named, and those for which there is no place returned. `bare`: only those of the options are named.
   */
  _begin(url: URL, raw: boolean, bare: boolean): string[] {
    const rest = [];
    const sure = bare ? new Set(this.#first) : this.#sure;
    this.#left = batch;
    this._named = [];
    for (const room of this._wanted.keys()) {
      if (!raw && !(this.#first.length && sure.has(room))) continue;
      const { search } = url;
      url.searchParams.append('room', room);
      if (url.href.length <= urlLength && this._named.length < urlRooms) this._named.push(room);
      else {
        url.search = search;
        if (raw) rest.push(room);
      }
    }
    this._only = this._named[1] ? undefined : this._named[0];
    return rest;
  }

  /** The rooms of a hello: the first of a connection, or one that answers a refresh. */
  _hello(rooms: string[], first: boolean): void {
    if (first) {
      this.#asked = new Set(this._named);
      this.#refused.clear();
    }
    this._joined.clear();
    for (const room of rooms) this._enter(room);
  }

  _enter(room: string): void {
    this._joined.add(room);
    if (this._wanted.has(room)) this.#sure.add(room);
  }

  /** The connection is out of a room; if `lost`, without having asked, and asking again would be in vain. It may be in one more now. */
  _leave(room: string, lost: boolean): void {
    this._joined.delete(room);
    this.#sure.delete(room);
    if (lost) this.#refuse(room, 'forbidden');
    for (const [other, code] of this.#refused) {
      if (code !== 'too_many_rooms') continue;
      this.#refused.delete(other);
      break;
    }
  }

  /** A URL was refused for its rooms. Whether without those that are wanted since, which will come by frames, there is hope. */
  _doubt(): boolean {
    this.#sure = new Set(this.#first);
    return this._named.some((room) => !this.#sure.has(room));
  }

  /** Asks, by frames, for what is missing, and leaves what is not wanted any more. Rooms of the token are not left. */
  _sync(link: Link, failed: (room: string, error: RoomgateError) => void): void {
    const again = () => this._sync(link, failed);
    const send = (type: string, room: string, undo: () => void) => {
      this.#left--;
      link._later(() => { this.#left++; again(); }, 10_000);
      link._ask(type, { room }).catch((error: RoomgateError) => {
        if (error.code === 'closed') return;
        if (/^(rate_limited|unavailable)$/.test(error.code)) link._later(() => { undo(); again(); }, 5000 + Math.random() * 5000);
        else this.#refuse(room, error.code);
        failed(room, error);
      });
    };
    for (const room of this.#asked) {
      if (this._wanted.has(room) || !this.#left) continue;
      this.#asked.delete(room);
      this._joined.delete(room); // so that whoever wants it before the answer asks for it behind this
      send('unsubscribe', room, () => { this.#asked.add(room); this._joined.add(room); });
    }
    for (const room of this._wanted.keys()) {
      if (this.#asked.has(room) || this._joined.has(room) || this.#refused.has(room) || !this.#left) continue;
      this.#asked.add(room);
      send('subscribe', room, () => { this.#asked.delete(room); });
    }
  }

  #refuse(room: string, code: string): void {
    this.#asked.delete(room);
    if (this._wanted.has(room)) this.#refused.set(room, code);
  }
}
