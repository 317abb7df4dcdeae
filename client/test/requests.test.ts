import { describe, expect, test, vi } from 'vitest';
import { dial, events, last, open, settle, sockets } from './fake.js';

test('publish resolves when Redis has the message', async () => {
  const gate = await open();
  const published = gate.publish('42', { text: 'hi' });
  expect(last().sent).toEqual([{ type: 'publish', room: '42', data: { text: 'hi' }, ref: 1 }]);
  last().answer('publish', { type: 'published' });
  await expect(published).resolves.toBeUndefined();
});

test('publish rejects with the code and text of the error, which is then no event', async () => {
  const gate = await open();
  const problems = events(gate, 'error');
  const published = gate.publish('42', 1);
  last().answer('publish', { type: 'error', code: 'forbidden', message: 'may not publish to it' });
  await expect(published).rejects.toMatchObject({ code: 'forbidden', message: 'may not publish to it' });
  expect(problems).toEqual([]);
});

test('what waits for an answer when the connection ends is rejected', async () => {
  const gate = await open();
  const waiting = [gate.publish('42', 1), gate.ping()];
  last().end(4201);
  for (const promise of waiting) await expect(promise).rejects.toMatchObject({ code: 'closed', message: 'the connection ended (4201) before an answer' });
});

test('nothing is kept for later: publish and ping reject while not open', async () => {
  const gate = await dial();
  await expect(gate.publish('42', 1)).rejects.toMatchObject({ code: 'closed', message: 'publish while connecting: wait for open' });
  await expect(gate.ping()).rejects.toMatchObject({ code: 'closed' });
  last().hello();
  expect(last().sent).toEqual([]);
});

test('what is no JSON rejects, and is not waited for', async () => {
  const gate = await open();
  await expect(gate.publish('42', 1n)).rejects.toThrow(TypeError);
  expect(last().sent).toEqual([]);
});

test('ping measures the way there and back', async () => {
  const gate = await open();
  expect(gate.latency).toBeUndefined();
  const ping = gate.ping();
  await vi.advanceTimersByTimeAsync(17);
  last().answer('ping', { type: 'pong' });
  await expect(ping).resolves.toBe(17);
  expect(gate.latency).toBe(17);
});

test('an error that answers nothing, and a frame that is none, are events', async () => {
  const gate = await open();
  const problems = events(gate, 'error');
  last().say({ type: 'error', code: 'rate_limited', message: 'slower' });
  last().onmessage!({ data: '<html>' });
  last().onmessage!({ data: 'null' });
  last().onmessage!({ data: new ArrayBuffer(2) });
  expect(problems.map(({ code }) => code)).toEqual(['rate_limited', 'frame', 'frame']);
});

test('each frame is an event as it passes', async () => {
  const gate = await open();
  const frames = events(gate, 'frame');
  void gate.ping();
  last().say({ type: 'pong', ref: 1 });
  expect(frames).toEqual([
    { direction: 'out', text: '{"type":"ping","ref":1}' },
    { direction: 'in', text: '{"type":"pong","ref":1}' },
  ]);
});

test('close ends it for good, with code and reason, and says so at once', async () => {
  const gate = await open();
  const [closes, states] = [events(gate, 'close'), events(gate, 'state')];
  gate.close(4999, 'enough');
  gate.close();
  expect(last().closed).toEqual([4999, 'enough']);
  expect(closes).toEqual([{ code: 4999, reason: 'enough', after: undefined, attempt: 0 }]);
  expect(states).toEqual(['closed']);
});

test('an AbortSignal, and a using declaration, close it', async () => {
  const controller = new AbortController();
  const gate = await open({ signal: controller.signal });
  controller.abort();
  expect(gate.state).toBe('closed');
  expect((await dial({ signal: AbortSignal.abort() })).state).toBe('closed');
  const other = await open();
  other[Symbol.dispose]();
  expect(other.state).toBe('closed');
});

test('a client that is closed by a listener of its own end stays closed', async () => {
  for (const type of ['close', 'state'] as const) {
    const gate = await open();
    gate.addEventListener(type, () => gate.close());
    last().end(1006);
    expect(gate.state).toBe('closed');
    const other = await open();
    other.addEventListener(type, () => other.close());
    other.reconnect();
    expect(other.state).toBe('closed');
  }
  const gate = await dial();
  const opens = events(gate, 'open');
  gate.addEventListener('state', () => gate.close());
  last().hello();
  expect(opens).toEqual([]);
});

describe.each(['close', 'reconnect'] as const)('a listener of a frame that calls %s()', (what) => {
  test.each(['hello', 'message', 'bye'])('when there comes %s hears no more of that connection', async (type) => {
    const gate = await dial({ rooms: ['42'] });
    if (type !== 'hello') last().hello();
    const [opens, joins, messages] = [events(gate, 'open'), events(gate, 'join'), events(gate, 'message')];
    gate.addEventListener('frame', () => gate[what](), { once: true });
    if (type === 'hello') last().hello();
    else last().say({ type, room: '42', data: 1, after: 1000 });
    expect(gate.state).toBe(what === 'close' ? 'closed' : 'connecting');
    expect([opens, joins, messages]).toEqual([[], [], []]);
    await expect(gate.publish('42', 1)).rejects.toMatchObject({ code: 'closed' });
    await settle();
    if (what === 'close') return expect(sockets).toHaveLength(1);
    last().hello();
    expect([opens.length, joins.length]).toEqual([1, 1]);
    expect(gate.state).toBe('open');
  });

  test.each(['state', 'open'] as const)('or of the event %s, hears of no room that it has lost by that', async (type) => {
    const gate = await dial({ rooms: ['42', '43'] });
    const joins = events(gate, 'join');
    gate.addEventListener(type, () => gate[what](), { once: true });
    last().hello();
    expect(joins).toEqual([]);
    expect(gate.state).toBe(what === 'close' ? 'closed' : 'connecting');
  });

  test('when rooms are asked for sends no more on that connection', async () => {
    const gate = await open();
    const [first, problems] = [last(), events(gate, 'error')];
    gate.addEventListener('frame', () => gate[what](), { once: true });
    for (const room of ['a', 'b', 'c']) gate.subscribe(room);
    await settle();
    expect(first.sent).toHaveLength(1);
    expect(problems).toEqual([]);
  });
});

test('a code or a reason that nobody may send closes all the same', async () => {
  for (const [code, reason] of [[1006, ''], [4999, 'x'.repeat(200)]] as const) {
    const gate = await open();
    gate.close(code, reason);
    expect(last().closed).toEqual([]);
    expect(gate.state).toBe('closed');
  }
});

test('reconnect drops the connection and dials at once', async () => {
  const gate = await open();
  const [closes, states] = [events(gate, 'close'), events(gate, 'state')];
  const old = last();
  gate.reconnect();
  await settle();
  expect(old.closed).toEqual([1000, 'reconnect']);
  expect(last()).not.toBe(old);
  expect(closes).toEqual([{ code: 1000, reason: 'reconnect', after: 0, attempt: 0 }]);
  expect(states).toEqual(['waiting', 'connecting']);
});
