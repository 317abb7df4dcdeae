// 1,000 clients meet the same end at the same moment. When do they come back?
import { beforeEach, expect, test } from 'vitest';
import { Herd } from './clock.js';
import { jwt, Page, sockets } from './fake.js';

const clients = 1000;
const bucket = 100; // ms

let herd: Herd;
beforeEach(() => {
  herd = new Herd();
});

/** Prints and returns how many dials began in each bucket, from the moment on. */
function histogram(title: string, moment: number, dials: number[]): number[] {
  const counts: number[] = [];
  for (const at of dials) {
    const i = Math.floor((at - moment) / bucket);
    counts[i] = (counts[i] ?? 0) + 1;
  }
  const all = Array.from(counts, (count) => count ?? 0);
  const each = Math.ceil(all.length / 25); // buckets a line
  const lines = [];
  for (let i = 0; i < all.length; i += each) {
    const most = Math.max(...all.slice(i, i + each));
    lines.push(`${String(i * bucket).padStart(6)} ms ${String(most).padStart(4)} ${'#'.repeat(Math.ceil(most / 4))}`);
  }
  console.log(`${title}: ${dials.length} dials, the most in ${bucket} ms:\n${lines.join('\n')}`);
  return all;
}

/** What an even spread over `ms` gives a bucket, and five standard deviations more: once in some millions of buckets. */
function even(ms: number): number {
  const p = bucket / ms;
  return clients * p + 5 * Math.sqrt(clients * p * (1 - p));
}

async function allEnd(code: number, after?: () => number): Promise<number> {
  await herd.open(clients);
  const moment = Date.now();
  for (const socket of sockets) {
    if (after) socket.say({ type: 'bye', code, after: after() });
    socket.end(code);
  }
  return moment;
}
const dialsSince = (from: number) => sockets.slice(from).map((socket) => socket.dialed);

test('a gateway that was killed (1006) and is up again meets them evenly over a second', async () => {
  const moment = await allEnd(1006);
  await herd.pass(1001);
  const counts = histogram('1006', moment, dialsSince(clients));
  expect(sockets).toHaveLength(2 * clients);
  expect(Math.max(...counts)).toBeLessThan(even(1000));
});

test('a gateway that stays down for 20 s meets fewer and fewer', async () => {
  const moment = await allEnd(1006);
  let seen = clients;
  await herd.pass(20_000, () => { for (; seen < sockets.length; seen++) sockets[seen]!.end(1006); }); // each dial is refused at once
  await herd.pass(30_000);
  const counts = histogram('1006, down for 20 s', moment, dialsSince(clients));
  expect(Math.max(...counts.slice(0, 10))).toBeLessThan(2 * even(1000)); // those who wait for the first and for the second time
  expect(Math.max(...counts.slice(10, 50))).toBeLessThan(even(1000)); // each of those waits for 2 s, 4 s, … at most
  expect(Math.max(...counts.slice(50, 200))).toBeLessThan(even(2000));
  const back = counts.slice(200);
  expect(Math.max(...back)).toBeLessThan(even(5000));
});

test('42xx without bye: evenly over 5 s', async () => {
  const moment = await allEnd(4201);
  await herd.pass(5001);
  const counts = histogram('4201', moment, dialsSince(clients));
  expect(sockets).toHaveLength(2 * clients);
  expect(Math.max(...counts)).toBeLessThan(even(5000));
});

test('42xx with bye: at the times that the gateway drew, and at no other, whatever wakes the tabs meanwhile', async () => {
  const page = new Page();
  const drawn: number[] = [];
  const moment = await allEnd(4201, () => { drawn.push(Math.floor(Math.random() * 5000)); return drawn.at(-1)!; });
  await herd.pass(100);
  page.show();
  page.online(true);
  await herd.pass(5001);
  const dials = dialsSince(clients);
  const counts = histogram('4201 with bye', moment, dials);
  expect(dials.map((at) => at - moment)).toEqual(drawn.sort((a, b) => a - b));
  expect(Math.max(...counts)).toBeLessThan(even(5000));
});

test('tokens that expire together are renewed evenly over half the time that is left', async () => {
  const asked: number[] = [];
  await herd.open(clients, { token: () => { asked.push(Date.now()); return jwt('t'); }, silence: 3_600_000 });
  asked.length = 0;
  const moment = Date.now();
  for (const socket of sockets) socket.say({ type: 'expiring', in: 60 });
  await herd.pass(30_001);
  const counts = histogram('tokens', moment, asked);
  expect(asked).toHaveLength(clients);
  expect(Math.max(...counts)).toBeLessThan(even(30_000) + 5); // few in each, which is no bell any more
});

test('a room that everybody is refused for want of Redis is asked for again evenly over 5 s', async () => {
  const gates = await herd.open(clients, { silence: 3_600_000 });
  for (const gate of gates) gate.subscribe('42');
  await herd.pass(1);
  const moment = Date.now();
  for (const socket of sockets) socket.answer('subscribe', { type: 'error', code: 'unavailable', message: 'later' });
  const asked: number[] = [];
  for (const socket of sockets) socket.send = () => { asked.push(Date.now()); };
  await herd.pass(10_001);
  const counts = histogram('unavailable', moment, asked);
  expect(asked).toHaveLength(clients);
  expect(Math.max(...counts)).toBeLessThan(even(5000));
});

test('what all heard at the same moment does not make all ping at the same moment', async () => {
  await herd.open(clients, { silence: 30_000 });
  await herd.pass(1000);
  const pinged: number[] = [];
  for (const socket of sockets) {
    socket.say({ type: 'message', room: '42', data: 1 });
    socket.send = () => {
      pinged.push(Date.now());
      socket.say({ type: 'pong' });
    };
  }
  const moment = Date.now();
  await herd.pass(30_001);
  const counts = histogram('pings', moment, pinged);
  expect(pinged).toHaveLength(clients);
  expect(Math.max(...counts)).toBeLessThan(even(7500));
});

test('a message that makes all raw pages subscribe makes them connect anew evenly over a second', async () => {
  const gates = await herd.open(clients, { format: 'raw', rooms: ['a'] });
  const moment = Date.now();
  for (const gate of gates) for (const room of ['b', 'c', 'd']) gate.subscribe(room);
  await herd.pass(1001);
  const counts = histogram('raw', moment, dialsSince(clients));
  expect(sockets).toHaveLength(2 * clients);
  expect(Math.max(...counts)).toBeLessThan(even(1000));
});
