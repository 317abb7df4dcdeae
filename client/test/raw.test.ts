import { expect, test, vi } from 'vitest';
import { dial, events, last, open, settle, sockets } from './fake.js';

const raw = { format: 'raw' } as const;
const payload = (data: unknown) => last().onmessage!({ data });

test('payloads are strings or bytes, and of the room if the URL names exactly one', async () => {
  const gate = await dial({ ...raw, rooms: ['42'], token: () => 't' });
  const [opens, messages] = [events(gate, 'open'), events(gate, 'message')];
  const heard = vi.fn();
  gate.subscribe('42', heard);
  expect(last().protocols).toEqual(['roomgate.raw.v1', 'bearer.t']);
  last().onopen!();
  payload('{"a":1}');
  payload(new Uint8Array([1, 2]).buffer);
  expect(gate.state).toBe('open');
  expect(opens).toHaveLength(1);
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

test('only a URL can name a room: subscribing to another one connects anew, once for all of one turn', async () => {
  const gate = await dial({ ...raw, rooms: ['a'] });
  last().onopen!();
  gate.subscribe('a');
  expect(sockets).toHaveLength(1);
  gate.subscribe('b');
  gate.subscribe('c');
  await settle();
  expect(sockets).toHaveLength(2);
  expect(last().rooms).toEqual(['a', 'b', 'c']);
});

test('rooms subscribed to before the first connect are in its URL', async () => {
  const gate = await dial(raw);
  gate.subscribe('42');
  await settle();
  expect(last().rooms).toEqual(['42']);
});

test('publish and ping need frames, and say so', async () => {
  const gate = await open(raw);
  await expect(gate.publish('42', 1)).rejects.toMatchObject({ code: 'bad_request', message: 'publish needs the format json' });
  await expect(gate.ping()).rejects.toMatchObject({ code: 'bad_request' });
});

test('4003 stops: without its URL there is no other way to ask', async () => {
  const gate = await dial(raw);
  gate.subscribe('b');
  await settle();
  last().onopen!();
  last().end(4003);
  expect(gate.state).toBe('closed');
});
