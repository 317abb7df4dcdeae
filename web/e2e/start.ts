// Starts what a test of a page needs: roomgate as it is built, a real redis-server, and who publishes.
import {execFileSync, spawn, type ChildProcess} from 'node:child_process';
import {connect, createServer, type AddressInfo, type Socket} from 'node:net';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const binary = join(dirname(fileURLToPath(import.meta.url)), '../../bin/roomgate');
const secret = 'a secret of tests, sixty-four bytes long, so that none warns.....';
const patience = 10_000; // milliseconds until something has started

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const {port} = server.address() as AddressInfo;
  await new Promise(done => server.close(done));
  return port;
}

export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + patience; Date.now() < end;) {
    if (await holds().catch(() => false)) return;
    await new Promise(done => setTimeout(done, 20));
  }
  throw new Error(`waited ${patience} ms for ${what}`);
}

const answers = async (url: string) => (await fetch(url)).ok;

/** A program that a test runs, and may kill and run again. */
export class Program {
  output = '';
  #child: ChildProcess | undefined;

  constructor(readonly command: string, readonly args: string[], readonly environ: Record<string, string>, readonly ready: (p: Program) => Promise<boolean>) {}

  async start(): Promise<this> {
    const child = spawn(this.command, this.args, {env: {PATH: process.env.PATH ?? '', ...this.environ}, stdio: ['ignore', 'pipe', 'pipe']});
    this.#child = child;
    child.stdout!.on('data', text => { this.output += text; });
    child.stderr!.on('data', text => { this.output += text; });
    child.on('error', error => { this.output += error; });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill); // whatever becomes of the test
    child.once('exit', () => process.off('exit', kill));
    try {
      await until(this.command, () => this.ready(this));
    } catch (error) {
      throw new Error(`${error}\n${this.output}`);
    }
    return this;
  }

  /** Ends it, and waits until it has. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise(done => child.once('exit', done));
    child.kill(signal);
    await ended;
  }
}

/** A redis-server with nothing persistent. */
export function redisServer(port: number): Program {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  return new Program('redis-server', args, {}, async () => {
    const publisher = await Publisher.connect(port);
    publisher.end();
    return true;
  });
}

export interface Gateway extends Program {
  page: string; // URL of its playground
  admin: string; // URL
}

/** A roomgate that serves with the playground, on ports of its own. */
export async function gateway(redisPort: number, ...flags: string[]): Promise<Gateway> {
  const [front, admin] = [await freePort(), await freePort()];
  const args = ['serve', '--http.playground', '--http.addr', `127.0.0.1:${front}`, '--admin.addr', `127.0.0.1:${admin}`,
    '--redis.canary_interval', '200ms', '--redis.canary_timeout', '20s', '--gap.spread', '500ms', '--drain.delay', '0s', '--drain.period', '0s', ...flags];
  const environ = {JWT_SECRET: secret, REDIS_URL: `redis://127.0.0.1:${redisPort}`};
  const program = new Program(binary, args, environ, () => answers(`http://127.0.0.1:${admin}/readyz`));
  return Object.assign(program, {page: `http://127.0.0.1:${front}/playground/`, admin: `http://127.0.0.1:${admin}`});
}

/** A demo on ports of its own. Its output has a token, as every demo's has. */
export async function demo(): Promise<Program & {page: string; admin: string; redisPort: () => number}> {
  const page = `http://127.0.0.1:${await freePort()}/`, admin = `http://127.0.0.1:${await freePort()}`;
  const program = new Program(binary, ['demo', '--http.addr', new URL(page).host, '--admin.addr', new URL(admin).host], {}, () => answers(page));
  return Object.assign(program, {page, admin, redisPort: () => Number(/redis-cli -p (\d+)/.exec(program.output)?.[1])});
}

/** A series of /metrics, written as it stands there; 0 where it does not. */
export async function metric(admin: string, series: string): Promise<number> {
  const lines = (await (await fetch(`${admin}/metrics`)).text()).split('\n');
  return Number(lines.find(line => line.startsWith(`${series} `))?.slice(series.length) ?? 0);
}

/** A token for rooms, as `roomgate token` makes it. */
export const token = (sub: string, ...rooms: string[]) => mint(sub, rooms, rooms);

/** A token to be in some rooms, and to publish to some. */
export function mint(sub: string, rooms: string[], publish: string[]): string {
  const flags = [...rooms.flatMap(room => ['--room', room]), ...publish.flatMap(room => ['--publish', room])];
  return execFileSync(binary, ['token', '--sub', sub, ...flags], {env: {JWT_SECRET: secret}, stdio: ['ignore', 'pipe', 'ignore']}).toString().trim();
}

/** A backend: it publishes, by what Redis itself reads (RESP). */
export class Publisher {
  private constructor(readonly socket: Socket) {}

  static async connect(port: number): Promise<Publisher> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((done, failed) => {
      socket.once('error', failed);
      socket.once('data', () => done());
      socket.once('connect', () => socket.write('*1\r\n$4\r\nPING\r\n'));
    });
    socket.on('error', () => socket.destroy()); // Redis was ended by the test
    socket.resume();
    return new Publisher(socket);
  }

  publish(room: string, payload: string): void {
    const words = ['PUBLISH', `room:${room}`, payload];
    this.socket.write(`*3\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
  }

  /**
   * Publishes evenly at that rate, for so many seconds, and on while more() says so. Returns how many that were, and how many a second
   * Redis has taken.
   */
  async publishAt(perSecond: number, seconds: number, room: string, payload: (n: number) => string, more = () => false): Promise<{sent: number; rate: number}> {
    const began = performance.now();
    const passed = () => (performance.now() - began) / 1000;
    let sent = 0;
    for (let end = false; !end;) {
      await new Promise(done => setTimeout(done, 5));
      end = passed() >= seconds && !more();
      const due = Math.floor(passed() * perSecond);
      this.socket.cork();
      for (; sent < due; sent++) this.publish(room, payload(sent + 1));
      this.socket.uncork();
    }
    if (this.socket.writableLength > 0) await new Promise(done => this.socket.once('drain', done));
    return {sent, rate: Math.round(sent / passed())};
  }

  end(): void {
    this.socket.destroy();
  }
}
