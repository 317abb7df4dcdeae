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

test('a loop whose client is stopped has what came before', async () => {
  const gate = await open({ rooms: ['42'] });
  const got: number[] = [];
  const loop = (async () => { for await (const n of gate.messages('42')) got.push(n); })();
  await settle();
  for (const n of [1, 2, 3]) say(n);
  last().end(4001);
  await loop;
  expect(got).toEqual([1, 2, 3]);
});

test('a slow loop loses the oldest beyond 1000, and a gap tells of it', async () => {
  const gate = await open({ rooms: ['42'] });
  const gaps = events(gate, 'gap');
  const messages = gate.messages<number>('42');
  const first = messages.next();
  for (let n = 0; n < 1500; n++) say(n);
  expect(gaps).toMatchObject([{ room: '42', reason: 'overload' }]);
  expect((await first).value).toBe(500);
  for (let n = 501; n < 1500; n++) expect((await messages.next()).value).toBe(n);
  const next = messages.next();
  await settle();
  for (let n = 0; n < 1002; n++) say(n);
  expect(gaps).toHaveLength(2);
  expect((await next).value).toBe(2);
  await messages.return();
});

test('a loop that never catches up is told of each loss by a gap that comes after what was lost; and gaps are few', async () => {
  const gate = await open({ rooms: ['42'] });
  let said = 0;
  const covered: number[] = []; // how many had been said at each gap: a refetch has those
  const afters = new Set<number>();
  gate.addEventListener('gap', ({ detail }) => {
    covered.push(said);
    afters.add(detail.after);
  });
  const messages = gate.messages<number>('42');
  let next = messages.next();
  let before = 0;
  for (let turn = 0; turn < 1000; turn++) { // it takes one of ten
    for (let i = 0; i < 10; i++) say(++said);
    const n = (await next).value as number;
    if (n > before + 1) expect(covered.at(-1)).toBeGreaterThanOrEqual(n - 1);
    before = n;
    next = messages.next();
  }
  expect(before).toBeGreaterThan(8000);
  expect(covered.length).toBeGreaterThanOrEqual(8);
  expect(covered.length).toBeLessThanOrEqual(10);
  expect(afters.size).toBe(covered.length); // drawn: those who are too slow together need not refetch together
  for (const after of afters) expect(after).toBeLessThan(5000);
  await messages.return();
});
