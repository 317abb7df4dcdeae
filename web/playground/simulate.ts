import {byId, count, make, reason} from './dom';
import {simulate} from './server';

const most = 14; // lines of one story

const about: Record<string, string> = {
  cut: 'The gateway drops this connection’s TCP link, without a close frame.',
  expire: 'The page connects with a token that is good for 15 s. Ten seconds before its end comes `expiring`; a new token goes out on the same connection.',
  lapse: 'The page connects with a token that is good for 15 s, and has no new one when `expiring` asks for it. At its end comes 4202; the next connection begins with a new token.',
  flood: '64 MiB are published to the room at once. What is not read in time waits in this connection’s outbox. Over 1 MiB of it is a slow consumer, whom nobody waits for: 4102, or 1006 where even that is not read in time.',
  redis: 'The demo’s Redis ends, and is started again after two seconds.',
};

/** What the panel needs of the connection. */
export interface Breakable {
  conn: () => string; // its id, of hello
  expireSoon: (token: string, renew: boolean) => void; // connects anew with a token that ends soon
}

/** The panel that breaks something, and tells what then happens. */
export class Simulator {
  #began = 0; // when the present story did; 0: none was begun
  #lines = 0;
  #busy = false;
  #buttons: HTMLElement[] = [];

  constructor(readonly link: Breakable) {
    byId('simulate').hidden = false;
    for (const button of byId('simulate').querySelectorAll<HTMLButtonElement>('[data-simulate]')) {
      this.#buttons.push(button);
      button.addEventListener('click', () => void this.#begin(button.dataset.simulate!));
    }
  }

  /** Adds a line to the story, if there is one. */
  tell(text: string): void {
    if (!this.#began || this.#lines >= most) return;
    this.#lines++;
    const line = make('li'), after = Math.round(performance.now() - this.#began);
    line.append(make('span', after < 10_000 ? `${after} ms` : `${Math.round(after / 1000)} s`), make('span', text));
    byId('story').append(line);
  }

  async #begin(name: string): Promise<void> {
    if (this.#busy) return;
    this.#hold(true);
    this.#began = performance.now();
    this.#lines = 0;
    byId('story').replaceChildren();
    byId('simulate-about').textContent = about[name]!;
    try {
      await this.#break(name);
    } catch (error) {
      this.tell(`not done: ${reason(error)}`);
    } finally {
      this.#hold(false);
    }
  }

  /** Lets nothing else be broken meanwhile. The buttons keep the focus. */
  #hold(busy: boolean): void {
    this.#busy = busy;
    for (const button of this.#buttons) button.setAttribute('aria-disabled', String(busy));
  }

  async #break(name: string): Promise<void> {
    switch (name) {
    case 'cut':
      await simulate('cut', {conn: this.link.conn()});
      break;
    case 'expire':
    case 'lapse': {
      const {token} = await simulate<{token: string}>('expire');
      this.tell('A token of 15 s is here: connecting with it.');
      this.link.expireSoon(token, name === 'expire');
      break;
    }
    case 'flood': {
      this.tell('Publishing …');
      const {messages, bytes} = await simulate<{messages: number; bytes: number}>('flood');
      this.tell(`${count(messages)} messages were published, ${count(bytes >> 20)} MiB.`);
      break;
    }
    case 'redis':
      this.tell('Redis is gone.');
      await simulate('redis');
      this.tell('Redis is started again.');
    }
  }
}
