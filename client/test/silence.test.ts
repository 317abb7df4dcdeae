import { expect, test, vi } from 'vitest';
import { events, last, open, sockets } from './fake.js';

test('a ping is sent after a silence, and any frame is an answer', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const gate = await open({ silence: 30_000 });
  await vi.advanceTimersByTimeAsync(20_000);
  last().say({ type: 'message', room: '42', data: 1 });
  await vi.advanceTimersByTimeAsync(29_999);
  expect(last().of('ping')).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(last().of('ping')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(4000);
  last().say({ type: 'message', room: '42', data: 2 });
  await vi.advanceTimersByTimeAsync(29_999);
  expect(gate.state).toBe('open');
  expect(last().of('ping')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(last().of('ping')).toHaveLength(2);
});

test('a link on which nothing answers within 10 s is dropped and replaced', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const gate = await open({ silence: 5000 });
  const closes = events(gate, 'close');
  await vi.advanceTimersByTimeAsync(15_000);
  expect(closes).toMatchObject([{ code: 1006, reason: 'no answer to a ping' }]);
  expect(sockets[0]!.closed).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(sockets).toHaveLength(2);
});

test('a link is asked twice: the machine may have slept after the first ping, with the answer not read yet', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const gate = await open({ silence: 5000 });
  await vi.advanceTimersByTimeAsync(5000);
  expect(last().of('ping')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5000);
  expect(last().of('ping')).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(4999);
  last().answer('ping', { type: 'pong' });
  await vi.advanceTimersByTimeAsync(1);
  expect(gate.state).toBe('open');
  expect(sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5000); // and is asked anew after a new silence
  expect(last().of('ping')).toHaveLength(3);
});

test('a clock that is set back or forward ends no link that lives, and hides none that is dead', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const gate = await open({ silence: 30_000 });
  const closes = events(gate, 'close');
  const hour = 3_600_000;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(last().of('ping')).toHaveLength(1);
  vi.setSystemTime(Date.now() - hour);
  last().answer('ping', { type: 'pong' });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(gate.state).toBe('open');
  vi.setSystemTime(Date.now() - hour);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(closes).toMatchObject([{ code: 1006 }]);
});

test.each([Infinity, 2 ** 40])('a silence of %f ms is never over, and takes no time of the processor', async (silence) => {
  const gate = await open({ silence });
  const timers = vi.spyOn(globalThis, 'setTimeout');
  await vi.advanceTimersByTimeAsync(600_000);
  expect(timers).not.toHaveBeenCalled();
  expect(last().sent).toEqual([]);
  expect(gate.state).toBe('open');
});

test('a link on which too much waits to be sent takes no more, and is dead if nothing comes either', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const gate = await open({ silence: 30_000 });
  const closes = events(gate, 'close');
  last().bufferedAmount = (1 << 20) + 1;
  await expect(gate.publish('42', 1)).rejects.toMatchObject({ code: 'rate_limited', message: 'too much unsent' });
  expect(last().sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(39_999);
  expect(closes).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(closes).toMatchObject([{ code: 1006 }]);
});

test('a raw link cannot ask, and is left to the gateway', async () => {
  const gate = await open({ format: 'raw', rooms: ['42'] });
  await vi.advanceTimersByTimeAsync(600_000);
  expect(last().sent).toEqual([]);
  expect(gate.state).toBe('open');
});
