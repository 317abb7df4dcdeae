// The package as it is shipped, in Node 22 and in Deno, with their own WebSockets, against the gateway as it is built. With the package ws
// in the Node that runs the tests: real.test.ts. In a worker: web/e2e.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Demo } from './demo.js';

const program = fileURLToPath(new URL('runtime.mjs', import.meta.url));

/** A program of runtimes/package.json. */
function installed(name: string, orElse?: string): string {
  const path = fileURLToPath(new URL(`../runtimes/node_modules/.bin/${name}`, import.meta.url));
  if (existsSync(path)) return path;
  if (orElse) return orElse;
  throw new Error(`${path} is not there: npm ci --ignore-scripts --prefix client/runtimes, as make client does${name === 'node' ? '; or run this with Node 22 or newer' : ''}`);
}

const newEnough = parseInt(process.versions.node) >= 22 ? process.execPath : undefined; // where npm has no Node, as for a Mac of today

test.each([
  ['Node 22', () => installed('node', newEnough), []],
  ['Deno', () => installed('deno'), ['run', '--no-config', '--no-lock', '--allow-net=127.0.0.1']],
] as const)('in %s two connections chat, one after the gateway was killed, and then the process ends', async (_, runtime, args) => {
  const demo = await Demo.start();
  const child = spawn(runtime(), [...args, program, demo.url], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, DENO_NO_UPDATE_CHECK: '1' } });
  try {
    let errors = '';
    child.stderr.on('data', (text) => { errors += text; });
    const lines: string[] = [];
    const exit = once(child, 'exit');
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      if (line !== 'ready') continue;
      await demo.kill();
      await demo.start();
    }
    expect([...await exit, errors]).toEqual([0, null, '']);
    expect(lines).toEqual(['ready', 'closed 1006', 'done']);
  } finally {
    child.kill('SIGKILL');
    await demo.kill();
  }
});
