import {byId, clip, clock, count, make, painter, reason} from './dom';
import {Ring} from './ring';
import {isRoom} from './token';

const kept = 200; // entries of each room
const painted = 120; // of the room that is looked at
const atOnce = 24; // that one animation frame may add: more than anybody reads
const roomsMost = 200; // logs; the gateway's own limit of rooms is less
const textMost = 2000; // characters shown of a message
const largeMessage = 8192; // characters of a frame from which only the shown part is kept

type Kind = '' | 'note' | 'warn';
interface Entry {
  at: number;
  kind: Kind;
  data: unknown; // of a message; of a note, its text
}

class Log {
  readonly entries = new Ring<Entry>(kept);
  total = 0; // messages
  before = 0; // of them a second ago
  unread = 0;
}

const nothing = 'Nothing yet. Send a message below, or publish one from a terminal.';

/** What is needed of a client here. */
export interface Member {
  subscribe(room: string): () => void;
  publish(room: string, data: unknown): Promise<void>;
}

/** The rooms that the connection is in, and the messages of the one that is looked at. */
export class Rooms {
  onchange: (room: string) => void = () => {}; // another room is looked at
  #member: Member | undefined;
  #logs = new Map<string, Log>();
  #asked = new Map<string, () => void>(); // rooms that this page asked to join, and how to leave each
  #looked = '';
  #next = 0; // number of the next entry to paint
  #atEnd = true;
  #list = byId('messages').querySelector('ol')!;
  #ask = painter(() => this.#paint());
  #askChips = painter(() => this.#paintChips());

  constructor() {
    const messages = byId('messages');
    messages.addEventListener('scroll', () => {
      this.#atEnd = messages.scrollTop + messages.clientHeight >= messages.scrollHeight - 8;
      this.#ask();
    });
    byId('join').addEventListener('submit', event => {
      event.preventDefault();
      this.#join();
    });
    byId('leave').addEventListener('click', () => {
      this.refused(this.#looked);
      byId('text').focus(); // the button may be gone
    });
    byId<HTMLInputElement>('join-room').addEventListener('input', event => (event.target as HTMLInputElement).setCustomValidity(''));
    setInterval(() => this.#tellRate(), 1000);
  }

  get looked(): string { return this.#looked; }

  /** Takes another client, which is in no room yet. */
  use(member: Member | undefined): void {
    this.#member = member;
    this.#logs.clear();
    this.#asked.clear();
    this.#looked = '';
    byId('empty').textContent = nothing;
    this.look('');
  }

  joined(room: string): void {
    if (this.#logs.has(room) || this.#logs.size >= roomsMost) return;
    this.#logs.set(room, new Log());
    byId('empty').textContent = nothing;
    if (!this.#looked || this.#asked.has(room)) this.look(room);
    this.#askChips();
  }

  /** Takes the rooms of a hello: others were lost, unless this page asked for them, and goes on asking. */
  only(rooms: readonly string[]): void {
    for (const room of [...this.#logs.keys()]) if (!rooms.includes(room) && !this.#asked.has(room)) this.left(room);
    rooms.forEach(room => this.joined(room));
  }

  /** Asks no more to be in room, and leaves it. */
  refused(room: string): void {
    this.#asked.get(room)?.();
    this.#asked.delete(room);
    this.left(room);
  }

  left(room: string): void {
    if (!this.#logs.delete(room)) return;
    if (this.#looked === room) this.look(this.#logs.keys().next().value ?? '');
    this.#askChips();
  }

  message(room: string, data: unknown, size: number): void {
    const log = this.#logs.get(room);
    if (!log) return; // left a moment ago, or one of more rooms than are shown
    log.total++;
    log.entries.push({at: Date.now(), kind: '', data: size > largeMessage ? clip(words(data), textMost) + ` … (${count(size)} characters)` : data});
    if (room === this.#looked) return this.#ask();
    log.unread++;
    this.#askChips();
  }

  /** Tells something of room, or, without one, of all. */
  note(text: string, kind: Kind = 'note', room?: string): void {
    if (this.#logs.size === 0) byId('empty').textContent = text; // before the first hello
    for (const [name, log] of this.#logs) {
      if (room === undefined || room === name) log.entries.push({at: Date.now(), kind, data: text});
    }
    this.#ask();
  }

  look(room: string): void {
    this.#looked = room;
    const log = this.#logs.get(room);
    this.#list.replaceChildren();
    this.#atEnd = true;
    this.#next = log ? Math.max(log.entries.first, log.entries.next - painted) : 0;
    if (log) log.unread = 0;
    byId('room-name').textContent = room ? `Room ${room}` : 'No room yet';
    byId('leave').hidden = !this.#asked.has(room);
    this.#ask();
    this.#askChips();
    this.onchange(room);
  }

  #join(): void {
    const input = byId<HTMLInputElement>('join-room');
    const room = input.value.trim();
    if (!room || !this.#member) return;
    if (!isRoom(room)) {
      input.setCustomValidity('A room is 1 to 128 of A-Z a-z 0-9 _ . : @ = + , ~ / -');
      input.reportValidity();
      return;
    }
    input.value = '';
    if (this.#logs.has(room)) this.look(room);
    else if (!this.#asked.has(room)) this.#asked.set(room, this.#member.subscribe(room)); // it is shown once it is joined
  }

  /** Publishes to the room that is looked at. */
  async publish(data: unknown): Promise<void> {
    const room = this.#looked;
    if (!this.#member || !room) return;
    try {
      await this.#member.publish(room, data);
    } catch (error) {
      this.note(`not published: ${reason(error)}`, 'warn', room);
    }
  }

  #paint(): void {
    const log = this.#logs.get(this.#looked);
    byId('empty').hidden = !!log && log.entries.next > 0;
    this.#tell(log);
    if (!log) return;
    const {entries} = log, fresh = this.#list.childElementCount === 0;
    if (!this.#atEnd && !fresh) return; // somebody reads further up: what is new comes when they are back
    const from = Math.max(entries.first, fresh ? this.#next : entries.next - atOnce, this.#next);
    if (from > this.#next) this.#append({at: Date.now(), kind: 'note', data: `… ${count(from - this.#next)} more, faster than anybody reads`});
    for (let n = from; n < entries.next; n++) this.#append(entries.at(n));
    this.#next = entries.next;
    if (this.#atEnd) byId('messages').scrollTop = 1e9;
  }

  /** Adds a row, which is the oldest one again once there are many. */
  #append({at, kind, data}: Entry): void {
    let row = this.#list.childElementCount < painted ? undefined : this.#list.firstElementChild;
    if (!row) {
      row = make('li');
      row.append(make('time'), make('span'));
    }
    row.className = kind;
    row.firstElementChild!.textContent = clock(at);
    const text = words(data);
    row.lastElementChild!.textContent = text.length > textMost ? `${text.slice(0, textMost)} … (${count(text.length)} characters)` : text;
    this.#list.append(row);
  }

  #tell(log: Log | undefined): void {
    const below = log && !this.#atEnd ? log.entries.next - this.#next : 0;
    byId('room-count').textContent = log ? `${count(log.total)} ${log.total === 1 ? 'message' : 'messages'}${this.#rate}` +
      (below ? `, ${count(below)} newer below` : '') : '';
  }

  #rate = '';
  #tellRate(): void {
    const log = this.#logs.get(this.#looked);
    const rate = log ? log.total - log.before : 0;
    for (const each of this.#logs.values()) each.before = each.total;
    this.#rate = rate > 1 ? `, ${count(rate)}/s` : '';
    byId('messages').setAttribute('aria-live', rate > 5 ? 'off' : 'polite'); // nobody can listen to that many
    this.#tell(log);
  }

  #paintChips(): void {
    const names = [...this.#logs.keys()];
    const box = byId('rooms');
    box.hidden = names.length < 2;
    while (box.childElementCount > names.length) box.lastElementChild!.remove();
    while (box.childElementCount < names.length) {
      const chip = make('button');
      chip.type = 'button';
      chip.append(make('span'), make('span', '', 'unread'));
      chip.addEventListener('click', () => this.look(chip.dataset.room!));
      box.append(chip);
    }
    names.forEach((name, i) => {
      const chip = box.children[i] as HTMLElement, unread = this.#logs.get(name)!.unread;
      chip.dataset.room = name;
      chip.setAttribute('aria-pressed', String(name === this.#looked));
      chip.firstElementChild!.textContent = name;
      chip.lastElementChild!.textContent = unread ? count(unread) : '';
    });
  }
}

/** A payload as one reads it. */
function words(data: unknown): string {
  if (typeof data === 'string') return data;
  if (data instanceof Uint8Array) {
    const hex = Array.from(data.subarray(0, 64), byte => byte.toString(16).padStart(2, '0')).join(' ');
    return `${count(data.length)} bytes: ${hex}${data.length > 64 ? ' …' : ''}`;
  }
  return JSON.stringify(data);
}
