import {request} from 'node:http';
import type {Socket} from 'node:net';

/** A client in roomgate.v1 that is no browser. It reads and forgets, and leaves when it is told to. */
export class Talker {
  readonly #alive = setInterval(() => this.socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0])), 5000); // pongs, asked for or not

  private constructor(readonly socket: Socket) {}

  /** Connects to a gateway's page's host, at /ws, and waits until the gateway has said something: hello, or why not. */
  static async connect(page: string, token: string, room = ''): Promise<Talker> {
    const headers = {
      Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': 'roomgate.v1', Authorization: `Bearer ${token}`,
    };
    const upgrade = request(new URL(`/ws${room && `?room=${room}`}`, page), {headers, agent: false});
    const talker = await new Promise<Talker>((done, failed) => {
      upgrade.once('error', failed);
      upgrade.once('response', answer => failed(new Error(`refused with ${answer.statusCode}`)));
      upgrade.once('upgrade', (_, socket, head) => {
        const said = new Talker(socket as Socket);
        if (head.length > 0) done(said);
        else socket.once('data', () => done(said));
      });
      upgrade.end();
    });
    talker.socket.on('data', frame => { if (frame[0] === 0x88 || frame.includes('"bye"')) talker.end(); }); // 0x88: close
    talker.socket.on('error', () => talker.end());
    return talker;
  }

  /** Sends a short message: RFC 6455 wants it masked, and a mask of zeros changes nothing. */
  say(message: object): void {
    const text = Buffer.from(JSON.stringify(message));
    if (text.length > 125) throw new Error('too long for a short frame');
    this.socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  }

  end(): void {
    clearInterval(this.#alive);
    this.socket.destroy();
  }
}
