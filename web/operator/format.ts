import type {Num} from './overview';

const none = '–';
const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const short = new Intl.NumberFormat('en', {notation: 'compact', maximumSignificantDigits: 3});
const fine = new Intl.NumberFormat('en', {maximumSignificantDigits: 2});

/** count writes a number of things in full. */
export const count = (n: Num): string => n === null ? none : whole.format(n);

/** rate writes how many things there are in a second, in three digits or so. */
export const rate = (n: Num): string => n === null ? none : n !== 0 && n < 10 ? fine.format(n) : short.format(n);

/** span writes a time given in seconds, from microseconds to days. */
export function span(s: Num): string {
  if (s === null) return none;
  if (s === 0) return '0 s';
  if (s < 1e-3) return `${fine.format(s * 1e6)} µs`;
  if (s < 1) return `${fine.format(s * 1e3)} ms`;
  if (s < 90) return `${fine.format(s)} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

/** bytes writes a number of them. */
export function bytes(n: Num): string {
  if (n === null) return none;
  let i = 0;
  for (; n >= 1024 && i < 3; i++) n /= 1024;
  return `${i === 0 ? n : fine.format(n)} ${['B', 'KiB', 'MiB', 'GiB'][i]}`;
}

/** clock writes a time of day. */
export const clock = (t: string | number): string => new Date(t).toTimeString().slice(0, 8);

const day = new Intl.DateTimeFormat('en', {day: 'numeric', month: 'short'});

/** when is clock, with the day before it unless that is today's. */
export function when(t: string, now: string): string {
  const then = new Date(t);
  return then.toDateString() === new Date(now).toDateString() ? clock(t) : `${day.format(then)} ${clock(t)}`;
}

/** sum adds what is known. */
export const sum = (list: Num[]): number => list.reduce<number>((total, n) => total + (n ?? 0), 0);

/** words turns a metric's label into what is read. */
export const words = (label: string): string => label.replaceAll('_', ' ');
