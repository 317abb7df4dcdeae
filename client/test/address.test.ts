import { expect, test, vi } from 'vitest';
import { address } from '../src/address.js';
import { Roomgate } from '../src/index.js';

test.each([
  ['http://shop.example:8080', '/ws', 'ws://shop.example:8080/ws'],
  ['https://shop.example', '/ws?x=1', 'wss://shop.example/ws?x=1'],
  ['http://shop.example', '//live.example/ws', 'ws://live.example/ws'],
  ['https://shop.example', '//live.example/ws', 'wss://live.example/ws'],
  ['http://shop.example', 'live.example/ws', 'ws://live.example/ws'],
  ['https://shop.example', 'localhost:8080/ws', 'wss://localhost:8080/ws'],
  ['https://shop.example', 'ws://localhost:8080/ws', 'ws://localhost:8080/ws'],
  ['http://shop.example', 'wss://live.example/ws', 'wss://live.example/ws'],
  ['http://shop.example', 'https://live.example/ws', 'wss://live.example/ws'],
  ['https://shop.example', 'http://live.example/ws', 'ws://live.example/ws'],
  ['http://shop.example', 'HTTPS://live.example/ws#top', 'wss://live.example/ws'],
  [undefined, 'live.example/ws', 'wss://live.example/ws'],
  [undefined, '//live.example/ws', 'wss://live.example/ws'],
  [undefined, 'http://127.0.0.1:8080/ws', 'ws://127.0.0.1:8080/ws'],
])('on %s, %s is %s', (page, to, url) => {
  vi.stubGlobal('location', page && new URL(page));
  expect(address(to).href).toBe(url);
});

test('a URL object will do', () => {
  expect(address(new URL('https://live.example/ws')).href).toBe('wss://live.example/ws');
});

test.each(['ftp://live.example/ws', 'file:///ws', 'ws://'])('%s is none', (to) => {
  expect(() => address(to)).toThrow(TypeError);
});

test('without a page a path alone is refused', () => {
  vi.stubGlobal('location', undefined);
  expect(() => address('/ws')).toThrow(TypeError);
  expect(() => new Roomgate('/ws', { WebSocket: class {} as any })).toThrow(TypeError);
});

test('without a WebSocket it says what to pass', () => {
  vi.stubGlobal('WebSocket', undefined);
  expect(() => new Roomgate('wss://live.example/ws')).toThrow('pass one as options.WebSocket');
});
