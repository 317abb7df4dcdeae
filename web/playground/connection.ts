import {Roomgate, type Closed, type Gap, type Hello} from 'roomgate';
import {consequence, meaning, seconds} from './closes';
import {byId} from './dom';
import type {Rooms} from './rooms';

/** Where tokens come from; nothing: it cannot be had now. */
export type TokenSource = () => string | Promise<string>;

/** What a connection tells the rest of the page. */
export interface Watcher {
  frame: (direction: 'in' | 'out', text: string) => void;
  token: (token: string) => void; // the one that is used from now on
  tell: (text: string) => void; // what has happened, in a sentence
  open: (yes: boolean) => void; // whether messages can be sent
}

// Errors about a room after which the client does not ask for it again.
const final = new Set(['forbidden', 'too_many_rooms', 'bad_request']);

const quietAfter = 3; // failures in a row: more of the same would push the messages out

const states: Record<string, string> = {
  connecting: 'Connecting', open: 'Connected', waiting: 'Disconnected', offline: 'Offline: this device has no network', closed: 'Closed',
};

/** The connection that the page shows: a client of the library, and the words for what it does. */
export class Connection {
  #client: Roomgate | undefined;
  #hello: Hello | undefined;
  #once: string | undefined; // a token to use at the next connect, before those of the source
  #withheld = false; // none is given on this connection, so that the one in use ends
  #wasOpen = false;
  #back = 0; // when the next attempt is due
  #last = ''; // why it was closed
  #failures = 0; // attempts in a row that came to nothing
  #size = 0; // characters of the frame that is being handled

  constructor(readonly url: string, readonly rooms: Rooms, readonly watcher: Watcher) {
    byId('again').addEventListener('click', () => {
      byId('text').focus(); // the button goes
      this.#client?.reconnect();
    });
    setInterval(() => this.#countDown(), 200);
  }

  /** The id of this connection, of its hello. */
  get conn(): string { return this.#hello?.conn ?? ''; }

  /** The round trip of a ping, in milliseconds; undefined while not connected. */
  ping(): Promise<number> | undefined {
    return this.#client?.state === 'open' ? this.#client.ping() : undefined;
  }

  /** Connects with tokens of that source, in place of the connection that there is. */
  start(source: TokenSource): void {
    this.#client?.close();
    this.#wasOpen = false;
    this.#failures = 0;
    this.#last = '';
    this.#hello = undefined;
    const client = new Roomgate(this.url, {
      token: async () => {
        if (this.#withheld && this.#client?.state === 'open') throw new Error('this page gives no new one, so that the old one ends');
        const token = this.#once ?? await source();
        this.#once = undefined;
        this.watcher.token(token);
        return token;
      },
    });
    this.#client = client;
    this.rooms.use(client);
    this.#listen(client);
    this.#show();
  }

  /** Connects anew, with that token at first. Unless it is to be renewed that connection gets no other. */
  restart(token: string, renew: boolean): void {
    this.#once = token;
    this.#client?.reconnect();
    this.#withheld = !renew;
  }

  #listen(client: Roomgate): void {
    const mine = <A extends unknown[]>(handle: (...args: A) => void) => (...args: A) => {
      if (client === this.#client) handle(...args);
    };
    client.addEventListener('frame', mine(({detail}) => this.#frame(detail.direction, detail.text)));
    client.addEventListener('message', mine(({detail}) => this.rooms.message(detail.room ?? '', detail.data, this.#size)));
    client.addEventListener('state', mine(() => this.#show()));
    client.addEventListener('close', mine(({detail}) => this.#closed(detail)));
    client.addEventListener('gap', mine(({detail}) => this.#gap(detail)));
    client.addEventListener('open', mine(() => this.#opened()));
    client.addEventListener('error', mine(({detail}) => {
      const room = detail.room ? ` (room ${detail.room})` : '';
      this.#tell(`${detail.code}${room}: ${detail.message}`, 'warn');
      if (detail.room && final.has(detail.code)) this.rooms.refused(detail.room);
    }));
  }

  /** Every frame comes by here, ten thousand a second perhaps: all but messages are looked into. */
  #frame(direction: 'in' | 'out', text: string): void {
    this.#size = text.length;
    this.watcher.frame(direction, text);
    if (text.startsWith('{"type":"message"') || text.startsWith('{"type":"p')) return;
    let frame: {type: string; room?: string; in?: number} & Partial<Hello>;
    try {
      frame = JSON.parse(text);
    } catch {
      return; // the client tells of it
    }
    if (direction === 'out') {
      if (frame.type === 'auth') this.#tell('auth: a new token is sent, on the same connection.');
      return;
    }
    switch (frame.type) {
    case 'hello':
      if (this.#client?.state === 'open') {
        this.#tell(frame.exp! > (this.#hello?.exp ?? 0) ? 'hello: the new token is taken. Nobody had to reconnect.'
          : 'hello: the same token was sent again. It still ends when it did.');
      }
      this.#hello = frame as Hello;
      this.rooms.only(frame.rooms ?? []);
      byId('footer-conn').textContent = `conn ${frame.conn}${frame.sub ? `, sub ${frame.sub}` : ''}`;
      break;
    case 'subscribed':
      this.rooms.joined(frame.room!);
      break;
    case 'unsubscribed':
      this.rooms.left(frame.room!);
      break;
    case 'expiring':
      this.#tell(`expiring: the token ends in ${frame.in} s. The client asks for a new one, within half of that at random.`);
    }
  }

  #opened(): void {
    if (this.#wasOpen) this.#tell('Connected again, and in the same rooms.');
    this.#wasOpen = true;
    this.#failures = 0;
    this.#last = '';
  }

  #closed({code, reason, after}: Closed): void {
    this.#withheld = false;
    this.#back = after ? Date.now() + after : 0;
    this.#last = meaning(code, reason);
    this.#failures++;
    this.#show();
    const deliberate = code === 1000 && after === 0;
    this.#tell(deliberate ? 'Connecting anew.' : `${meaning(code, reason)}. ${consequence(code, after)}`, deliberate ? 'note' : 'warn');
    if (!this.#wasOpen && code === 1006) {
      this.#tell(`Never let in: is roomgate there, and may pages of ${location.origin} connect (http.allowed_origins)?`, 'warn');
    }
  }

  #gap({room, reason, after}: Gap): void {
    this.#tell(`gap (${reason}): messages may be missing${room ? ` in room ${room}` : ''}. ` +
      `A page loads its state again in ${seconds(after)}, drawn so that not all do at once.`, 'warn', room);
  }

  #tell(text: string, kind: 'note' | 'warn' = 'note', room?: string): void {
    if (this.#failures <= quietAfter) this.rooms.note(text, kind, room);
    this.watcher.tell(text);
  }

  #show(): void {
    const state = this.#client?.state ?? 'closed';
    byId('state').dataset.state = state;
    byId('state-text').textContent = states[state]!;
    this.watcher.open(state === 'open');
    byId('again').hidden = state === 'open' || state === 'connecting';
    this.#more(state === 'closed' ? this.#last : '');
    this.#countDown();
  }

  #more(text: string): void {
    byId('state-more').textContent = text;
  }

  #countDown(): void {
    if (this.#client?.state !== 'waiting') return;
    this.#more(`again in ${seconds(Math.max(0, this.#back - Date.now()))}`);
  }
}
