import { beforeEach, describe, expect, test, vi } from 'vitest';
import { dial, events, last, open, Page, settle, sockets } from './fake.js';

let page: Page;
beforeEach(() => {
  page = new Page();
  vi.spyOn(Math, 'random').mockReturnValue(0.9);
});

test('no attempt is made without a network, and one at once when it returns', async () => {
  const gate = await open();
  page.online(false);
  last().end(1006);
  expect(gate.state).toBe('offline');
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(sockets).toHaveLength(1);
  page.online(true);
  await settle();
  expect(sockets).toHaveLength(2);
  last().hello();
  expect(gate.state).toBe('open');
});

test('a client that begins without a network waits for it', async () => {
  page.online(false);
  const gate = await dial();
  expect(gate.state).toBe('offline');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(0);
  page.online(true);
  await settle();
  expect(sockets).toHaveLength(1);
});

test('a network that comes and goes without an event, as in a worker of Chromium, is noticed in 5 s, by an attempt', async () => {
  const gate = await open();
  page.online(false, false);
  last().end(1006);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(gate.state).toBe('offline');
  expect(sockets).toHaveLength(1);
  page.online(true, false);
  await vi.advanceTimersByTimeAsync(5000);
  expect(sockets).toHaveLength(2);
  last().hello();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(gate.state).toBe('open');
  expect(sockets).toHaveLength(2);
});

test('a network that goes while the client waits is noticed', async () => {
  const gate = await open();
  const states = events(gate, 'state');
  last().end(1006);
  page.online(false);
  await vi.advanceTimersByTimeAsync(60_000);
  page.online(true);
  await settle();
  expect(states).toEqual(['waiting', 'offline', 'connecting']);
  expect(sockets).toHaveLength(2);
});

test('reconnect() tries even without a network: what the browser says of it may be wrong', async () => {
  const gate = await open();
  page.online(false);
  last().end(1006);
  gate.reconnect();
  await settle();
  expect(sockets).toHaveLength(2);
});

describe.each(['show', 'fromCache', 'resume'] as const)('a tab that wakes (%s)', (how) => {
  test('cuts a wait of our own short', async () => {
    await open();
    last().end(1006);
    page[how]();
    await settle();
    expect(sockets).toHaveLength(2);
    last().end(1006); // and the backoff goes on
    await vi.advanceTimersByTimeAsync(1799);
    expect(sockets).toHaveLength(2);
  });

  test.each([[4201, 1830], [4201, undefined], [4104, undefined], [4102, undefined]])('does not undercut a wait that the gateway asked for (%i, after %s)', async (code, asked) => {
    const gate = await open();
    const closes = events(gate, 'close');
    if (asked) last().say({ type: 'bye', code, after: asked });
    last().end(code);
    const after = closes[0]!.after!;
    for (let ms = 0; ms < after - 1; ms += 100) {
      page[how]();
      await settle();
      expect(sockets).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(Math.min(100, after - 1 - ms));
    }
    await vi.advanceTimersByTimeAsync(2);
    expect(sockets).toHaveLength(2);
  });

  test('asks a link that seems open whether it lives, and replaces one that does not', async () => {
    const gate = await open();
    const closes = events(gate, 'close');
    const dead = last();
    await vi.advanceTimersByTimeAsync(5000);
    page[how]();
    page[how]();
    expect(dead.of('ping')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(dead.closed).toEqual([]);
    expect(closes).toEqual([{ code: 1006, reason: 'no answer to a ping', after: 900, attempt: 1 }]);
    dead.end(1006); // when its socket gives up at last, nobody listens
    await vi.advanceTimersByTimeAsync(900);
    expect(sockets).toHaveLength(2);
    expect(closes).toHaveLength(1);
  });
});

test('a tab that wakes while a link is asked gives it the whole time once more', async () => {
  const gate = await open();
  const closes = events(gate, 'close');
  await vi.advanceTimersByTimeAsync(5000);
  page.show();
  await vi.advanceTimersByTimeAsync(9000);
  page.resume();
  await vi.advanceTimersByTimeAsync(5999);
  expect(closes).toEqual([]);
  last().answer('ping', { type: 'pong' });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(gate.state).toBe('open');
});

test('a network that returns does not undercut the gateway either, and one that returns later finds the wait over', async () => {
  const gate = await open();
  last().say({ type: 'bye', code: 4201, after: 4000 });
  last().end(4201);
  page.online(false);
  expect(gate.state).toBe('offline');
  await vi.advanceTimersByTimeAsync(1000);
  page.online(true);
  await settle();
  expect(gate.state).toBe('waiting');
  expect(sockets).toHaveLength(1);
  page.online(false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(gate.state).toBe('offline');
  expect(sockets).toHaveLength(1);
  page.online(true);
  await settle();
  expect(sockets).toHaveLength(2);
});

test('a tab that is hidden does nothing', async () => {
  const gate = await open();
  page.hide();
  expect(last().sent).toEqual([]);
  last().end(1006);
  page.hide();
  await settle();
  expect(sockets).toHaveLength(1);
  expect(gate.state).toBe('waiting');
});

test('after close() nothing wakes the client', async () => {
  const gate = await open();
  gate.close();
  page.online(false);
  page.online(true);
  page.show();
  gate.reconnect();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
  expect(gate.state).toBe('closed');
});

test('a stopped client stays stopped when the tab wakes', async () => {
  const gate = await open();
  last().end(4001);
  page.show();
  page.online(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
  expect(gate.state).toBe('closed');
});

test('a worker has neither document nor window, and is told of the network all the same', async () => {
  vi.stubGlobal('document', undefined);
  await open();
  page.online(false);
  last().end(1006);
  page.online(true);
  await settle();
  expect(sockets).toHaveLength(2);
});
