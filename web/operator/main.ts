import type {Overview} from './overview';
import {bytes, clock, count, rate, span, when} from './format';
import {Plot, type PlotSpec} from './plots';
import {fillAll, set} from './tables';
import {judge, type Tone, type Verdict} from './verdict';

const every = 5000; // ms between two looks: the gateway takes a sample as often
const everyOfDrain = 1000; // likewise while it drains
const patience = 4000; // ms that an answer may take
const stale = 8000; // ms after which the page says that there was none

const $ = (id: string) => document.getElementById(id)!;

const specs: PlotSpec[] = [
  {title: 'Connections', write: count, whole: true, lines: [{of: 'connections', name: '', colour: '--accent'}]},
  {title: 'Opened and closed, a second', write: rate, lines: [
    {of: 'opened_per_second', name: 'opened', colour: '--accent'}, {of: 'closed_per_second', name: 'closed', colour: '--wait'}]},
  {title: 'Messages from Redis, a second', write: rate, lines: [{of: 'received_per_second', name: '', colour: '--accent'}]},
  {title: 'Deliveries to clients, a second', write: rate, lines: [{of: 'delivered_per_second', name: '', colour: '--accent'}]},
  {title: 'Redis round trip', write: span, lines: [
    {of: 'round_trip_p50_seconds', name: 'p50', colour: '--accent'}, {of: 'round_trip_p99_seconds', name: 'p99', colour: '--wait'}]},
  {title: 'Fan-out: from Redis to the last send', write: span, lines: [
    {of: 'fanout_p50_seconds', name: 'p50', colour: '--accent'}, {of: 'fanout_p99_seconds', name: 'p99', colour: '--wait'}]},
  {title: 'Clients told of a gap, a second', write: rate, lines: [{of: 'gaps_per_second', name: '', colour: '--bad'}]},
  {title: 'Tokens refused, a second', write: rate, lines: [{of: 'auth_failures_per_second', name: '', colour: '--bad'}]},
];
const plots = specs.map(spec => new Plot(spec));
$('plots').append(...plots.map(p => p.figure));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plots.forEach(p => p.redraw()));

let answered = 0; // when the last answer came, on performance's clock; 0: none did
let looking = 0; // since when it has been asked for answers, likewise: a page that was hidden is owed none of before
let problem = ''; // of the last look; empty: it was answered
let last: Overview | undefined;
let paused = false;
let draining = false;
let asking = false;
let next: ReturnType<typeof setTimeout> | undefined; // of the next look

async function ask(): Promise<void> {
  let o: Overview;
  try {
    const answer = await fetch('overview.json', {cache: 'no-store', signal: AbortSignal.timeout(patience)});
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    o = await answer.json();
  } catch (error) {
    problem = (error as Error).message;
    return;
  }
  answered = performance.now();
  problem = '';
  last = o;
  show(o); // what it throws is a fault of ours, and for the console
}

/** look asks now, and again and again, unless nobody would see it. */
async function look(): Promise<void> {
  clearTimeout(next);
  if (document.hidden || paused) looking = 0;
  else looking ||= performance.now();
  if (looking === 0 || asking) return;
  asking = true;
  try {
    await ask();
  } finally {
    asking = false;
    tellAge();
    next = setTimeout(look, draining ? everyOfDrain : every);
  }
}

function tile(id: string, value: string, more: string, tone: Tone | '' = ''): void {
  set($(id), value);
  set($(`${id}-more`), more);
  $(id).dataset.tone = tone;
}

function showVerdict(v: Verdict): void {
  $('state').dataset.tone = v.tone;
  set($('state'), v.state);
  set($('verdict'), v.text);
  const title = `${v.state} · ${location.host} · roomgate`;
  if (document.title !== title) document.title = title;
}

function show(o: Overview): void {
  showVerdict(judge(o));
  set($('version'), `${location.host} · ${o.version} · up ${span((Date.parse(o.now) - Date.parse(o.started)) / 1000)}`);
  set($('as-of'), `as of ${clock(o.now)}`);
  showDrain(o);
  const lost = (o.messages.dropped_of_late ?? 0) + (o.messages.gaps_of_late ?? 0);
  tile('connections', count(o.connections.now), o.connections.limit > 0 ? `of at most ${count(o.connections.limit)}` : 'no limit');
  tile('rooms', count(o.rooms.now), `${count(o.redis.rooms)} subscribed at Redis`);
  tile('received', rate(o.messages.received_per_second), 'from Redis, a second');
  tile('delivered', rate(o.messages.delivered_per_second), `to clients, a second; ${bytes(o.messages.waiting_bytes)} wait`);
  tile('redis', o.redis.up ? 'up' : 'down', redisMore(o), o.redis.up ? 'good' : 'bad');
  tile('lost', count(lost), `${count(o.messages.gaps_of_late)} told of a gap, ${count(o.messages.dropped_of_late)} dropped`, lost > 0 ? 'wait' : '');
  const over = `messages a second, over ${span(o.rooms.over_seconds)}`;
  document.querySelectorAll('.over').forEach(e => set(e, over));
  plots.forEach(p => p.show(o.history));
  fillAll(o);
}

function redisMore(o: Overview): string {
  if (!o.redis.up) return o.redis.reason;
  const parts = [`round trip ${span(o.redis.round_trip_p50_seconds)}, p99 ${span(o.redis.round_trip_p99_seconds)}`];
  if (o.redis.masters !== null) parts.push(`${count(o.redis.masters_proven)} of ${count(o.redis.masters)} masters proven`);
  if (o.redis.sentinels !== null) parts.push(`${count(o.redis.sentinels)} Sentinels`);
  return parts.join('; ');
}

function showDrain(o: Overview): void {
  draining = o.drain !== null;
  $('drain').hidden = !draining;
  if (o.drain === null) return;
  const {total, remaining, closing, period_seconds, delay_seconds, began} = o.drain;
  const bar = $('drain-bar') as HTMLProgressElement;
  bar.max = Math.max(total, 1);
  bar.value = total - remaining;
  set($('drain-text'), `Draining since ${when(began, o.now)}: ` + (closing
    ? `${count(total - remaining)} of ${count(total)} connections are closed, evenly over ${span(period_seconds)}.`
    : `not ready; new clients are let in for ${span(delay_seconds)}, until load balancers have noticed.`));
}

/** tellAge says so when what is shown is not of now. */
function tellAge(): void {
  const now = performance.now();
  const age = span(Math.round((now - answered) / 1000));
  const silent = looking > 0 && now - Math.max(answered, looking) > stale;
  $('silent').hidden = !silent;
  document.body.classList.toggle('stale', silent || paused);
  set($('silent-age'), silent && answered > 0 ? `The last answer came ${age} ago, and what stands below is of then.` : '');
  if (silent) {
    set($('silent-text'), `roomgate does not answer: ${problem || 'nothing comes'}`);
    showVerdict({tone: 'bad', state: 'No answer', text: ''});
  } else if (paused) {
    showVerdict({tone: 'wait', state: 'Paused', text: answered > 0 ? `What stands below is ${age} old` : ''});
  } else if (last && !problem) {
    showVerdict(judge(last));
  }
}

$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').ariaPressed = String(paused);
  set($('pause'), paused ? 'Paused' : 'Pause');
  void look();
  tellAge();
});
document.addEventListener('visibilitychange', look);
setInterval(tellAge, 1000);
void look();
