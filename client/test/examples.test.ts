// The first example of each page on the client is run as it stands there, with a page's host and an API that gives tokens.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Demo } from './demo.js';

const client = fileURLToPath(new URL('..', import.meta.url));

const page = (url: string) => `
  import ws from 'ws';
  globalThis.WebSocket ??= ws;
  globalThis.location = new URL('${url}/');
  const get = globalThis.fetch;
  globalThis.fetch = async (path, { signal }) => new Response((await (await get('${url}/demo/token', { signal })).json()).token);
  globalThis.token = async (signal) => (await fetch('/', { signal })).text();
  globalThis.refetch = (room) => console.log('refetch', room);
  let shown;
  globalThis.show = (data) => {
    console.log('show', data);
    shown ??= gate.ping().then(() => gate.close()); // publish, too, is answered by then
  };
`;

test.each(['README.md', 'client/README.md', 'docs/client.md'])('the example of %s shows what it publishes, and ends', async (path) => {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const example = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code!).find((code) => code.includes('new Roomgate('));
  const demo = await Demo.start();
  const child = spawn(process.execPath, ['--input-type=module', '-e', page(demo.url) + example], { cwd: client, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { output += text; });
    expect([...await once(child, 'close'), output]).toEqual([0, null, expect.stringMatching(/^refetch 42\nshow { text: 'hi' }\n/)]);
  } finally {
    child.kill('SIGKILL');
    await demo.kill();
  }
});
