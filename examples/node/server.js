// A whole API beside roomgate: it logs users in, issues their tokens, and publishes what they write.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { SignJWT, jwtVerify } from 'jose';
import { createClient } from 'redis';

const { JWT_SECRET, REDIS_URL = 'redis://127.0.0.1:6379', HOST = '127.0.0.1', PORT = 3000 } = process.env;
const users = { ada: { password: 'lovelace', rooms: ['42'] }, bob: { password: 'bobbin', rooms: ['43'] } }; // your table of users
if (!JWT_SECRET) throw new Error('JWT_SECRET is not set: it is the secret that roomgate has');
const key = new TextEncoder().encode(JWT_SECRET);
const redis = await createClient({ url: REDIS_URL }).on('error', (error) => console.error('redis:', error.message)).connect();

const routes = {
  'GET /': async () => [200, await readFile(new URL('../page.html', import.meta.url)), 'text/html; charset=utf-8'],

  async 'POST /login'(form) {
    const user = Object.hasOwn(users, form.get('name')) && users[form.get('name')];
    if (!user || user.password !== form.get('password')) return [401, 'wrong name or password'];
    const token = new SignJWT({ rooms: user.rooms }).setSubject(form.get('name')).setExpirationTime('15m');
    return [200, await token.setProtectedHeader({ alg: 'HS256' }).sign(key)];
  },

  async 'POST /messages'(form, token) {
    const { payload: user } = await jwtVerify(token, key, { algorithms: ['HS256'] }).catch(() => ({}));
    if (!user) return [401, 'log in first'];
    if (!user.rooms.includes(form.get('room'))) return [403, 'not your room'];
    const message = JSON.stringify({ from: user.sub, text: form.get('text') }); // store it first, if it is to be kept
    await redis.publish(`room:${form.get('room')}`, message);
    return [201, message, 'application/json'];
  },
};

const server = createServer(async (request, response) => {
  const route = routes[`${request.method} ${request.url}`] ?? (async () => [404, 'not found']);
  const answer = text(request).then((body) => route(new URLSearchParams(body), request.headers.authorization?.replace('Bearer ', '')));
  const [status, body, type = 'text/plain'] = await answer.catch((error) => (console.error(error.message), [503, 'failed']));
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body);
}).listen(PORT, HOST);
process.once('SIGTERM', () => server.close(() => process.exit())); // else process 1 of a container goes on until it is killed
