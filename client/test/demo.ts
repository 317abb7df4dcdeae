// The gateway as it is built, as a demo: with a Redis of its own, on a port of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../bin/roomgate', import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

export class Demo {
  process!: ChildProcess;

  private constructor(public port: number) {}

  static async start(): Promise<Demo> {
    if (!existsSync(program)) throw new Error(`${program} is not there: make build`);
    const demo = new Demo(await freePort());
    await demo.start();
    return demo;
  }

  get url(): string { return `http://127.0.0.1:${this.port}`; }

  /** Starts it, with a new secret each time, and waits until it listens. */
  async start(): Promise<void> {
    this.process = spawn(program, ['demo', '--http.addr', `127.0.0.1:${this.port}`, '--auth.expiring', '14m59s'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      this.process.once('exit', (code) => { reject(new Error(`the gateway ended with ${code}`)); });
      this.process.stdout!.once('data', () => { resolve(); });
    });
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => { this.process.once('exit', resolve); });
    this.process.kill('SIGKILL');
    await gone;
  }
}
