import {byId, clip, clock, count, make, painter} from './dom';
import {Ring} from './ring';

const most = 10_000; // frames kept
const textMost = 4096; // characters kept of each: 10,000 large ones would fill the memory
const rowText = 300; // of them that a row shows, and the filter looks at
const rowHeight = 28; // pixels, as in style.css

interface Frame {
  at: number;
  out: boolean;
  text: string; // its first textMost characters
  size: number; // characters of all of it
}

// What is worth a second look among the frames.
const warnings = new Set(['gap', 'expiring', 'error', 'bye', 'unsubscribed']);

const field = (text: string, name: string) => new RegExp(`^\\{(?:"type":"[^"]*",)?"${name}":"([^"]*)"`).exec(text)?.[1] ?? '';
const typeOf = (text: string) => field(text, 'type');
const isPing = ({text}: Frame) => /^\{"type":"p[io]ng"/.test(text);

/**
 * The list of frames. It has a DOM node for each row that can be seen, however many frames there
 * are, and touches them once an animation frame, however many come.
 */
export class FrameList {
  #ring = new Ring<Frame>(most);
  #held: Ring<Frame> | undefined; // what is shown while it is paused
  #shown: number[] = []; // numbers of those that pass the filter, oldest first
  #judged = 0; // those before this number were put through the filter
  #chosen = -1;
  #following = true; // the end is in view, and stays there
  #top = 0; // pixels that are scrolled away
  #height = 0; // of the window, in pixels

  #window = byId('frames');
  #space = make('div', '', 'space');
  #pool = make('div', '', 'pool');
  #ask = painter(() => this.#paint());

  constructor() {
    this.#space.append(this.#pool);
    this.#window.append(this.#space);
    this.#window.addEventListener('scroll', () => this.#scrolled());
    this.#window.addEventListener('keydown', event => this.#key(event));
    this.#pool.addEventListener('click', event => {
      const row = (event.target as Element).closest<HTMLElement>('.frame');
      if (row) this.#choose(Number(row.dataset.number));
    });
    new ResizeObserver(() => {
      this.#height = this.#window.clientHeight;
      this.#ask();
    }).observe(this.#window);
    for (const id of ['filter', 'direction', 'pings']) byId(id).addEventListener('input', () => this.#judgeAnew());
    byId('pause').addEventListener('click', () => this.#pause());
    byId('clear').addEventListener('click', () => {
      this.#ring.clear();
      this.#held = this.#held && this.#ring.copy();
      this.#chosen = -1;
      byId('detail').hidden = true;
      this.#judgeAnew();
    });
  }

  add(direction: 'in' | 'out', text: string): void {
    this.#ring.push({at: Date.now(), out: direction === 'out', text: clip(text, textMost), size: text.length});
    this.#ask();
  }

  #pause(): void {
    const paused = !this.#held;
    this.#held = paused ? this.#ring.copy() : undefined;
    byId('pause').setAttribute('aria-pressed', String(paused));
    if (!paused) this.#following = true;
    this.#judgeAnew();
  }

  #judgeAnew(): void {
    this.#shown = [];
    this.#judged = 0;
    this.#ask();
  }

  /** Puts what is new through the filter, and forgets what is no longer there. Returns how many rows went. */
  #judge(ring: Ring<Frame>): number {
    const text = byId<HTMLInputElement>('filter').value.toLowerCase();
    const direction = byId<HTMLSelectElement>('direction').value;
    const pings = byId<HTMLInputElement>('pings').checked;
    for (let n = Math.max(this.#judged, ring.first); n < ring.next; n++) {
      const frame = ring.at(n);
      if (direction && frame.out !== (direction === 'out')) continue;
      if (!pings && isPing(frame)) continue;
      if (text && !frame.text.slice(0, rowText).toLowerCase().includes(text)) continue;
      this.#shown.push(n);
    }
    this.#judged = ring.next;
    const gone = this.#placeOf(ring.first);
    if (gone > 0) this.#shown.splice(0, gone);
    return gone;
  }

  /** How many of those shown have a number below n. */
  #placeOf(n: number): number {
    let low = 0, high = this.#shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#shown[middle]! < n) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #paint(): void {
    const ring = this.#held ?? this.#ring;
    const gone = this.#judge(ring);
    const height = this.#shown.length * rowHeight;
    this.#space.style.height = `${height}px`;
    const top = this.#following ? Math.max(0, height - this.#height) : Math.max(0, this.#top - gone * rowHeight);
    if (top !== this.#top) {
      this.#top = top;
      this.#window.scrollTop = top;
    }
    const first = Math.floor(top / rowHeight);
    const rows = Math.min(Math.ceil(this.#height / rowHeight) + 1, this.#shown.length - first);
    this.#pool.style.transform = `translateY(${first * rowHeight}px)`;
    while (this.#pool.childElementCount < rows) this.#pool.append(newRow());
    for (let i = 0; i < this.#pool.childElementCount; i++) {
      const row = this.#pool.children[i] as HTMLElement;
      row.hidden = i >= rows;
      if (!row.hidden) this.#fill(row, ring, first + i);
    }
    if (document.getElementById(`frame-${this.#chosen}`)) this.#window.setAttribute('aria-activedescendant', `frame-${this.#chosen}`);
    else this.#window.removeAttribute('aria-activedescendant');
    this.#tell(ring);
  }

  #fill(row: HTMLElement, ring: Ring<Frame>, place: number): void {
    const n = this.#shown[place]!;
    row.setAttribute('aria-posinset', String(place + 1));
    row.setAttribute('aria-setsize', String(this.#shown.length));
    row.setAttribute('aria-selected', String(n === this.#chosen));
    if (row.dataset.number === String(n)) return;
    const {at, out, text, size} = ring.at(n);
    const type = typeOf(text);
    row.id = `frame-${n}`;
    row.dataset.number = String(n);
    row.dataset.way = out ? 'out' : 'in';
    row.dataset.warn = String(warnings.has(type));
    const [time, way, kind, body, length] = row.children;
    time!.textContent = clock(at);
    way!.textContent = out ? '↑' : '↓';
    kind!.textContent = type || 'text';
    body!.textContent = text.slice(0, rowText);
    length!.textContent = count(size);
  }

  #tell(ring: Ring<Frame>): void {
    const kept = ring.next - ring.first;
    const newer = this.#ring.next - ring.next;
    let text = `${count(this.#shown.length)} of ${count(kept)}`;
    if (ring.next > kept) text += ` kept, ${count(ring.next)} in all`;
    if (this.#held) text += `, ${count(newer)} newer`;
    byId('frames-count').textContent = text;
  }

  #scrolled(): void {
    this.#top = this.#window.scrollTop;
    this.#following = this.#top + this.#height >= this.#shown.length * rowHeight - rowHeight / 2;
    this.#ask();
  }

  #key(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.#height / rowHeight) - 1);
    const steps: Record<string, number> = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    const step = steps[event.key];
    if (step === undefined || this.#shown.length === 0) return;
    event.preventDefault();
    const last = this.#shown.length - 1;
    const from = this.#chosen < 0 ? (step < 0 ? last + 1 : last) : this.#placeOf(this.#chosen);
    const place = Math.min(last, Math.max(0, from + step));
    const top = place * rowHeight;
    if (top < this.#top) this.#window.scrollTop = top;
    else if (top + rowHeight > this.#top + this.#height) this.#window.scrollTop = top + rowHeight - this.#height;
    this.#choose(this.#shown[place]!);
    this.#following = place === last; // at the end, what is new is followed again
  }

  #choose(n: number): void {
    const ring = this.#held ?? this.#ring;
    if (!ring.has(n)) return;
    this.#chosen = n;
    this.#following = false; // or else it would run away
    const {text, size} = ring.at(n);
    const detail = byId('detail');
    detail.hidden = false;
    detail.textContent = size > text.length ? `${text}\n… ${count(size - text.length)} characters more` : pretty(text);
    this.#ask();
  }
}

function newRow(): HTMLElement {
  const row = make('div', '', 'frame');
  row.setAttribute('role', 'option');
  for (const name of ['time', 'way', 'type', 'body', 'size']) row.append(make('span', '', name));
  return row;
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // not JSON, as in the raw format
  }
}
