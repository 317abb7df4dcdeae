import { describe, expect, test, vi } from 'vitest';
import { dial, events, last, open, Page, settle, sockets } from './fake.js';

const meaning: Record<number, string> = {
  4000: 'bad request', 4001: 'token missing', 4002: 'token invalid', 4003: 'room not allowed', 4005: 'disconnected by the backend',
  4006: 'too many connections of this user', 4008: 'no auth message in time', 1003: 'kind', 1007: 'UTF-8', 1009: 'size',
  4101: 'message rate exceeded repeatedly', 4102: 'slow consumer', 4103: 'node full', 4104: 'Redis unavailable',
  1000: 'normal', 1001: 'going away', 1002: 'protocol violated', 1005: 'no code', 1006: 'no close frame', 1011: 'our bug', 1012: 'restart',
  4201: 'draining', 4202: 'token expired', 4203: 'maximum age', 4204: 'no pong', 4205: 'gap',
};
const name = (code: number) => [code, meaning[code]] as const;

describe.each([4000, 4001, 4002, 4003, 4005, 4006, 4008, 4099, 1003, 1007, 1009].map(name))('%i, %s,', (code) => {
  test('stops the client', async () => {
    const gate = await open();
    const closes = events(gate, 'close');
    last().end(code, 'why');
    expect(closes).toEqual([{ code, reason: 'why', after: undefined, attempt: 0 }]);
    expect(gate.state).toBe('closed');
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(sockets).toHaveLength(1);
  });

  test('stops it also before hello', async () => {
    const gate = await dial();
    last().end(code);
    expect(gate.state).toBe('closed');
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(sockets).toHaveLength(1);
  });

  test('lets reconnect() try anew', async () => {
    const gate = await open();
    last().end(code);
    gate.reconnect();
    await settle();
    expect(sockets).toHaveLength(2);
    last().hello();
    expect(gate.state).toBe('open');
  });
});

test('an end without a code, which Deno calls 0, is 1006', async () => {
  const gate = await open();
  const closes = events(gate, 'close');
  last().end(0);
  expect(closes).toMatchObject([{ code: 1006, attempt: 1 }]);
});

describe.each([4101, 4102, 4103, 4104, 1000, 1001, 1002, 1005, 1006, 1011, 1012, 4300].map(name))('%i, %s,', (code) => {
  test('backs off, exponentially and with full jitter, from 1 s to 30 s', async () => {
    const gate = await open();
    const closes = events(gate, 'close');
    for (const [draw, most] of [[0.999, 1], [0.999, 2], [0.999, 4], [0.999, 8], [0.999, 16], [0.999, 30], [0.5, 30], [0.001, 30]] as const) {
      vi.spyOn(Math, 'random').mockReturnValue(draw);
      last().end(code);
      expect(gate.state).toBe('waiting');
      const { after } = closes.at(-1)!;
      expect(after).toBeCloseTo(most * 1000 * draw, 6);
      const dials = sockets.length;
      await vi.advanceTimersByTimeAsync(after! - 1);
      expect(sockets).toHaveLength(dials);
      await vi.advanceTimersByTimeAsync(2);
      expect(sockets).toHaveLength(dials + 1);
    }
    expect(closes.map((close) => close.attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe.each([4201, 4202, 4203, 4204, 4205].map(name))('%i, %s,', (code) => {
  test('reconnects after what bye says', async () => {
    const gate = await open();
    const closes = events(gate, 'close');
    last().say({ type: 'bye', code, after: 1830 });
    last().end(code);
    expect(closes[0]!.after).toBe(1830);
    await vi.advanceTimersByTimeAsync(1829);
    expect(sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(sockets).toHaveLength(2);
  });

  test('reconnects after what bye says also if the close frame is lost, whatever wakes it', async () => {
    const page = new Page();
    const gate = await open();
    const closes = events(gate, 'close');
    last().say({ type: 'bye', code, after: 4200 });
    last().end(1006);
    expect(closes).toMatchObject([{ code: 1006, after: 4200 }]);
    await vi.advanceTimersByTimeAsync(4199);
    page.show();
    await settle();
    expect(sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(sockets).toHaveLength(2);
  });

  test.each([0, 0.5, 0.999])('without bye reconnects within 5 s at random (%f)', async (draw) => {
    const gate = await open();
    const closes = events(gate, 'close');
    vi.spyOn(Math, 'random').mockReturnValue(draw);
    last().end(code);
    expect(closes[0]!.after).toBe(draw * 5000);
    await vi.advanceTimersByTimeAsync(draw * 5000 + 1);
    expect(sockets).toHaveLength(2);
  });

  test('a bye counts once', async () => {
    const gate = await open();
    const closes = events(gate, 'close');
    last().say({ type: 'bye', code, after: 1830 });
    last().end(code);
    await vi.advanceTimersByTimeAsync(1830);
    vi.spyOn(Math, 'random').mockReturnValue(0.999);
    last().hello();
    await vi.advanceTimersByTimeAsync(10_000);
    last().end(code);
    expect(closes[1]!.after).toBe(4995);
  });
});

test('a connection that lasted 10 s begins the backoff anew; one that is dropped sooner does not, hello or not', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.999);
  const gate = await open();
  const closes = events(gate, 'close');
  for (const lasted of [0, 9_999, 10_000, 0, 9_999]) {
    await vi.advanceTimersByTimeAsync(lasted);
    last().end(1006);
    await vi.advanceTimersByTimeAsync(closes.at(-1)!.after! + 1);
    last().hello();
    await settle();
  }
  expect(closes.map((close) => [close.after, close.attempt])).toEqual([[999, 1], [1998, 2], [999, 1], [1998, 2], [3996, 3]]);
});

test('a gateway that lets in and sends away again and again with 42xx is not hammered', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.9);
  const gate = await open();
  const closes = events(gate, 'close');
  for (let i = 0; i < 7; i++) {
    last().say({ type: 'bye', code: 4201, after: 100 });
    last().end(4201);
    await vi.advanceTimersByTimeAsync(closes.at(-1)!.after! + 1);
    last().hello();
    await settle();
  }
  expect(closes.map((close) => close.after)).toEqual([100, 1800, 3600, 7200, 14_400, 27_000, 27_000]);
});

test('4006 stops nobody whose own last connection the gateway may still count, for a minute', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.9);
  for (const end of ['1006', 'silence', 'reconnect']) {
    const gate = await open({ silence: 30_000 });
    if (end === '1006') last().end(1006);
    else if (end === 'reconnect') gate.reconnect();
    else await vi.advanceTimersByTimeAsync(23_250 + 10_000); // no ping is answered
    const moment = Date.now();
    while (gate.state !== 'closed') {
      const dials = sockets.length;
      for (let ms = 0; sockets.length === dials && ms < 30_000; ms += 100) await vi.advanceTimersByTimeAsync(100);
      expect(sockets).toHaveLength(dials + 1);
      last().end(4006);
      expect(Date.now() - moment).toBeLessThan(100_000);
    }
    expect(Date.now() - moment).toBeGreaterThanOrEqual(60_000);
  }
});

test('a bye.after that no timer can wait for is no reason to come at once', async () => {
  await open();
  last().say({ type: 'bye', code: 4201, after: 2 ** 40 });
  last().end(4201);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(sockets).toHaveLength(1);
});

test.each([4000, 4003])('%i for rooms that were let in before, and are not any more, costs those and not the connection', async (code) => {
  const gate = await open({ rooms: ['a'] });
  gate.subscribe('b');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  gate.reconnect();
  await settle();
  last().end(code);
  expect(gate.state).toBe('waiting');
  await vi.advanceTimersByTimeAsync(1000);
  expect(last().rooms).toEqual(['a']);
  last().end(code);
  expect(gate.state).toBe('closed');
});

test('4003 for a room that was let in before, and is not any more, costs that room and not the connection', async () => {
  const gate = await open({ rooms: ['a'] });
  const problems = events(gate, 'error');
  gate.subscribe('b');
  await settle();
  last().answer('subscribe', { type: 'subscribed', room: 'b' });
  last().end(1006);
  await vi.advanceTimersByTimeAsync(1000);
  expect(last().rooms).toEqual(['a', 'b']);
  last().end(4003, 'room "b"');
  expect(gate.state).toBe('waiting');
  await vi.advanceTimersByTimeAsync(2000);
  expect(last().rooms).toEqual(['a']);
  last().hello();
  await settle();
  last().answer('subscribe', { type: 'error', code: 'forbidden', message: 'no' });
  await settle();
  expect(gate.state).toBe('open');
  expect(problems).toEqual([{ code: 'forbidden', message: 'no', room: 'b' }]);
  last().end(4003, 'room "a"');
  expect(gate.state).toBe('closed');
});
