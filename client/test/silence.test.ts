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
  await vi.advanceTimersByTimeAsync(5000);
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

test('a raw link cannot ask, and is left to the gateway', async () => {
  const gate = await open({ format: 'raw', rooms: ['42'] });
  await vi.advanceTimersByTimeAsync(600_000);
  expect(last().sent).toEqual([]);
  expect(gate.state).toBe('open');
});
