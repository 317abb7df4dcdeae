import uPlot from './uplot';
import type {History, Num} from './overview';
import {clock} from './format';

/** A Line is one list of the history. */
interface Line { of: Exclude<keyof History, 'times' | 'step_seconds'>; name: string; colour: string }

/** A PlotSpec is what one plot shows, and how its values are written. */
export interface PlotSpec {
  title: string;
  lines: Line[];
  write: (n: Num) => string;
  whole?: boolean; // there are no halves of it
}

const minutes15 = 15 * 60;
const height = 132;

const together = uPlot.sync('moment'); // all plots show the values of one moment

const wholeSteps = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap(n => [n, 2 * n, 5 * n]); // between two marks of an axis

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A Plot is a figure with a caption that says the values: the last ones, or those under the cursor. */
export class Plot {
  readonly figure = document.createElement('figure');
  readonly #spec: PlotSpec;
  readonly #values: HTMLElement[] = []; // of each line
  readonly #when = document.createElement('span');
  readonly #box = document.createElement('div');
  readonly #plot: uPlot;

  constructor(spec: PlotSpec) {
    this.#spec = spec;
    const caption = document.createElement('figcaption');
    const title = document.createElement('strong');
    title.textContent = spec.title;
    this.#when.className = 'when';
    caption.append(title, ...spec.lines.map(line => this.#key(line)), this.#when);
    this.#box.className = 'plot';
    this.#box.tabIndex = 0;
    this.#box.role = 'img';
    this.figure.append(caption, this.#box);
    this.#plot = new uPlot(this.#options(), [[], ...spec.lines.map(() => [])], this.#box);
    this.#box.addEventListener('keydown', event => this.#walk(event));
    this.#box.addEventListener('blur', () => together.plots.forEach(p => p.setCursor({left: -10, top: -10})));
    new ResizeObserver(() => this.#plot.setSize({width: this.#box.clientWidth, height})).observe(this.#box);
  }

  /** #key says what a line's colour is, and its value. */
  #key(line: Line): HTMLElement {
    const key = document.createElement('span'), mark = document.createElement('i'), value = document.createElement('span');
    key.className = 'key';
    mark.style.setProperty('background', `var(${line.colour})`);
    value.className = 'value';
    key.append(mark, line.name ? `${line.name} ` : '', value);
    this.#values.push(value);
    return key;
  }

  #options(): uPlot.Options {
    const axis = {stroke: () => colour('--soft'), font: '11px system-ui, sans-serif', grid: {stroke: () => colour('--line'), width: 1}, ticks: {show: false}};
    return {
      width: 320, height, legend: {show: false}, padding: [8, 8, 0, 0],
      cursor: {y: false, drag: {x: false, y: false}, sync: {key: together.key}, points: {size: 6}},
      scales: {
        x: {range: (_, __, max) => [(max ?? 0) - minutes15, max ?? minutes15]},
        y: {range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1]},
      },
      axes: [
        {...axis, size: 24, space: 70, values: (_, ticks) => ticks.map(t => clock(t * 1000).slice(0, 5))},
        {...axis, size: 56, space: 32, gap: 6, values: (_, ticks) => ticks.map(t => this.#spec.write(t)), ...(this.#spec.whole && {incrs: wholeSteps})},
      ],
      series: [{}, ...this.#spec.lines.map(line => ({stroke: () => colour(line.colour), width: 1.5, points: {show: false}, spanGaps: false}))],
      hooks: {setCursor: [() => this.#tell()]},
    };
  }

  /** show draws the history of now. */
  show(h: History): void {
    this.#plot.setData([h.times, ...this.#spec.lines.map(line => h[line.of])]);
    this.#tell();
  }

  /** redraw is for other colours. */
  redraw(): void { this.#plot.redraw(false); }

  /** #tell writes the values under the cursor, or the last ones. */
  #tell(): void {
    const [times, ...lists] = this.#plot.data;
    const at = this.#plot.cursor.idx ?? times.length - 1, time = times[at];
    const when = time !== undefined && at < times.length - 1 ? clock(time * 1000) : '';
    this.#when.textContent = when;
    const said = this.#values.map((value, i) => {
      value.textContent = this.#spec.write(lists[i]?.[at] ?? null);
      return `${this.#spec.lines[i]?.name ?? ''} ${value.textContent}`.trim();
    });
    this.#box.ariaLabel = `${this.#spec.title}, the last 15 minutes. ${when || 'Now'}: ${said.join(', ')}. Arrow keys walk through it.`;
  }

  /** #walk moves the cursor from sample to sample. */
  #walk(event: KeyboardEvent): void {
    const times = this.#plot.data[0], last = times.length - 1, at = this.#plot.cursor.idx ?? last;
    const keys: Record<string, number> = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last};
    const to = keys[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const time = times[Math.max(0, Math.min(last, to))];
    if (time !== undefined) together.plots.forEach(p => p.setCursor({left: p.valToPos(time, 'x'), top: 10}));
  }
}
