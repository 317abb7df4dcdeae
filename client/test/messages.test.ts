import { expect, test } from 'vitest';
import { events, last, open, settle } from './fake.js';

const say = (data: unknown) => last().say({ type: 'message', room: '42', data });

test('for await yields the messages of the room in order, and leaves it on break', async () => {
  const gate = await open();
  const got: number[] = [];
  const loop = (async () => {
    for await (const n of gate.messages<number>('42')) {
      got.push(n);
      if (n === 3) break;
    }
  })();
  await settle();
  expect(last().of('subscribe')).toHaveLength(1);
  for (const n of [1, 2]) say(n);
  await settle();
  say(3);
  await loop;
  await settle();
  expect(got).toEqual([1, 2, 3]);
  expect(last().of('unsubscribe')).toHaveLength(1);
});

test('a loop lasts across connections, and ends with the client', async () => {
  const gate = await open({ rooms: ['42'] });
  const got: number[] = [];
  const loop = (async () => { for await (const n of gate.messages('42')) got.push(n); })();
  await settle();
  say(1);
  gate.reconnect();
  await settle();
  last().hello();
  say(2);
  await settle();
  gate.close();
  await loop;
  expect(got).toEqual([1, 2]);
});

test('a signal ends a loop that waits', async () => {
  const gate = await open();
  const controller = new AbortController();
  const loop = (async () => { for await (const _ of gate.messages('42', { signal: controller.signal })); })();
  await settle();
  controller.abort();
  await loop;
  await settle();
  expect(last().of('unsubscribe')).toHaveLength(1);
});

test('a slow loop loses the oldest beyond 1000, and a gap tells of it, once until it has caught up', async () => {
  const gate = await open({ rooms: ['42'] });
  const gaps = events(gate, 'gap');
  const messages = gate.messages<number>('42');
  const first = messages.next();
  for (let n = 0; n < 1500; n++) say(n);
  expect(gaps).toEqual([{ room: '42', reason: 'overload', after: 0 }]);
  expect((await first).value).toBe(500);
  for (let n = 501; n < 1500; n++) expect((await messages.next()).value).toBe(n);
  const next = messages.next();
  await settle();
  for (let n = 0; n < 1002; n++) say(n);
  expect(gaps).toHaveLength(2);
  expect((await next).value).toBe(2);
  await messages.return();
});
