import { expect, test, vi } from 'vitest';
import type { Problem } from '../src/index.js';
import { dial, events, jwt, last, open, settle, sockets } from './fake.js';

const raw = { format: 'raw' } as const;
const payload = (data: unknown) => last().onmessage!({ data });

test('payloads are strings or bytes, and of the room if the URL names exactly one', async () => {
  const gate = await dial({ ...raw, rooms: ['42'], token: () => jwt('t') });
  const [opens, messages] = [events(gate, 'open'), events(gate, 'message')];
  const heard = vi.fn();
  gate.subscribe('42', heard);
  expect(last().protocols).toEqual(['roomgate.raw.v1', `bearer.${jwt('t')}`]);
  last().onopen!();
  payload('{"a":1}');
  payload(new Uint8Array([1, 2]).buffer);
  expect(gate.state).toBe('open');
  expect(opens).toEqual([null]);
  expect(heard.mock.calls.map(([data]) => data)).toEqual(['{"a":1}', new Uint8Array([1, 2])]);
  expect(messages.map(({ room }) => room)).toEqual(['42', '42']);
});

test('with several rooms, or none named, nobody can tell the room: the message is an event without one', async () => {
  for (const rooms of [['a', 'b'], []]) {
    const gate = await dial({ ...raw, rooms });
    last().onopen!();
    const heard = vi.fn();
    if (rooms[0]) gate.subscribe(rooms[0], heard);
    const messages = events(gate, 'message');
    payload('x');
    expect(messages).toEqual([{ room: undefined, data: 'x' }]);
    expect(heard).not.toHaveBeenCalled();
  }
});

test('only a URL can name a room: subscribing to others connects anew, once for all within a second, which is drawn at random', async () => {
  const draws = [0.7, 0.1, 0.2];
  const gate = await dial({ ...raw, rooms: ['a'] });
  last().onopen!();
  vi.spyOn(Math, 'random').mockImplementation(() => draws.shift()!);
  gate.subscribe('a')();
  gate.subscribe('b');
  await vi.advanceTimersByTimeAsync(300);
  gate.subscribe('c');
  gate.subscribe('a');
  await vi.advanceTimersByTimeAsync(399);
  expect(sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(sockets).toHaveLength(2);
  expect(last().rooms).toEqual(['a', 'b', 'c']);
  last().onopen!();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(2);
});

test('rooms for which the URL has no place are told of, and the others are joined', async () => {
  const rooms = Array.from({ length: 500 }, (_, i) => `organisation:${i}`);
  let problems: Problem[] = [];
  const gate = await dial({ ...raw, rooms }, (gate) => { problems = events(gate, 'error'); });
  expect(last().url.href.length).toBeLessThanOrEqual(2000);
  expect(last().rooms).toEqual(rooms.slice(0, 50));
  expect(problems.map(({ code, room }) => [code, room])).toEqual(rooms.slice(50).map((room) => ['too_many_rooms', room]));
  last().onopen!();
  expect(gate.state).toBe('open');
  gate.addEventListener('error', () => gate.close());
  problems.length = 0;
  gate.reconnect();
  await settle();
  expect(problems).toHaveLength(1);
});

test('rooms subscribed to before the first connect are in its URL', async () => {
  await dial(raw, (gate) => gate.subscribe('42'));
  expect(sockets.map(({ rooms }) => rooms)).toEqual([['42']]);
});

test('publish and ping need frames, and say so', async () => {
  const gate = await open(raw);
  await expect(gate.publish('42', 1)).rejects.toMatchObject({ code: 'bad_request', message: 'publish needs the format json' });
  await expect(gate.ping()).rejects.toMatchObject({ code: 'bad_request' });
});

test('4003 stops: without its URL there is no other way to ask', async () => {
  const gate = await dial({ ...raw, rooms: ['b'] });
  last().onopen!();
  last().end(4003);
  expect(gate.state).toBe('closed');
});
