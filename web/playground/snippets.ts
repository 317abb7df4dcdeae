import {byId, make} from './dom';
import type {Settings} from './server';

interface Snippet {
  language: string;
  note: string;
  code: (s: Settings, room: string) => string;
}

const message = '{"text":"hi"}';

const redisURL = (s: Settings) => (s.demo ? `redis://${s.demo.redis}` : '');
const quoted = JSON.stringify; // also a string of Python, JavaScript and Go: a channel is printable ASCII
const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const bare = (text: string) => (/^[\w.:@=+,/][\w.:@=+,~/-]*$/.test(text) ? text : shell(text)); // ~ and - mean something in front
const verb = (s: Settings) => (s.sharded ? 'SPUBLISH' : 'PUBLISH');

/** A command as Redis reads it (RESP), for printf. */
function resp(...words: string[]): string {
  const bytes = (word: string) => new TextEncoder().encode(word).length;
  const lines = [`*${words.length}`, ...words.flatMap(word => [`$${bytes(word)}`, word])];
  return lines.map(line => line.replaceAll('\\', '\\\\').replaceAll('%', '%%') + '\\r\\n').join('');
}

const snippets: Snippet[] = [
  {
    language: 'redis-cli', note: 'The number it prints counts gateways, not clients.',
    code: (s, room) => {
      const to = s.demo ? `-p ${s.demo.redis.split(':').pop()}` : `${s.sharded ? '-c ' : ''}-u "$REDIS_URL"`;
      return `redis-cli ${to} ${verb(s)} ${bare(s.prefix + room)} ${shell(message)}`;
    },
  },
  {
    language: 'roomgate', note: 'Where there is no redis-cli.',
    code: (s, room) => {
      const prefix = s.prefix === 'room:' ? '' : ` --redis.channel_prefix ${shell(s.prefix)}`;
      const what = `${room.startsWith('-') ? '-- ' : ''}${bare(room)} ${shell(message)}`;
      if (!s.demo) return `REDIS_URL="$REDIS_URL" roomgate publish${prefix}${s.sharded ? ' --redis.sharded' : ''} ${what}`;
      const program = s.demo.program.startsWith('go run ') ? s.demo.program : bare(s.demo.program);
      return `${program} publish --redis.url ${redisURL(s)}${prefix} ${what}`;
    },
  },
  {
    language: 'curl', note: 'Redis has no HTTP, but curl speaks telnet: this is the PUBLISH as Redis reads it, and QUIT. Without password and TLS only.',
    code: (s, room) => {
      const to = s.demo ? `telnet://${s.demo.redis}` : '"telnet://${REDIS_URL#redis://}"';
      return `printf ${shell(resp(verb(s), s.prefix + room, message) + resp('QUIT'))} |\n  curl -s ${to}`;
    },
  },
  {
    language: 'Python', note: 'pip install redis',
    code: (s, room) => {
      const cls = s.sharded ? 'RedisCluster' : 'Redis', method = s.sharded ? 'spublish' : 'publish';
      const url = s.demo ? quoted(redisURL(s)) : 'os.environ["REDIS_URL"]';
      return `import json, ${s.demo ? '' : 'os, '}redis\nr = redis.${cls}.from_url(${url})\nr.${method}(${quoted(s.prefix + room)}, json.dumps({"text": "hi"}))`;
    },
  },
  {
    language: 'Node', note: 'npm install redis',
    code: (s, room) => {
      const url = s.demo ? quoted(redisURL(s)) : 'process.env.REDIS_URL';
      const make = s.sharded ? `createCluster({ rootNodes: [{ url: ${url} }] })` : `createClient({ url: ${url} })`;
      return `import { ${s.sharded ? 'createCluster' : 'createClient'} } from 'redis';\n` +
        `const redis = await ${make}.connect();\n` +
        `await redis.${s.sharded ? 'sPublish' : 'publish'}(${quoted(s.prefix + room)}, JSON.stringify({ text: 'hi' }));\nawait redis.close();`;
    },
  },
  {
    language: 'PHP', note: 'The phpredis extension; a password and TLS are its own arguments.',
    code: (s, room) => {
      const channel = `'${(s.prefix + room).replace(/[\\']/g, '\\$&')}'`;
      const [host, port] = s.demo ? s.demo.redis.split(':') : ['', ''];
      if (s.sharded) {
        return `['host' => $host, 'port' => $port] = parse_url(getenv('REDIS_URL'));\n$redis = new RedisCluster(null, ["$host:$port"]);\n` +
          `$redis->rawCommand(${channel}, 'SPUBLISH', ${channel}, json_encode(['text' => 'hi']));`;
      }
      const connect = s.demo ? `$redis->connect('${host}', ${port});` : `['host' => $host, 'port' => $port] = parse_url(getenv('REDIS_URL'));\n$redis->connect($host, $port);`;
      return `$redis = new Redis();\n${connect}\n$redis->publish(${channel}, json_encode(['text' => 'hi']));`;
    },
  },
  {
    language: 'Go', note: 'go get github.com/redis/go-redis/v9',
    code: (s, room) => {
      const parse = s.sharded ? 'redis.ParseClusterURL' : 'redis.ParseURL', make = s.sharded ? 'redis.NewClusterClient' : 'redis.NewClient';
      return `options, err := ${parse}(${s.demo ? quoted(redisURL(s)) : 'os.Getenv("REDIS_URL")'}) // check err\n` +
        `client := ${make}(options)\nerr = client.${s.sharded ? 'SPublish' : 'Publish'}(ctx, ${quoted(s.prefix + room)}, \`${message}\`).Err()`;
    },
  },
];

/** The panel with what publishes to the room, ready to be pasted. */
export class Snippets {
  #chosen = snippets[0]!;
  #room = '42';

  constructor(readonly settings: Settings) {
    const box = byId('languages');
    for (const snippet of snippets) {
      const chip = make('button', snippet.language);
      chip.type = 'button';
      chip.addEventListener('click', () => {
        this.#chosen = snippet;
        this.#show();
      });
      box.append(chip);
    }
    byId('copy').addEventListener('click', () => void this.#copy());
    this.#show();
  }

  /** Fills in room. */
  fill(room: string): void {
    if (room) this.#room = room;
    this.#show();
  }

  #show(): void {
    byId('snippet').textContent = this.#chosen.code(this.settings, this.#room);
    byId('snippet-note').textContent = this.#chosen.note;
    [...byId('languages').children].forEach((chip, i) => chip.setAttribute('aria-pressed', String(snippets[i] === this.#chosen)));
  }

  async #copy(): Promise<void> {
    const button = byId('copy');
    try {
      await navigator.clipboard.writeText(byId('snippet').textContent);
      button.textContent = 'Copied';
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    } catch {
      getSelection()?.selectAllChildren(byId('snippet')); // no clipboard without https: to be copied by hand
    }
  }
}
