/** The last `capacity` of what was pushed. Each keeps its number, which is how many came before it. */
export class Ring<T> {
  #slots: T[] = [];
  #next = 0;
  #from = 0;

  constructor(readonly capacity: number) {}

  /** The number of the oldest that is still there. */
  get first(): number { return Math.max(this.#from, this.#next - this.capacity); }

  /** The number that the next one will have. */
  get next(): number { return this.#next; }

  push(value: T): void { this.#slots[this.#next++ % this.capacity] = value; }

  /** The one of that number, which must be there. */
  at(n: number): T { return this.#slots[n % this.capacity] as T; }

  has(n: number): boolean { return n >= this.first && n < this.#next; }

  clear(): void {
    this.#slots = [];
    this.#from = this.#next;
  }

  /** A ring with the same in it, which later pushes do not change. */
  copy(): Ring<T> {
    const same = new Ring<T>(this.capacity);
    same.#slots = this.#slots.slice();
    same.#next = this.#next;
    same.#from = this.#from;
    return same;
  }
}
