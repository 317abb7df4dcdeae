import { expect, test, vi } from 'vitest';
import { dial, events, last, open, settle, sockets } from './fake.js';

const say = (room: string, rest: object) => last().say({ type: 'message', room, ...rest });

test('data comes parsed, text as a string, base64 as bytes, each with its room', async () => {
  const gate = await open({}, ['42']);
  const all = events(gate, 'message');
  const heard = vi.fn();
  gate.subscribe('42', heard);
  for (const payload of [{ data: { text: 'hi' } }, { data: null }, { data: 0 }, { text: '' }, { text: 'hi' }, { base64: '/wA=' }]) say('42', payload);
  const data = [{ text: 'hi' }, null, 0, '', 'hi', new Uint8Array([255, 0])];
  expect(heard.mock.calls).toEqual(data.map((data) => [data, { room: '42', data }]));
  expect(all).toEqual(data.map((data) => ({ room: '42', data })));
});

test('several listeners share a room, which is left when the last has gone', async () => {
  const gate = await open();
  const [one, two] = [vi.fn(), vi.fn()];
  const leave = gate.subscribe('42', one);
  const leaveToo = gate.subscribe('42', two);
  await settle();
  expect(last().sent).toEqual([{ type: 'subscribe', room: '42', ref: 1 }]);
  last().say({ type: 'subscribed', room: '42', ref: 1 });
  expect(gate.rooms).toEqual(['42']);
  leave();
  leave();
  say('42', { data: 1 });
  expect(one).not.toHaveBeenCalled();
  expect(two).toHaveBeenCalledOnce();
  await settle();
  expect(last().sent).toHaveLength(1);
  leaveToo();
  await settle();
  expect(last().sent[1]).toEqual({ type: 'unsubscribe', room: '42', ref: 2 });
  last().say({ type: 'unsubscribed', room: '42', ref: 2 });
  expect(gate.rooms).toEqual([]);
});

test('the same function subscribed twice is called twice, and taken back one by one', async () => {
  const gate = await open({}, ['42']);
  const heard = vi.fn();
  const leave = gate.subscribe('42', heard);
  gate.subscribe('42', heard);
  say('42', { data: 1 });
  leave();
  say('42', { data: 2 });
  expect(heard.mock.calls.map(([data]) => data)).toEqual([1, 1, 2]);
});

test('leaving and joining again in one turn sends nothing', async () => {
  const gate = await open({ rooms: ['42'] });
  const leave = gate.subscribe('7');
  await settle();
  expect(last().of('subscribe')).toHaveLength(1);
  leave();
  gate.subscribe('7');
  await settle();
  expect(last().sent).toHaveLength(1);
});

test('an AbortSignal ends a subscription', async () => {
  const gate = await open();
  const controller = new AbortController();
  gate.subscribe('42', () => {}, { signal: controller.signal });
  gate.subscribe('7', () => {}, { signal: AbortSignal.abort() });
  await settle();
  controller.abort();
  await settle();
  expect(last().sent.map(({ type, room }) => [type, room])).toEqual([['subscribe', '42'], ['unsubscribe', '42']]);
});

test('a listener that throws is reported, and hides the message from no other', async () => {
  const gate = await open({}, ['42']);
  const thrown: unknown[] = [];
  vi.stubGlobal('queueMicrotask', (then: () => void) => { try { then(); } catch (error) { thrown.push(error); } });
  gate.subscribe('42', () => { throw new Error('mine'); });
  const other = vi.fn();
  gate.subscribe('42', other);
  say('42', { data: 1 });
  expect(other).toHaveBeenCalledOnce();
  expect(thrown).toEqual([new Error('mine')]);
});

test('rooms of the options are in the URL; those subscribed to are restored by it on each later connection', async () => {
  const gate = await dial({ rooms: ['a', 'b+c'] });
  gate.subscribe('d');
  expect(last().rooms).toEqual(['a', 'b+c']);
  expect(last().url.search).toContain('b%2Bc');
  last().hello();
  await settle();
  expect(last().of('subscribe').map(({ room }) => room)).toEqual(['d']);
  last().answer('subscribe', { type: 'subscribed', room: 'd' });
  expect(gate.rooms).toEqual(['a', 'b+c', 'd']);
  gate.reconnect();
  expect(gate.rooms).toEqual([]);
  await settle();
  expect(last().rooms).toEqual(['a', 'b+c', 'd']);
  last().hello();
  await settle();
  expect(last().sent).toEqual([]);
  expect(gate.rooms).toEqual(['a', 'b+c', 'd']);
});

test('a room that was left is not restored', async () => {
  const gate = await open({ rooms: ['a'] });
  const leave = gate.subscribe('b');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  leave();
  gate.reconnect();
  await settle();
  expect(last().rooms).toEqual(['a']);
});

test('a room that was left while the connection began is left once it has', async () => {
  const gate = await open({ rooms: ['a'] });
  const leave = gate.subscribe('b');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  gate.reconnect();
  await settle();
  leave();
  last().hello();
  await settle();
  expect(last().sent).toEqual([{ type: 'unsubscribe', room: 'b', ref: 1 }]);
});

test('rooms that the token brings along are kept on reconnect: no URL names others in their place', async () => {
  const gate = await open({}, ['user:1']);
  gate.subscribe('42');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: '42' });
  gate.reconnect();
  await settle();
  expect(last().rooms).toEqual([]);
  last().hello(['user:1']);
  await settle();
  expect(last().of('subscribe').map(({ room }) => room)).toEqual(['42']);
});

test('a token without rooms of its own lets later URLs name those that were joined', async () => {
  const gate = await open({}, []);
  gate.subscribe('42');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: '42' });
  gate.reconnect();
  await settle();
  expect(last().rooms).toEqual(['42']);
});

test('a room of the token is neither asked for nor left, and its messages come as any', async () => {
  const gate = await open({}, ['user:1']);
  const heard = vi.fn();
  const leave = gate.subscribe('user:1', heard);
  await settle();
  say('user:1', { data: 1 });
  leave();
  await settle();
  expect(heard).toHaveBeenCalledOnce();
  expect(last().sent).toEqual([]);
});

test('a refused room is told of, kept out of URLs, and asked for again on the next connection only', async () => {
  const gate = await open({ rooms: ['a'] });
  const problems = events(gate, 'error');
  gate.subscribe('secret');
  await settle();
  last().answer('subscribe', { type: 'error', code: 'forbidden', message: 'the token does not allow this room' });
  await settle();
  expect(problems).toEqual([{ code: 'forbidden', message: 'the token does not allow this room', room: 'secret' }]);
  await vi.advanceTimersByTimeAsync(25_000);
  expect(last().of('subscribe')).toHaveLength(1);
  gate.reconnect();
  await settle();
  expect(last().rooms).toEqual(['a']);
  last().hello();
  await settle();
  expect(last().of('subscribe').map(({ room }) => room)).toEqual(['secret']);
});

test.each(['rate_limited', 'unavailable'])('a room that is refused for now (%s) is asked for again within 5 to 10 s', async (code) => {
  const gate = await open();
  gate.subscribe('42');
  await settle();
  last().answer('subscribe', { type: 'error', code, message: 'later' });
  await vi.advanceTimersByTimeAsync(4999);
  expect(last().of('subscribe')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5001);
  expect(last().of('subscribe')).toHaveLength(2);
});

test('a room that a new token loses is told of, and not asked for', async () => {
  const gate = await open({ rooms: ['a', 'b'] });
  const problems = events(gate, 'error');
  last().say({ type: 'unsubscribed', room: 'b', code: 'forbidden' });
  last().say({ type: 'hello', rooms: ['a'] });
  await settle();
  expect(gate.rooms).toEqual(['a']);
  expect(problems).toEqual([{ code: 'forbidden', message: 'the new token does not allow this room', room: 'b' }]);
  gate.subscribe('b');
  await settle();
  expect(last().sent).toEqual([]);
});

test('a room that a new token loses is not named in the next URL, and not asked for either if the token had brought it', async () => {
  const gate = await open({ rooms: ['a'] });
  gate.subscribe('b');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  last().say({ type: 'unsubscribed', room: 'b', code: 'forbidden' });
  gate.reconnect();
  await settle();
  expect(last().rooms).toEqual(['a']);

  const other = await open({}, ['user:1']);
  other.subscribe('user:1');
  last().say({ type: 'unsubscribed', room: 'user:1', code: 'forbidden' });
  other.subscribe('user:1');
  await settle();
  expect(last().sent).toEqual([]);
});

test('200 rooms: as many as a URL holds, and the rest by frames, never more than 15 in 10 s', async () => {
  const rooms = Array.from({ length: 200 }, (_, i) => `organisation:7:conversation:${1000 + i}`);
  const gate = await dial({ rooms, silence: 3_600_000 });
  expect(last().url.href.length).toBeLessThanOrEqual(2060);
  const named = last().rooms.length;
  expect(named).toBeGreaterThan(40);
  last().hello();
  for (let batches = 1; last().of('subscribe').length < 200 - named; batches++) {
    await settle();
    expect(last().of('subscribe')).toHaveLength(Math.min(15 * batches, 200 - named));
    await vi.advanceTimersByTimeAsync(9_999);
    expect(last().of('subscribe')).toHaveLength(Math.min(15 * batches, 200 - named));
    await vi.advanceTimersByTimeAsync(1);
  }
  expect([...last().rooms, ...last().of('subscribe').map(({ room }) => room)].sort()).toEqual(rooms);
  gate.close();
});

test('a URL names at most 100 rooms, more than which a gateway refuses by default', async () => {
  await dial({ rooms: Array.from({ length: 150 }, (_, i) => `r${i}`) });
  expect(last().rooms).toHaveLength(100);
});

test.each(['', 'a b', 'é', 'x'.repeat(129), 'a?b'])('%j is no room, and said to be none', async (room) => {
  const gate = await open();
  expect(() => gate.subscribe(room)).toThrow(/a room is 1 to 128/);
  await expect(dial({ rooms: [room] })).rejects.toThrow(/a room is 1 to 128/);
});

test('join tells when each room is joined, on each connection, and not again for a new token', async () => {
  const gate = await dial({ rooms: ['a'] });
  const joins = events(gate, 'join');
  gate.subscribe('b');
  last().hello();
  await settle();
  expect(joins).toEqual([{ room: 'a' }]);
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  last().hello(['a', 'b']);
  expect(joins).toEqual([{ room: 'a' }, { room: 'b' }]);
  gate.reconnect();
  await settle();
  last().hello();
  expect(joins.slice(2)).toEqual([{ room: 'a' }, { room: 'b' }]);
});

test('gap, with its room, reason and delay, and open with the hello, are events', async () => {
  const gate = await dial();
  const [gaps, opens, states] = [events(gate, 'gap'), events(gate, 'open'), events(gate, 'state')];
  last().hello(['42']);
  last().say({ type: 'gap', room: '42', reason: 'redis', after: 740 });
  last().say({ type: 'of a later version' });
  expect(gaps).toEqual([{ room: '42', reason: 'redis', after: 740 }]);
  expect(opens).toMatchObject([{ conn: 'c1', sub: 'u1', rooms: ['42'] }]);
  expect(states).toEqual(['open']);
  expect(sockets).toHaveLength(1);
});
