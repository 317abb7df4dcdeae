// Not run: that it compiles is the test. It sees what a program sees of the package, with no library but the DOM's and no Node.
import { Roomgate, type Message, type Problem, type State } from 'roomgate';

interface Chat { text: string }

const controller = new AbortController();
const gate = new Roomgate(new URL('wss://live.example/ws'), {
  token: async (signal) => (await fetch('/token', { signal })).text(),
  rooms: ['42'] as const,
  format: 'json',
  signal: controller.signal,
  silence: 10_000,
  WebSocket,
});
new Roomgate('/ws', { token: () => 'a string will do' });

const state: State = gate.state;
const rooms: readonly string[] = gate.rooms;
const latency: number | undefined = gate.latency;

gate.addEventListener('open', ({ detail }) => detail?.conn.toUpperCase());
// @ts-expect-error with raw there is no hello
gate.addEventListener('open', ({ detail }) => detail.conn);
gate.addEventListener('join', ({ detail: { room } }) => room.length);
gate.addEventListener('close', ({ detail: { code, after } }) => code + (after ?? 0));
gate.addEventListener('gap', ({ detail: { room, after } }) => [room?.length, after.toFixed()]);
gate.addEventListener('error', ({ detail }) => { const problem: Problem = detail; return problem; });
gate.addEventListener('message', ({ detail }) => { const message: Message = detail; return message.room; });
gate.addEventListener('state', function ({ detail }) { return detail === 'open' && this.rooms.length; }, { once: true });
gate.addEventListener('frame', ({ detail: { direction, text } }) => direction === 'in' && text.length);
gate.addEventListener('frame', { handleEvent(event: Event) { return event.type; } });
// @ts-expect-error an event has no such detail
gate.addEventListener('close', ({ detail }) => detail.room);
// @ts-expect-error a state that there is not
if (state === 'opened') gate.close();
// @ts-expect-error a format that there is not
new Roomgate('/ws', { format: 'xml' });

const leave: () => void = gate.subscribe<Chat>('42', (data, message) => data.text + message.data.text + message.room);
gate.subscribe('42', undefined, { signal: controller.signal });
// @ts-expect-error not a property of a Chat
gate.subscribe<Chat>('42', (data) => data.author);

export async function main(): Promise<void> {
  for await (const { text } of gate.messages<Chat>('42', { signal: controller.signal })) text.trim();
  await gate.publish('42', { text: 'hi' });
  const ms: number = await gate.ping();
  gate.reconnect();
  leave();
  gate.close(4999, `${rooms} ${latency} ${ms}`);
  using short = new Roomgate('/ws');
  short.close();
}
