// The package as it is shipped, against the gateway as it is built, over real sockets.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Roomgate, type RoomgateEventMap } from 'roomgate';
import WebSocket from 'ws';
import { Demo } from './demo.js';

let demo: Demo;
let gates: Roomgate[] = [];

beforeEach(async () => { demo = await Demo.start(); });

afterEach(async () => {
  for (const gate of gates.splice(0)) gate.close();
  await demo?.kill();
});

async function token(): Promise<string> {
  const answer = await fetch(`${demo.url}/demo/token`);
  return ((await answer.json()) as { token: string }).token;
}

function connect(options: ConstructorParameters<typeof Roomgate>[1] = {}): Roomgate {
  const gate = new Roomgate(`${demo.url}/ws`, { token, WebSocket, ...options });
  gates.push(gate);
  return gate;
}

function next<K extends keyof RoomgateEventMap>(gate: Roomgate, type: K, fits: (detail: RoomgateEventMap[K]['detail']) => boolean = () => true): Promise<RoomgateEventMap[K]['detail']> {
  return new Promise((resolve) => {
    gate.addEventListener(type, function listener(event) {
      if (!fits(event.detail)) return;
      gate.removeEventListener(type, listener);
      resolve(event.detail);
    });
  });
}

test('two clients chat', async () => {
  const [ann, bob] = [connect(), connect({ rooms: ['42'] })];
  const hellos = await Promise.all([next(ann, 'open'), next(bob, 'open')]);
  expect(hellos.map((hello) => hello!.rooms)).toEqual([['42'], ['42']]);
  const heard: string[] = [];
  ann.subscribe<{ text: string }>('42', ({ text }) => heard.push(`ann: ${text}`));
  bob.subscribe<{ text: string }>('42', ({ text }) => heard.push(`bob: ${text}`));
  await bob.publish('42', { text: 'hi' });
  await vi.waitUntil(() => heard.length === 2);
  await ann.publish('42', { text: 'ho' });
  await vi.waitUntil(() => heard.length === 4);
  expect(heard.sort()).toEqual(['ann: hi', 'ann: ho', 'bob: hi', 'bob: ho']);
  expect(await ann.ping()).toBeGreaterThan(0);
});

test('what the token does not allow is refused, by a promise or by an event, and the connection stays', async () => {
  const gate = connect();
  await next(gate, 'open');
  await expect(gate.publish('7', 1)).rejects.toMatchObject({ code: 'forbidden' });
  gate.subscribe('7');
  expect(await next(gate, 'error')).toMatchObject({ code: 'forbidden', room: '7' });
  expect(gate.state).toBe('open');
});

test('a room that the token does not allow, named in the options, ends it with the reason', async () => {
  const gate = connect({ rooms: ['7'] });
  const closed = await next(gate, 'close', ({ code }) => code !== 1006); // 503, while the gateway has not yet met its Redis
  expect(closed).toMatchObject({ code: 4003, after: undefined });
  expect(closed.reason).toContain('7');
  expect(gate.state).toBe('closed');
});

test('a token is renewed on the open connection', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.001); // of the seven minutes within which it would be
  const gate = connect();
  const first = await next(gate, 'open');
  await next(gate, 'frame', ({ direction, text }) => direction === 'out' && text.includes('"auth"'));
  const { text } = await next(gate, 'frame', ({ text }) => text.includes('"hello"'));
  const renewed = JSON.parse(text);
  expect(renewed.conn).toBe(first!.conn);
  expect(renewed.exp).toBeGreaterThanOrEqual(first!.exp);
  expect(gate.state).toBe('open');
});

test('the gateway is killed and comes back: so do the client, its rooms and its loops', async () => {
  const gate = connect({ rooms: ['42'] });
  await next(gate, 'open');
  const heard: number[] = [];
  gate.subscribe<number>('42', (n) => heard.push(n));
  const loop = gate.messages<number>('42');
  const first = loop.next();
  await gate.publish('42', 1);
  expect((await first).value).toBe(1);

  const closed = next(gate, 'close');
  await demo.kill();
  expect(await closed).toMatchObject({ code: 1006, attempt: 1 });
  expect(gate.rooms).toEqual([]);
  const failed = next(gate, 'close');
  await failed; // nobody is there, nor a token
  const opened = next(gate, 'open');
  await demo.start();
  expect((await opened)!.rooms).toEqual(['42']);
  await gate.publish('42', 2);
  expect((await loop.next()).value).toBe(2);
  expect(heard).toEqual([1, 2]);
  await loop.return();
});

test('the gateway is shut down: the client learns when to come back', async () => {
  const gate = connect();
  await next(gate, 'open');
  const [bye, closed] = [next(gate, 'frame', ({ text }) => text.includes('"bye"')), next(gate, 'close')];
  demo.process.kill('SIGTERM');
  expect(await closed).toMatchObject({ code: 4201, after: JSON.parse((await bye).text).after });
});

test('raw: the payload alone', async () => {
  const [raw, gate] = [connect({ format: 'raw', rooms: ['42'] }), connect()];
  await Promise.all([next(raw, 'open'), next(gate, 'open')]);
  const got = next(raw, 'message');
  await vi.waitUntil(async () => { // a raw client is told by no frame that it is in
    await gate.publish('42', { text: 'hi' });
    return Promise.race([got, new Promise((resolve) => { setTimeout(resolve, 50); })]);
  }, { timeout: 30_000, interval: 700 });
  expect(await got).toEqual({ room: '42', data: '{"text":"hi"}' });
});
