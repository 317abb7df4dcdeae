import { vi } from 'vitest';
import { Roomgate } from '../src/index.js';
import type { Options } from '../src/index.js';
import { FakeSocket, sockets } from './fake.js';

/** Many clients, and a clock of whole ms for them: the runner's own looks at each timer whenever one fires, which for thousands takes minutes. */
export class Herd {
  #now = 0;
  #ids = 0;
  #due = new Map<number, Map<number, () => void>>(); // what is due, by ms and then by id
  #at = new Map<number, number>(); // by id

  constructor() {
    vi.stubGlobal('setTimeout', (then: () => void, ms: number) => {
      const at = this.#now + Math.max(1, Math.ceil(ms));
      if (!this.#due.has(at)) this.#due.set(at, new Map());
      this.#due.get(at)!.set(++this.#ids, then);
      this.#at.set(this.#ids, at);
      return this.#ids;
    });
    vi.stubGlobal('clearTimeout', (id: number) => this.#due.get(this.#at.get(id)!)?.delete(id));
    vi.spyOn(Date, 'now').mockImplementation(() => this.#now);
    vi.spyOn(performance, 'now').mockImplementation(() => this.#now);
  }

  async pass(ms: number, then = () => {}): Promise<void> {
    for (const end = this.#now + ms; this.#now < end; this.#now++) {
      for (const due of this.#due.get(this.#now)?.values() ?? []) due();
      this.#due.delete(this.#now);
      for (let i = 0; i < 8; i++) await null; // promises
      then();
    }
  }

  async open(count: number, options: Options = {}): Promise<Roomgate[]> {
    const gates = Array.from({ length: count }, () => new Roomgate('wss://gate.test/ws', { WebSocket: FakeSocket, ...options }));
    await this.pass(1);
    for (const socket of sockets) socket.hello();
    await this.pass(1);
    return gates;
  }
}
