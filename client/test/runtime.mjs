// Run by runtimes.test.ts in what is no browser, with the WebSocket that is there: it chats in room 42 of the demo at argv[2], says ready, and
// chats again once the demo was killed and is back. After close() nothing is left to run, so that it ends by itself.
import process from 'node:process';
import { Roomgate } from '../dist/index.js';

const [, , url] = process.argv;
const token = async (signal) => (await (await fetch(`${url}/demo/token`, { signal })).json()).token;
const gate = new Roomgate(`${url}/ws`, { token });
const next = (type) => new Promise((resolve) => { gate.addEventListener(type, resolve, { once: true }); });
const messages = gate.messages('42');

async function chat(text) {
  const heard = messages.next();
  await gate.publish('42', { text });
  const { value } = await heard;
  if (value.text !== text) throw new Error(`heard ${JSON.stringify(value)} for ${text}`);
}

await next('open');
await chat('hi');
if (!(await gate.ping() > 0)) throw new Error('a ping took no time');
const closed = next('close');
console.log('ready');
console.log('closed', (await closed).detail.code);
await next('open');
await chat('again');
await messages.return();
gate.close();
console.log('done');
