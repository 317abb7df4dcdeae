// Socket.IO with its Redis adapter, tuned: WebSocket alone, no compression, bufferutil, and the
// handshake's request let go, as its documentation advises where memory counts.
//
//   node server.js 127.0.0.1:8080 127.0.0.1:6379     the secret of the tokens is in BENCH_SECRET
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import jwt from 'jsonwebtoken';
import { Server } from 'socket.io';

const [, , listen, redis] = process.argv;
const address = (hostPort) => {
  const [host, port] = hostPort.split(':');
  return { host, port: Number(port) };
};
const secret = process.env.BENCH_SECRET;

const server = createServer();
const io = new Server(server, {
  transports: ['websocket'],
  allowUpgrades: false,
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  pingInterval: Number(process.env.BENCH_HEARTBEAT_MS),
  pingTimeout: 20_000,
  adapter: createAdapter(new Redis(address(redis)), new Redis(address(redis))),
});

io.engine.on('connection', (raw) => { raw.request = null; });

io.use((socket, next) => {
  try {
    const claims = jwt.verify(socket.handshake.auth.token, secret, { algorithms: ['HS256'] });
    socket.data.room = claims.rooms[0];
    next();
  } catch (err) {
    next(err);
  }
});

io.on('connection', (socket) => { socket.join(socket.data.room); });

server.listen({ ...address(listen), backlog: 4096 });
