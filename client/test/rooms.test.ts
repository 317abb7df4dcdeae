import { getEventListeners } from 'node:events';
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

test('a room that is left, and wanted again before the answer, is asked for again at once', async () => {
  const gate = await open();
  const leave = gate.subscribe('42');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: '42' });
  leave();
  await settle();
  expect(gate.rooms).toEqual([]);
  const joins = events(gate, 'join');
  gate.subscribe('42');
  await settle();
  last().answer('unsubscribe', { type: 'unsubscribed', room: '42' });
  await settle();
  expect(last().sent.map(({ type }) => type)).toEqual(['subscribe', 'unsubscribe', 'subscribe']);
  last().answer('subscribe', { type: 'subscribed', room: '42' });
  expect(joins).toEqual([{ room: '42' }]);
  expect(gate.rooms).toEqual(['42']);
});

test('a room that cannot be left for now is left later, or kept by who wants it again', async () => {
  for (const again of [false, true]) {
    const gate = await open();
    const leave = gate.subscribe('42');
    await settle();
    last().answer('subscribe', { type: 'subscribed', room: '42' });
    leave();
    await settle();
    last().answer('unsubscribe', { type: 'error', code: 'rate_limited', message: 'later' });
    await settle();
    if (again) gate.subscribe('42');
    await settle();
    if (again) last().answer('subscribe', { type: 'subscribed', room: '42' });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(last().of('unsubscribe')).toHaveLength(again ? 1 : 2);
    expect(gate.rooms).toEqual(again ? ['42'] : []);
  }
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

test('a listener that another one removed, or all of them if it closed the client, hear no more, not even of the same message', async () => {
  const gate = await open({}, ['42']);
  const heard: string[] = [];
  gate.addEventListener('message', () => heard.push('event'));
  gate.subscribe('42', () => { heard.push('first'); leave(); });
  const leave = gate.subscribe('42', () => heard.push('second'));
  const leaveToo = gate.subscribe('42', () => { leaveToo(); gate.subscribe('42', () => heard.push('new')); });
  say('42', { data: 1 });
  expect(heard).toEqual(['first', 'event']);
  gate.subscribe('42', () => gate.close());
  gate.subscribe('42', () => heard.push('last'));
  say('42', { data: 2 });
  expect(heard).toEqual(['first', 'event', 'first', 'new']);
});

test('a signal of a subscription lets go of a client that is closed', async () => {
  const { signal } = new AbortController();
  const gate = await open();
  gate.subscribe('42', () => {}, { signal });
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  gate.close();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
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

test('each fourth attempt in a row names no more than the rooms of the options: the URL may be what is refused', async () => {
  const gate = await open({ rooms: ['a'] });
  gate.subscribe('b');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  const closes = events(gate, 'close');
  const named: string[][] = [];
  for (let attempt = 1; attempt <= 8; attempt++) {
    last().end(1006);
    await vi.advanceTimersByTimeAsync(closes.at(-1)!.after! + 1);
    expect(sockets).toHaveLength(attempt + 1);
    named.push(last().rooms);
  }
  const [all, bare] = [['a', 'b'], ['a']];
  expect(named).toEqual([all, all, bare, all, all, all, bare, all]);
});

test('and what such an attempt does not name is asked for once it is let in', async () => {
  const gate = await open({ rooms: ['a'] });
  gate.subscribe('b');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  const closes = events(gate, 'close');
  for (const _ of [1, 2, 3]) {
    last().end(1006);
    await vi.advanceTimersByTimeAsync(closes.at(-1)!.after! + 1);
  }
  last().hello();
  await settle();
  expect(last().sent).toEqual([{ type: 'subscribe', room: 'b', ref: 1 }]);
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

test('a later token may bring rooms though the first did not: without options.rooms no URL names any', async () => {
  const gate = await open({}, []);
  gate.subscribe('42');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: '42' });
  for (let i = 0; i < 2; i++) {
    gate.reconnect();
    await settle();
    expect(last().rooms).toEqual([]);
    last().hello(['dm:7']);
    await settle();
    last().answer('subscribe', { type: 'subscribed', room: '42' });
    expect(gate.rooms).toEqual(['dm:7', '42']);
  }
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

test('who subscribes to a refused room once more has it asked for once more, and hears why not', async () => {
  const gate = await open();
  const problems = events(gate, 'error');
  const refuse = async () => {
    await settle();
    last().answer('subscribe', { type: 'error', code: 'forbidden', message: 'no' });
    await settle();
  };
  const leave = gate.subscribe('secret');
  await refuse();
  gate.subscribe('other');
  await settle();
  expect(last().of('subscribe')).toHaveLength(2);
  const leaveToo = gate.subscribe('secret');
  await refuse();
  expect(last().of('subscribe').map(({ room }) => room)).toEqual(['secret', 'other', 'secret']);
  expect(problems.map(({ room }) => room)).toEqual(['secret', 'secret']);
  leave();
  leaveToo();
  await settle();
  expect(last().of('unsubscribe')).toEqual([]); // it never was in
});

test('a room for which there was no place is asked for when another has been left', async () => {
  const gate = await open({ rooms: ['a'] });
  const leave = gate.subscribe('b');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  for (const room of ['c', 'd']) {
    gate.subscribe(room);
    await settle();
    last().answer('subscribe', { type: 'error', code: 'too_many_rooms', message: 'no place' });
  }
  await vi.advanceTimersByTimeAsync(20_000);
  expect(last().of('subscribe').map(({ room }) => room)).toEqual(['b', 'c', 'd']);
  leave();
  await settle();
  last().answer('unsubscribe', { type: 'unsubscribed', room: 'b' });
  await settle();
  expect(last().of('subscribe').map(({ room }) => room)).toEqual(['b', 'c', 'd', 'c']); // one place, one room
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
  expect(problems).toEqual([{ code: 'forbidden', message: 'not with the new token', room: 'b' }]);
  await vi.advanceTimersByTimeAsync(20_000);
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
  await settle();
  expect(last().sent).toEqual([]);
});

test('200 rooms: as many as a URL holds, and the rest by frames, 15 in 10 s', async () => {
  const rooms = Array.from({ length: 200 }, (_, i) => `organisation:7:conversation:${1000 + i}`);
  const gate = await dial({ rooms, silence: 3_600_000 });
  expect(last().url.href.length).toBeLessThanOrEqual(2000);
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

test('never are there more than 15 frames in any 10 s, whenever rooms come and go', async () => {
  const gate = await open({ silence: Infinity });
  const sent: number[] = [];
  last().send = () => { sent.push(Date.now()); };
  gate.subscribe('first');
  await vi.advanceTimersByTimeAsync(9900);
  for (let i = 0; i < 40; i++) gate.subscribe(`r${i}`);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(41);
  for (let i = 15; i < sent.length; i++) expect(sent[i]! - sent[i - 15]!).toBeGreaterThanOrEqual(10_000);
});

test('a URL names at most 50 rooms: with those of rooms.auto fewer than a gateway refuses by default', async () => {
  await dial({ rooms: Array.from({ length: 150 }, (_, i) => `r${i}`) });
  expect(last().rooms).toHaveLength(50);
});

test('rooms whose names a URL must escape make it no longer than 2,000 characters', async () => {
  await dial({ rooms: Array.from({ length: 40 }, (_, i) => `${i}${':@/+'.repeat(6)}`) });
  expect(last().url.href.length).toBeLessThanOrEqual(2000);
  expect(last().rooms.length).toBeGreaterThan(20);
});

test.each(['', 'a b', 'é', 'x'.repeat(129), 'a?b'])('%j is no room, and said to be none', async (room) => {
  const gate = await open();
  expect(() => gate.subscribe(room)).toThrow(/the name of a room matches/);
  await expect(dial({ rooms: [room] })).rejects.toThrow(/the name of a room matches/);
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
