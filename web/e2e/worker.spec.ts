// The client's package as it is shipped, in a module worker of a page that roomgate serves nothing of but /ws.
import {createServer, type Server} from 'node:http';
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import type {AddressInfo} from 'node:net';
import {fileURLToPath} from 'node:url';
import {freePort, gateway, Publisher, redisServer, token, type Gateway, type Program} from './start';
import {expect, test} from './watched';

const shipped = join(dirname(fileURLToPath(import.meta.url)), '../../client/dist/index.js');

/** Runs in the worker. What it tells the page is a line: the event, and of it what the test looks at. */
const worker = `
  import { Roomgate } from '/roomgate.js';
  const gate = new Roomgate('/ws', { token: async () => (await fetch('/token')).text() });
  gate.addEventListener('join', ({ detail }) => postMessage('join ' + detail.room));
  gate.addEventListener('close', ({ detail }) => postMessage('close ' + detail.code));
  gate.addEventListener('state', ({ detail }) => postMessage('state ' + detail));
  gate.subscribe('42', (data) => postMessage('message ' + JSON.stringify(data)));
  onmessage = async ({ data }) => {
    if (data === 'close') gate.close();
    else await gate.publish('42', data).then(() => postMessage('published'), (error) => postMessage('refused ' + error.code));
  };
`;

/** An application: what roomgate passes on to http.upstream. */
async function application(): Promise<Server> {
  const files: Record<string, [type: string, content: () => string]> = {
    '/': ['text/html', () => '<!doctype html><title>application</title><link rel="icon" href="data:,"><script type="module" src="page.js"></script>'],
    '/page.js': ['text/javascript', () => `
      window.heard = [];
      window.worker = new Worker('worker.js', { type: 'module' });
      worker.onmessage = ({ data }) => heard.push(data);
      worker.onerror = ({ message }) => heard.push('error ' + message);`],
    '/worker.js': ['text/javascript', () => worker],
    '/roomgate.js': ['text/javascript', () => readFileSync(shipped, 'utf8')], // missing: npm run -w client build
    '/token': ['text/plain', () => token('w', '42')],
  };
  const server = createServer((request, answer) => {
    const [type, content] = files[request.url!] ?? ['text/plain', () => { answer.statusCode = 404; return request.url!; }];
    answer.setHeader('Content-Type', type);
    answer.end(content());
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  return server;
}

let redis: Program, g: Gateway, app: Server, redisPort: number;
test.beforeAll(async () => {
  readFileSync(shipped); // fails here, and not as a page that stays silent
  redisPort = await freePort();
  redis = await redisServer(redisPort).start();
  app = await application();
  g = await (await gateway(redisPort, '--http.upstream', `http://127.0.0.1:${(app.address() as AddressInfo).port}`)).start() as Gateway;
});
test.afterAll(async () => {
  await g?.stop();
  app?.closeAllConnections();
  app?.close();
  await redis?.stop();
});

test('in a worker the client connects to the page\'s host, chats, comes back, notices the network, and closes', async ({page, context}) => {
  await page.goto(new URL('/', g.page).href);
  const tell = (what: unknown) => page.evaluate(data => (window as unknown as {worker: Worker}).worker.postMessage(data), what);
  const heard = () => page.evaluate(() => (window as unknown as {heard: string[]}).heard.splice(0));
  const all: string[] = [];
  const hears = (line: string) => expect.poll(async () => (all.push(...await heard()), all), {message: line}).toContain(line);

  await hears('join 42');
  await tell({text: 'from the page'});
  await hears('published');
  await hears('message {"text":"from the page"}');
  const backend = await Publisher.connect(redisPort);
  backend.publish('42', '{"n":1}');
  await hears('message {"n":1}');

  all.length = 0;
  await g.stop('SIGKILL');
  await hears('close 1006');
  await context.setOffline(true);
  await hears('state offline');
  await g.start();
  await context.setOffline(false);
  await hears('state open');
  await hears('join 42');
  backend.publish('42', '{"n":2}');
  await hears('message {"n":2}');

  await tell('close');
  await hears('state closed');
  await tell({text: 'too late'});
  await hears('refused closed');
  expect(all.filter(line => line.startsWith('error'))).toEqual([]);
  backend.end();
});
