import { expect, test, vi } from 'vitest';
import { Roomgate } from '../src/index.js';
import { dial, events, FakeSocket, jwt, last, open, settle, sockets } from './fake.js';

test('the token is asked for before each connect, and offered beside the format', async () => {
  let n = 0;
  const gate = await open({ token: async () => jwt(`t${++n}`) });
  expect(last().protocols).toEqual(['roomgate.v1', `bearer.${jwt('t1')}`]);
  last().end(4202);
  await vi.advanceTimersByTimeAsync(5000);
  expect(last().protocols).toEqual(['roomgate.v1', `bearer.${jwt('t2')}`]);
  expect(last().url.href).not.toContain('t2');
  gate.close();
});

test('without a token only the format is offered', async () => {
  await dial();
  expect(last().protocols).toEqual(['roomgate.v1']);
});

test('a token that cannot be had is told of, backs off as 1006 does, and is asked for again', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.999);
  const token = vi.fn().mockRejectedValueOnce(new Error('502')).mockRejectedValueOnce(new Error('503')).mockResolvedValue(jwt('t'));
  const problems: unknown[] = [];
  const gate = await dial({ token });
  gate.addEventListener('error', (event) => problems.push(event.detail));
  expect(gate.state).toBe('waiting');
  await vi.advanceTimersByTimeAsync(999);
  expect(problems).toEqual([{ code: 'token', message: '503' }]);
  await vi.advanceTimersByTimeAsync(1997);
  expect(sockets).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(last().protocols).toEqual(['roomgate.v1', `bearer.${jwt('t')}`]);
});

test('a token that never comes, a handshake that hangs and a hello that is not sent are given up after 20 s', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const token = vi.fn().mockReturnValueOnce(new Promise(() => {})).mockReturnValue(jwt('t'));
  const gate = await dial({ token });
  const closes = events(gate, 'close');
  await vi.advanceTimersByTimeAsync(20_000);
  expect(closes).toEqual([{ code: 1006, reason: 'not connected in 20 s', after: 500, attempt: 1 }]);
  await vi.advanceTimersByTimeAsync(500 + 20_000); // no handshake
  await vi.advanceTimersByTimeAsync(1000);
  last().onopen!();
  await vi.advanceTimersByTimeAsync(20_000); // no hello
  expect(closes.map((close) => close.attempt)).toEqual([1, 2, 3]);
  expect(sockets.map((socket) => socket.closed)).toEqual([[], []]);
});

test('expiring: a new token is sent within half the time that is left, at random, and shown to nobody', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const token = vi.fn().mockResolvedValueOnce(jwt('old')).mockResolvedValue(jwt('new'));
  const gate = await open({ token });
  const [frames, opens] = [events(gate, 'frame'), events(gate, 'open')];
  last().say({ type: 'expiring', in: 60 });
  await vi.advanceTimersByTimeAsync(14_999);
  expect(token).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(last().sent).toEqual([{ type: 'auth', token: jwt('new'), ref: 1 }]);
  expect(frames.at(-1)).toEqual({ direction: 'out', text: '{"type":"auth","token":"…","ref":1}' });
  last().say({ type: 'hello', rooms: [], ref: 1 });
  await settle();
  expect(opens).toEqual([]);
  expect(gate.state).toBe('open');
});

test('expiring: a token that cannot be had, or is refused, is told of and tried again before the old one ends', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.999);
  const token = vi.fn().mockResolvedValueOnce(jwt('old')).mockRejectedValueOnce(new Error('502')).mockResolvedValueOnce(jwt('bad')).mockResolvedValue(jwt('good'));
  const gate = await open({ token, silence: 3_600_000 });
  const problems = events(gate, 'error');
  last().say({ type: 'expiring', in: 60 });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(problems).toEqual([{ code: 'token', message: '502' }]);
  await vi.advanceTimersByTimeAsync(15_000);
  last().answer('auth', { type: 'error', code: 'unauthorized', message: 'expired' });
  await settle();
  expect(problems[1]).toEqual({ code: 'unauthorized', message: 'expired' });
  await vi.advanceTimersByTimeAsync(7500);
  expect(last().of('auth').map((frame) => frame.token)).toEqual([jwt('bad'), jwt('good')]);
});

test('a token that comes for a connection that has ended meanwhile is not sent', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  let give = (_: string) => {};
  const token = vi.fn().mockResolvedValueOnce(jwt('old')).mockReturnValueOnce(new Promise((resolve) => { give = resolve; })).mockResolvedValue(jwt('next'));
  const gate = await open({ token });
  const frames = events(gate, 'frame');
  last().say({ type: 'expiring', in: 60 });
  await vi.advanceTimersByTimeAsync(1);
  last().end(1006);
  frames.length = 0;
  give(jwt('late'));
  await settle();
  expect(frames).toEqual([]);
  expect(sockets[0]!.sent).toEqual([]);
});

test('a refresh that is under way when the connection ends is forgotten', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const token = vi.fn().mockResolvedValue(jwt('t'));
  const gate = await open({ token });
  const problems = events(gate, 'error');
  last().say({ type: 'expiring', in: 60 });
  await settle();
  last().end(1006);
  await settle();
  expect(problems).toEqual([]);
});

const noTokens = ['Unauthorized', 'error', 'null', '', undefined, null, 42, 'Bearer h.abc.s', '{"token":"abc"}', 'h.abc.s\n', '<!doctype html><p>abc', 'h.abc', 'h..s'];

test.each(noTokens)('what is no JWT (%j) is told of without being repeated, never dialed with, and asked for again', async (bad) => {
  const token = vi.fn().mockResolvedValueOnce(bad).mockResolvedValueOnce(bad).mockResolvedValue(jwt('t'));
  const gate = await dial({ token });
  const [problems, closes] = [events(gate, 'error'), events(gate, 'close')];
  expect(gate.state).toBe('waiting');
  gate.reconnect();
  await settle();
  expect(sockets).toHaveLength(0);
  expect(problems).toEqual([{ code: 'token', message: 'token() gave no JWT' }]);
  expect(closes).toMatchObject([{ code: 1006, attempt: 2 }]);
  expect(JSON.stringify(closes)).not.toContain('abc');
  await vi.advanceTimersByTimeAsync(2000);
  expect(last().protocols).toEqual(['roomgate.v1', `bearer.${jwt('t')}`]);
});

test.each(noTokens)('expiring: what is no JWT (%j) is told of and never sent, and another one asked for', async (bad) => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const token = vi.fn().mockResolvedValueOnce(jwt('old')).mockResolvedValueOnce(bad).mockResolvedValue(jwt('new'));
  const gate = await open({ token, silence: Infinity });
  const problems = events(gate, 'error');
  last().say({ type: 'expiring', in: 60 });
  await vi.advanceTimersByTimeAsync(15_000);
  expect(problems).toEqual([{ code: 'token', message: 'token() gave no JWT' }]);
  expect(last().sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(7500);
  expect(last().sent).toEqual([{ type: 'auth', token: jwt('new'), ref: 1 }]);
});

test.each([[undefined, 'undefined'], [null, 'null'], ['why', 'why'], [new DOMException('too late', 'TimeoutError'), 'too late'],
  [Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), 'refused']])('whatever token() rejects with (%s) is the error token, with a text', async (thrown, message) => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const token = vi.fn().mockRejectedValueOnce(thrown).mockResolvedValueOnce(jwt('t')).mockRejectedValueOnce(thrown).mockResolvedValue(jwt('t'));
  const gate = new Roomgate('wss://gate.test/ws', { token, WebSocket: FakeSocket, silence: Infinity });
  const [problems, closes] = [events(gate, 'error'), events(gate, 'close')];
  await settle();
  expect(closes).toMatchObject([{ code: 1006, reason: message, after: 500 }]);
  await vi.advanceTimersByTimeAsync(500);
  last().hello();
  last().say({ type: 'expiring', in: 60 });
  await vi.advanceTimersByTimeAsync(15_000);
  expect(problems).toEqual([{ code: 'token', message }, { code: 'token', message }]);
  gate.close();
});

test('token() gets a signal, which is aborted when the connection ends or is given up', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const signals: AbortSignal[] = [];
  const token = vi.fn((signal: AbortSignal) => { signals.push(signal); return signals.length === 1 ? new Promise<string>(() => {}) : jwt('t'); });
  const gate = await dial({ token, silence: Infinity });
  await vi.advanceTimersByTimeAsync(19_999);
  expect(signals[0]!.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(signals[0]!.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(500);
  last().hello();
  last().say({ type: 'expiring', in: 60 });
  await vi.advanceTimersByTimeAsync(15_000);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, false]);
  last().end(1006);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
  gate.reconnect();
  await settle();
  gate.close();
  expect(signals[3]!.aborted).toBe(true);
});

test('a listener that closes the client when a token cannot be renewed leaves nothing behind', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const token = vi.fn().mockResolvedValueOnce(jwt('old')).mockRejectedValue(new Error('502'));
  const gate = await open({ token, silence: Infinity });
  gate.addEventListener('error', () => gate.close());
  last().say({ type: 'expiring', in: 60 });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(token).toHaveBeenCalledTimes(2);
  expect(gate.state).toBe('closed');
});

test('a WebSocket that cannot be made is told of, without its URL, and tried again', async () => {
  let fails = 2;
  class Refused extends FakeSocket {
    constructor(url: string | URL) {
      if (fails-- > 0) throw new DOMException(`${url} is insecure`, 'SecurityError');
      super(url);
    }
  }
  const gate = await dial({ WebSocket: Refused, rooms: ['secret'] });
  const [problems, closes] = [events(gate, 'error'), events(gate, 'close')];
  await vi.advanceTimersByTimeAsync(1000);
  expect(problems).toMatchObject([{ code: 'socket' }]);
  expect(JSON.stringify([problems, closes])).not.toContain('secret');
  await vi.advanceTimersByTimeAsync(2000);
  expect(sockets).toHaveLength(1);
});

test('a token that comes after close(), or after a reconnect() that asked for another, is not used', async () => {
  const give: ((token: string) => void)[] = [];
  const gate = await dial({ token: () => new Promise((resolve) => { give.push(resolve); }) });
  gate.reconnect();
  give[0]!(jwt('first'));
  await settle();
  expect(sockets).toHaveLength(0);
  give[1]!(jwt('second'));
  await settle();
  expect(sockets.map(({ protocols }) => protocols[1])).toEqual([`bearer.${jwt('second')}`]);
  gate.reconnect();
  gate.close();
  give[2]!(jwt('third'));
  await settle();
  expect(sockets).toHaveLength(1);
});
