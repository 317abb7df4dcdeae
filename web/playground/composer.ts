import {byId} from './dom';
import {fits} from './token';

/** What decides whether a message can be sent. */
export interface Chance {
  open: boolean; // connected
  room: string; // that is looked at; empty: none
  publishes: readonly string[] | undefined; // names and patterns, of the token; undefined: it is not known
}

/** The line in which a message is written, and why it cannot be sent if it cannot. */
export class Composer {
  #now: Chance = {open: false, room: '', publishes: undefined};
  #text = byId<HTMLInputElement>('text');

  /** granted: the gateway allows rooms besides those of a token, and this page does not know which. send gets JSON. */
  constructor(readonly granted: boolean, send: (data: unknown) => void) {
    byId('composer').addEventListener('submit', event => {
      event.preventDefault();
      if (!this.#text.value.trim()) return;
      send(message(this.#text.value));
      this.#text.select();
    });
  }

  change(now: Partial<Chance>): void {
    this.#now = {...this.#now, ...now};
    const {open, room, publishes} = this.#now;
    const may = this.granted || !room || !publishes || publishes.some(entry => fits(entry, room));
    byId<HTMLButtonElement>('send').disabled = !open || !may;
    byId('may-not').textContent = may ? '' : `The token may join ${room}, but not publish to it.`;
  }
}

/** What was typed: as JSON, or else as the text of a message. */
function message(typed: string): unknown {
  try {
    return JSON.parse(typed);
  } catch {
    return {text: typed};
  }
}
